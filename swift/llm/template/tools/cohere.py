"""Command R+ (Cohere): tools as Python signatures, calls as a list behind ``Action:``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools.base import Fragment, Parsed, Tool, ToolFormat, function_of, load_json
from swift.llm.template.tools.nous import python_type
from swift.llm.template.tools.scan import calls_from, parameters_of, properties_of, text_of
from swift.llm.template.tools.streaming import Streaming, json_list

_ACTION = re.compile(r"\n?Action:[ \t]*(?=```json\n|\n```json\n)")

ORDER = (
    "Write 'Action:' followed by a json-formatted list of actions that you want to perform in order to produce a good response "
    "to the user's last input. You can use any of the supplied tools any number of times, but you should aim to execute the "
    "minimum number of necessary actions for the input. You should use the `directly-answer` tool if calling the other tools "
    "is unnecessary. The list of actions you want to call should be formatted as a list of json objects, for example:\n"
    '```json\n[\n    {\n        "tool_name": title of the tool in the specification,\n        "parameters": a dict of '
    "parameters to input into the tool as they are defined in the specs, or {} if it takes no parameters\n    }\n]```"
)


def _type(schema: Any) -> str:
    return python_type(schema, "List", "Dict")


def _signature(tool: Tool) -> str:
    function = function_of(tool)
    properties, required = properties_of(function), parameters_of(function).get("required") or ()
    fields = [
        (name, _type(field) if name in required else f"Optional[{_type(field)}]", name in required, field)
        for name, field in properties.items()
    ]
    heads = ", ".join(f"{name}: {kind}{'' if needed else ' = None'}" for name, kind, needed, _ in fields)
    lines = [
        f"\n        {name} ({kind}): {text_of(field.get('description') if isinstance(field, Mapping) else None)}"
        for name, kind, _, field in fields
    ]
    about = text_of(function.get("description"))
    args = "\n\n    Args:" + "".join(lines) if lines else ""
    name = text_of(function.get("name"))
    return f'```python\ndef {name}({heads}) -> List[Dict]:\n    """{about}{args}\n    """\n    pass\n```'


def _describe(tools: Sequence[Tool]) -> list[Fragment]:
    return [
        ("\n\n## Available Tools\nHere is a list of tools that you have available to you:\n\n", True),
        ("\n\n".join(map(_signature, tools)), False),
    ]


def _call(call: ToolCall) -> str:
    arguments = "{}"
    if isinstance(call.arguments, str):
        arguments = json.dumps(call.arguments, ensure_ascii=False)
    elif call.arguments:
        arguments = json.dumps(call.arguments, ensure_ascii=False, indent=4).replace("\n", "\n" + " " * 8)
    return f'    {{\n        "tool_name": "{call.name}",\n        "parameters": {arguments}\n    }}'


def _calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    return [
        (content.strip(), False),
        ("\nAction:\n```json\n[\n", True),
        (",\n".join(map(_call, calls)), False),
        ("\n]```\n", True),
    ]


def _results(messages: Sequence[Message]) -> list[Fragment]:
    out: list[Fragment] = []
    for message in messages:
        out += [("<results>\n", True), (message.content.strip(), False), ("</results>", True)]
    return out


def _parse(text: str) -> Parsed:
    for found in _ACTION.finditer(text):
        body = text[found.end() :].strip().removeprefix("```json").strip()
        calls = calls_from(load_json(body.removesuffix("```")), "tool_name", "parameters")
        if calls is not None:
            return text[: found.start()], tuple(map(_unquoted, calls))
    return text, ()


def _unquoted(call: ToolCall) -> ToolCall:
    """Arguments that were no object went in as a JSON text."""
    text = load_json(call.arguments) if isinstance(call.arguments, str) else None
    return replace(call, arguments=text) if isinstance(text, str) else call


_STREAMING = Streaming(
    begins=("Action:",),
    follows="`",
    leads=("\n",),
    plain=True,
    around=json_list(r"Action:[ \t]*\n?```json\n", "```", "tool_name", "parameters"),
)

FORMATS = (
    ToolFormat(
        name="cohere",
        place="own",
        describe=_describe,
        calls=_calls,
        results=_results,
        parse=_parse,
        streaming=_STREAMING,
    ),
)
