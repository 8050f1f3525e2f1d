"""SmolLM3 (Hugging Face): tools behind the instructions of the system block, calls as Hermes writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from swift.llm.template.tools import hermes
from swift.llm.template.tools.base import Fragment, Tool


def _describe(tools: Sequence[Tool]) -> list[Fragment]:
    return [
        (
            "### Tools\n\nYou may call one or more functions to assist with the user query.\nYou are provided with function "
            "signatures within <tools></tools> XML tags:\n\n<tools>\n",
            True,
        ),
        ("".join(f"{tool}\n" for tool in tools), False),
        (
            "</tools>\n\nFor each function call, return a json object with function name and arguments within "
            '<tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n'
            "</tool_call>\n\n",
            True,
        ),
    ]


FORMATS = (replace(hermes.FORMATS[0], name="smollm3", place="own", describe=_describe),)
