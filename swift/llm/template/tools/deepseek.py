"""DeepSeek V2.5 to V3.1 and R1: calls between control tokens of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools.base import Fragment, Parsed, Tool, ToolFormat, arguments_of, function_of, to_json
from swift.llm.template.tools.scan import parameters_of, value_at
from swift.llm.template.tools.streaming import Around, Streaming

_BEGIN, _END = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"
_ONE, _SEP, _ONE_END = "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>"
OUTPUTS_BEGIN, OUTPUTS_END = "<｜tool▁outputs▁begin｜>", "<｜tool▁outputs▁end｜>"
_OUTPUT, _OUTPUT_END = "<｜tool▁output▁begin｜>", "<｜tool▁output▁end｜>"


def _v3_describe(tools: Sequence[Tool]) -> list[Fragment]:
    listed = to_json([function_of(tool) for tool in tools], indent=2)
    return [
        ("You can call any of the following function tools to satisfy the user's requests: ", True),
        (listed, False),
        (
            "\n\nExample function tool call syntax:\n\n"
            f"{_BEGIN}{_ONE}function{_SEP}example_function_name\n```json\n"
            '{\n  "arg1": "some_value"\n  ...\n}\n```\n'
            f"{_ONE_END}{_END}\n\n",
            True,
        ),
    ]


def _v3_1_describe(tools: Sequence[Tool]) -> list[Fragment]:
    # The chat template leaves tools out; this is how the model's hub page says that they are told.
    out: list[Fragment] = [("## Tools\nYou have access to the following tools:\n", True)]
    for tool in tools:
        function = function_of(tool)
        about = f"{function.get('name', '')}\nDescription: {function.get('description', '')}\n\n"
        out += [("\n### ", True), (f"{about}Parameters: {to_json(parameters_of(function))}\n", False)]
    return [
        *out,
        (
            "\nIMPORTANT: ALWAYS adhere to this exact format for tool use:\n"
            f"{_BEGIN}{_ONE}tool_call_name{_SEP}tool_call_arguments{_ONE_END}{{additional_tool_calls}}{_END}\n\nWhere:\n"
            "- `tool_call_name` must be an exact match to one of the available tools\n"
            "- `tool_call_arguments` must be valid JSON that strictly follows the tool's Parameters Schema\n"
            "- For multiple tool calls, chain them directly without separators or spaces",
            True,
        ),
    ]


def _v3_calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    out: list[Fragment] = [(content, False), (_BEGIN, True)]
    for number, call in enumerate(calls):
        out += [
            ("\n" * bool(number) + f"{_ONE}function{_SEP}", True),
            (f"{call.name}\n```json\n{arguments_of(call)}\n```", False),
            (_ONE_END, True),
        ]
    return [*out, (_END, True)]


def _v3_1_calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    out: list[Fragment] = [(content, False), (_BEGIN, True)]
    for call in calls:
        out += [(_ONE, True), (call.name, False), (_SEP, True), (arguments_of(call), False), (_ONE_END, True)]
    return [*out, (_END, True)]


def _outputs(lead: str, begin: str, between: str) -> Callable[[Sequence[Message]], list[Fragment]]:
    def results(messages: Sequence[Message]) -> list[Fragment]:
        out: list[Fragment] = [(begin, True)]
        for number, message in enumerate(messages):
            head = (between if number else lead) + _OUTPUT
            out += [(head, True), (message.content, False), (_OUTPUT_END, True)]
        return out

    return results


def _parse(text: str) -> Parsed:
    content, mark, body = text.partition(_BEGIN)
    calls: list[ToolCall] = []
    place = 0
    while mark and (place := body.find(_ONE, place)) >= 0:
        head, separator, _ = body[place + len(_ONE) :].partition(_SEP)
        if not separator:
            return text, ()
        place += len(_ONE) + len(head) + len(_SEP)
        name = head
        if head == "function" and "\n```json\n" in body[place:]:
            name, _, _ = body[place:].partition("\n```json\n")
            place += len(name) + len("\n```json\n")
        found = value_at(body, place)
        if found is not None and isinstance(found[0], dict):
            calls.append(ToolCall(name, found[0]))
            place = found[1]
        else:
            end = body.find(_ONE_END, place)
            if end < 0:
                return text, ()
            calls.append(ToolCall(name, body[place:end].removesuffix("\n```")))
            place = end
    return (content, tuple(calls)) if calls else (text, ())


# Names stand behind "function" and a fence before 3.1, alone from 3.1 on; the parser reads both everywhere.
_HEAD = rf"{_ONE}(?:function{_SEP})?(?P<name>[^\n<]+?)(?:\n```json\n|{_SEP})\s*(?=\{{)"


def _streaming(fence: str) -> Streaming:
    between = re.compile(rf"\s*(?:```)?\s*{_ONE_END}\s*{_HEAD}")
    around = Around(re.compile(rf"{_BEGIN}\s*{_HEAD}"), between, fence + _ONE_END + _END)
    return Streaming(begins=(_BEGIN,), follows="<", around=around)


FORMATS = (
    ToolFormat(
        name="deepseek",
        place="before_system",
        join="",
        describe=_v3_describe,
        calls=_v3_calls,
        results=_outputs("", OUTPUTS_BEGIN, "\n"),
        parse=_parse,
        group=True,
        streaming=_streaming("```"),
    ),
    ToolFormat(
        name="deepseek_r1_llamacpp",
        place="before_system",
        join="",
        describe=_v3_describe,
        calls=_v3_calls,
        results=_outputs("\n", OUTPUTS_BEGIN, "\n"),
        parse=_parse,
        group=True,
        streaming=_streaming("```"),
    ),
    ToolFormat(
        name="deepseek_v3_1",
        place="system",
        describe=_v3_1_describe,
        calls=_v3_1_calls,
        results=_outputs("", "", ""),
        parse=_parse,
        group=True,
        streaming=_streaming(""),
    ),
)
