"""Calls as `<function=...>` with one `<parameter=...>` each: Qwen3-Coder, Qwen3.5, StepFun 3.5."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools.base import Fragment, Parsed, Tool, ToolFormat, function_of, to_json
from swift.llm.template.tools.hermes import FORMATS as HERMES
from swift.llm.template.tools.scan import properties_of
from swift.llm.template.tools.streaming import Streaming
from swift.llm.template.tools.values import as_mixed, named_arguments, read_value, schema_of

_EXAMPLE = (
    "<tool_call>\n<function=example_function_name>\n<parameter=example_parameter_1>\nvalue_1\n</parameter>\n"
    "<parameter=example_parameter_2>\n"
)
_LINES = "This is the value for the second parameter\nthat can span\nmultiple lines\n"
_END = "</parameter>\n</function>\n</tool_call>\n\n<IMPORTANT>\nReminder:\n"
_CODER = (
    "\n</tools>\n\nIf you choose to call a tool ONLY reply in the following format with NO suffix:\n\n"
    + _EXAMPLE
    + "value_2\n"
    + _END
    + "- Function calls MUST follow the specified format: the tool calling block MUST begin with an opening <tool_call> tag and "
    "end with a closing </tool_call> tag.\n- Required parameters MUST be specified\n- You may provide optional reasoning for "
    "your function call in natural language BEFORE the function call, but NOT after\n- If there is no function call available, "
    "answer the question like normal with your current knowledge and do not tell the user about function calls\n</IMPORTANT>"
)
_QWEN3_5 = (
    "\n</tools>\n\nIf you choose to call a function ONLY reply in the following format with NO suffix:\n\n"
    + _EXAMPLE
    + _LINES
    + _END
    + "- Function calls MUST follow the specified format: an inner <function=...></function> block must be nested within "
    "<tool_call></tool_call> XML tags\n- Required parameters MUST be specified\n- You may provide optional reasoning for your "
    "function call in natural language BEFORE the function call, but NOT after\n- If there is no function call available, "
    "answer the question like normal with your current knowledge and do not tell the user about function calls\n</IMPORTANT>"
)
_STEP = (
    "\n</tools>\n\nIf you choose to call a function ONLY reply in the following format with NO suffix:\n\n"
    + _EXAMPLE
    + _LINES
    + _END
    + "- Function calls MUST follow the specified format: an inner <function=...>\n...\n</function> block must be nested within "
    "<tool_call>\n...\n</tool_call> XML tags\n- Required parameters MUST be specified\n</IMPORTANT>"
)
_CALL = re.compile(r"<tool_call>\s*<function=([^>\n]+)>\n(.*?)</function>\s*</tool_call>", re.DOTALL)
# A value ends where the next tag that may follow it stands, so that most texts with tags in them come back whole.
_PARAMETER = re.compile(r"<parameter=([^>\n]+)>\n(.*?)\n</parameter>\n?(?=<parameter=|\s*\Z)", re.DOTALL)


def _extra(values: Any, known: tuple[str, ...]) -> str:
    if not isinstance(values, Mapping):
        return ""
    return "".join(f"\n<{key}>{as_mixed(value)}</{key}>" for key, value in values.items() if key not in known)


def _coder_tool(tool: Tool) -> str:
    function = function_of(tool)
    text = f"\n<function>\n<name>{function.get('name', '')}</name>"
    if "description" in function:
        text += f"\n<description>{str(function['description']).strip()}</description>"
    text += "\n<parameters>"
    for name, field in properties_of(function).items():
        text += f"\n<parameter>\n<name>{name}</name>"
        if "type" in field:
            text += f"\n<type>{field['type']}</type>"
        if "description" in field:
            text += f"\n<description>{str(field['description']).strip()}</description>"
        text += _extra(field, ("name", "type", "description")) + "\n</parameter>"
    text += _extra(function.get("parameters"), ("type", "properties")) + "\n</parameters>"
    return text + _extra(function, ("type", "name", "description", "parameters")) + "\n</function>"


def _coder_describe(tools: Sequence[Tool]) -> list[Fragment]:
    return [
        ("# Tools\n\nYou have access to the following tools:\n\n<tools>", True),
        ("".join(map(_coder_tool, tools)), False),
        (_CODER, True),
    ]


def _listed(head: str, tail: str) -> Callable[[Sequence[Tool]], list[Fragment]]:
    def describe(tools: Sequence[Tool]) -> list[Fragment]:
        return [(head, True), ("".join("\n" + to_json(tool) for tool in tools), False), (tail, True)]

    return describe


def _calls(after_text: str, between: str, strip: bool) -> Callable[[str, Sequence[ToolCall]], list[Fragment]]:
    """``after_text`` stands between a text and the first call, ``between`` between two calls."""

    def write(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
        content = content.strip() if strip else content
        out: list[Fragment] = [(content, False)]
        for number, call in enumerate(calls):
            lead = between if number else after_text if content else ""
            out += [(lead + "<tool_call>\n<function=", True), (call.name, False), (">\n", True)]
            for key, value in named_arguments(call).items():
                out += [
                    ("<parameter=", True),
                    (f"{key}>\n{as_mixed(value)}", False),
                    ("\n</parameter>\n", True),
                ]
            out.append(("</function>\n</tool_call>", True))
        return out

    return write


def _coder_results(messages: Sequence[Message]) -> list[Fragment]:
    out: list[Fragment] = []
    for message in messages:
        out += [("<tool_response>\n", True), (message.content, False), ("\n</tool_response>\n", True)]
    return out


def _step_results(messages: Sequence[Message]) -> list[Fragment]:
    out: list[Fragment] = []
    for message in messages:
        out += [("<tool_response>", True), (message.content, False), ("</tool_response>", True)]
    return out


def _trimmed_results(messages: Sequence[Message]) -> list[Fragment]:
    return [(text if markup else text.strip(), markup) for text, markup in HERMES[0].results(messages)]


def _parse(after_text: str) -> Callable[..., Parsed]:
    def parse(text: str, tools: Sequence[Tool] = ()) -> Parsed:
        calls: list[ToolCall] = []
        for name, body in _CALL.findall(text):
            schema = schema_of(tools, name)
            found = _PARAMETER.findall(body)
            if not found and body.strip():
                return text, ()
            calls.append(ToolCall(name, {key: read_value(value, schema.get(key)) for key, value in found}))
        if not calls:
            return text, ()
        content = text[: text.index("<tool_call>")]
        return (content.removesuffix(after_text) if after_text else content), tuple(calls)

    return parse


def _streaming(after_text: str) -> Streaming:
    return Streaming(
        begins=("<tool_call>",), follows="<", leads=(after_text,) if after_text else (), ends="</tool_call>"
    )


FORMATS = (
    ToolFormat(
        name="qwen3_coder",
        place="system",
        alone="You are Qwen, a helpful AI assistant that can interact with a computer to solve tasks.",
        describe=_coder_describe,
        calls=_calls("\n\n", "\n", strip=True),
        results=_coder_results,
        parse=_parse("\n\n"),
        streaming=_streaming("\n\n"),
        group=True,
        typed=True,
    ),
    ToolFormat(
        name="qwen3_5",
        place="before_system",
        describe=_listed("# Tools\n\nYou have access to the following functions:\n\n<tools>", _QWEN3_5),
        calls=_calls("\n\n", "\n", strip=True),
        results=_trimmed_results,
        parse=_parse("\n\n"),
        streaming=_streaming("\n\n"),
        group=True,
        typed=True,
    ),
    ToolFormat(
        name="stepfun",
        place="system",
        describe=_listed(
            "# Tools\n\nYou have access to the following functions in JSONSchema format:\n\n<tools>", _STEP
        ),
        calls=_calls("", "", strip=False),
        results=_step_results,
        parse=_parse(""),
        streaming=_streaming(""),
        group=True,
        typed=True,
    ),
)
