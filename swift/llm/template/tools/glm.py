"""Calls as pairs of `<arg_key>` and `<arg_value>`: GLM 4.5 and later, and Hunyuan 3, whose tags have a suffix."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools.base import Fragment, Parsed, Tool, ToolFormat, to_json
from swift.llm.template.tools.streaming import Streaming
from swift.llm.template.tools.values import as_json, named_arguments, read_value, schema_of

_TOLD = (
    "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
    "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n"
)
_HOW = (
    "For each function call, output the function name and arguments within the following XML format:\n"
    "<tool_call>{function-name}{n}<arg_key>{arg-key-1}</arg_key>{n}<arg_value>{arg-value-1}</arg_value>{n}"
    "<arg_key>{arg-key-2}</arg_key>{n}<arg_value>{arg-value-2}</arg_value>{n}...{n}</tool_call>"
)
_HY = ":opensource"
_HY_HOW = (
    "\n</tools>\n\nFor function call returns, you should first print <tool_calls{x}>\n"
    "For each function call, you should return object like:\n<tool_call{x}>{function-name}<tool_sep{x}>\n"
    "<arg_key{x}>{arg-key-1}</arg_key{x}>\n<arg_value{x}>{arg-value-1}</arg_value{x}>\n"
    "<arg_key{x}>{arg-key-2}</arg_key{x}>\n<arg_value{x}>{arg-value-2}</arg_value{x}>\n...\n</tool_call{x}>\n"
    "At the end of function call returns, you should print </tool_calls{x}>"
)


def _glm_describe(newline: str) -> Callable[[Sequence[Tool]], list[Fragment]]:
    def describe(tools: Sequence[Tool]) -> list[Fragment]:
        listed = "".join(to_json(tool) + "\n" for tool in tools)
        return [(_TOLD, True), (listed, False), ("</tools>\n\n" + _HOW.replace("{n}", newline), True)]

    return describe


def _glm_calls(newline: str) -> Callable[[str, Sequence[ToolCall]], list[Fragment]]:
    def write(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
        out: list[Fragment] = [(content, False)]
        for call in calls:
            out += [(newline + "<tool_call>", True), (call.name + newline, False)]
            for key, value in named_arguments(call).items():
                out += _pair(key, as_json(value), "", newline)
            out.append(("</tool_call>", True))
        return out

    return write


def _pair(key: str, value: str, tail: str, newline: str) -> list[Fragment]:
    return [
        (f"<arg_key{tail}>", True),
        (key, False),
        (f"</arg_key{tail}>{newline}<arg_value{tail}>", True),
        (value, False),
        (f"</arg_value{tail}>{newline}", True),
    ]


def _glm_results(before: str, after: str) -> Callable[[Sequence[Message]], list[Fragment]]:
    def results(messages: Sequence[Message]) -> list[Fragment]:
        out: list[Fragment] = []
        for message in messages:
            out += [(before, True), (message.content, False), (after, True)]
        return out

    return results


def _reader(tail: str, separator: str) -> Callable[..., list[ToolCall] | None]:
    call = re.compile(
        rf"<tool_call{tail}>(.*?){separator}\s*((?:<arg_key{tail}>.*?)?)</tool_call{tail}>(?!</arg)", re.DOTALL
    )
    pair = re.compile(
        rf"<arg_key{tail}>(.*?)</arg_key{tail}>\s*?\n?<arg_value{tail}>(.*?)</arg_value{tail}>\s*?(?=\n?<arg_key{tail}>|\s*\Z)",
        re.DOTALL,
    )

    def read(text: str, tools: Sequence[Tool]) -> list[ToolCall] | None:
        calls = []
        for name, body in call.findall(text):
            name = name.strip()
            schema = schema_of(tools, name)
            pairs = pair.findall(body)
            if (not pairs and body.strip()) or _NAME.fullmatch(name) is None:
                return None
            calls.append(ToolCall(name, {key: read_value(value, schema.get(key)) for key, value in pairs}))
        return calls or None

    return read


_NAME = re.compile(r"[^\s<>{}]+")
_GLM_READ = _reader("", r"(?=\n|<arg_key>|</tool_call>)")
_HY_READ = _reader(_HY, f"<tool_sep{_HY}>")


def _glm_parse(text: str, tools: Sequence[Tool] = ()) -> Parsed:
    calls = _GLM_READ(text, tools)
    if calls is None:
        return text, ()
    return text[: text.index("<tool_call>")].removesuffix("\n"), tuple(calls)


def _hy_describe(tools: Sequence[Tool]) -> list[Fragment]:
    listed = "\n".join(to_json(tool) for tool in tools)
    return [(_TOLD, True), (listed, False), (_HY_HOW.replace("{x}", _HY), True)]


def _hy_calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    out: list[Fragment] = [(content, False), (f"<tool_calls{_HY}>\n", True)]
    for call in calls:
        out += [(f"<tool_call{_HY}>", True), (call.name, False), (f"<tool_sep{_HY}>\n", True)]
        for key, value in named_arguments(call).items():
            out += _pair(key, as_json(value), _HY, "\n")
        out.append((f"</tool_call{_HY}>\n", True))
    return [*out, (f"</tool_calls{_HY}>", True)]


def _hy_results(messages: Sequence[Message]) -> list[Fragment]:
    out: list[Fragment] = [(f"<tool_responses{_HY}>\n", True)]
    for message in messages:
        out += [(f"<tool_response{_HY}>\n", True), (message.content, False), (f"\n</tool_response{_HY}>\n", True)]
    return [*out, (f"</tool_responses{_HY}>", True)]


def _hy_parse(text: str, tools: Sequence[Tool] = ()) -> Parsed:
    calls = _HY_READ(text, tools)
    if calls is None:
        return text, ()
    return text[: text.index(f"<tool_call{_HY}>")].removesuffix(f"<tool_calls{_HY}>\n"), tuple(calls)


FORMATS = (
    ToolFormat(
        name="glm4_5",
        place="first_block",
        describe=_glm_describe("\n"),
        calls=_glm_calls("\n"),
        results=_glm_results("\n<tool_response>\n", "\n</tool_response>"),
        parse=_glm_parse,
        streaming=Streaming(begins=("<tool_call>",), leads=("\n",), ends="</tool_call>"),
        group=True,
        typed=True,
    ),
    ToolFormat(
        name="glm4_7",
        place="first_block",
        describe=_glm_describe(""),
        calls=_glm_calls(""),
        results=_glm_results("<tool_response>", "</tool_response>"),
        parse=_glm_parse,
        streaming=Streaming(begins=("<tool_call>",), leads=("\n",), ends="</tool_call>"),
        group=True,
        typed=True,
    ),
    ToolFormat(
        name="hy_v3",
        place="own",
        describe=_hy_describe,
        calls=_hy_calls,
        results=_hy_results,
        parse=_hy_parse,
        streaming=Streaming(begins=(f"<tool_calls{_HY}>", f"<tool_call{_HY}>"), ends=f"</tool_call{_HY}>"),
        group=True,
        typed=True,
    ),
)
