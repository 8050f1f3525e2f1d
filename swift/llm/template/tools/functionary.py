"""Functionary v3.1 (MeetKai): `<function=name>{...}</function>`; Firefunction v2 (Fireworks): `functools[...]`."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from swift.llm.core import Message, ToolCall
from swift.llm.template.tools.base import (
    Fragment,
    Parsed,
    Tool,
    ToolFormat,
    arguments_of,
    function_of,
    load_json,
    to_json,
)
from swift.llm.template.tools.scan import calls_from, loose_call, text_of, value_at
from swift.llm.template.tools.streaming import Around, Streaming, json_list

_BEGIN = re.compile(r"<function=([^>]+)>|<\|python_tag\|>")


def _describe(tools: Sequence[Tool]) -> list[Fragment]:
    tools = [tool for tool in tools if tool.get("type") != "code_interpreter"]
    if not tools:
        return []
    out: list[Fragment] = [("\nYou have access to the following functions:\n\n", True)]
    for tool in tools:
        function = function_of(tool)
        # The official template escapes what it is given as HTML, and transformers, vLLM and others write it so.
        name, about, schema = (
            _escaped(text)
            for text in (text_of(function.get("name")), text_of(function.get("description")), to_json(function))
        )
        out.append((f"Use the function '{name}' to '{about}'\n{schema}\n\n", False))
    out.append(
        (
            "\nThink very carefully before calling functions.\nIf a you choose to call a function ONLY reply in the "
            "following format:\n<{start_tag}={function_name}>{parameters}{end_tag}\nwhere\n\nstart_tag => `<function`\n"
            "parameters => a JSON dict with the function argument name as key and function argument value as value.\n"
            "end_tag => `</function>`\n\nHere is an example,\n"
            '<function=example_function_name>{"example_name": "example_value"}</function>\n\nReminder:\n'
            "- If looking for real time information use relevant functions before falling back to brave_search\n"
            "- Function calls MUST follow the specified format, start with <function= and end with </function>\n"
            "- Required parameters MUST be specified\n- Only call one function at a time\n"
            "- Put the entire function call reply on one line\n\n",
            True,
        )
    )
    return out


def _escaped(text: str) -> str:
    return html.escape(text).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")


def _calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    out: list[Fragment] = [(content, False)]
    for call in calls:
        if call.name == "python":
            out += [("<|python_tag|>", True), (arguments_of(call), False)]
        else:
            out += [(f"<function={call.name}>{arguments_of(call)}</function>", False)]
    return out


def _results(messages: Sequence[Message]) -> list[Fragment]:
    return [(message.content, False) for message in messages]


def _parse(text: str) -> Parsed:
    first = _BEGIN.search(text)
    begin = first
    calls: list[ToolCall] = []
    while begin is not None:
        name, place = begin[1] or "python", begin.end()
        found = value_at(text, place)
        if begin[1] is not None:
            end = text.find("</function>", found[1] if found else place)
            if end < 0:
                return text, ()
            body, after = text[place:end], end + len("</function>")
        else:
            after = found[1] if found else len(text)
            body = text[place:after]
        value = load_json(body)
        calls.append(ToolCall(name, value if isinstance(value, dict) else body))
        begin = _BEGIN.match(text, after)
        if begin is None and text[after:].strip():
            return text, ()
    return (text[: first.start()], tuple(calls)) if first is not None else (text, ())


def _fire_describe(tools: Sequence[Tool]) -> list[Fragment]:
    return [
        (
            "\nIn addition to plain text responses, you can chose to call one or more of the provided functions.\n\n"
            "Use the following rule to decide when to call a function:\n"
            "  * if the response can be generated from your internal knowledge (e.g., as in the case of queries like "
            '"What is the capital of Poland?"), do so\n'
            "  * if you need external information that can be obtained by calling one or more of the provided functions, "
            "generate a function calls\n\nIf you decide to call functions:\n"
            "  * prefix function calls with functools marker (no closing marker required)\n"
            "  * all function calls should be generated in a single JSON list formatted as "
            'functools[{"name": [function name], "arguments": [function arguments as JSON]}, ...]\n'
            "  * follow the provided JSON schema. Do not hallucinate arguments or values. Do to blindly copy values from "
            "the provided samples\n"
            "  * respect the argument type formatting. E.g., if the type if number and format is float, write value 7 as "
            "7.0\n  * make sure you pick the right functions that match the user intent\n\n"
            "Available functions as JSON spec:\n",
            True,
        ),
        (to_json(list(tools), indent=4), False),
    ]


def _fire_calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    written = ", ".join(f'{{"name": "{call.name}", "arguments": {arguments_of(call)}}}' for call in calls)
    return [(content.strip(), False), (" functools[" + written + "]", False)]


def _fire_results(messages: Sequence[Message]) -> list[Fragment]:
    return [(message.content.strip(), False) for message in messages]


def _fire_parse(text: str) -> Parsed:
    body = text.rstrip()
    start = text.find("functools[")
    while start >= 0:
        place = start + len("functools")
        found = value_at(body, place)
        calls = calls_from(found[0]) if found is not None and found[1] == len(body) else None
        if calls is None and body.endswith("]"):
            loose = loose_call(body[place + 1 : -1])
            calls = (loose,) if loose is not None else None
        if calls is not None:
            return text[:start].removesuffix(" "), calls
        start = text.find("functools[", place)
    return text, ()


_HEAD = r"<function=(?P<name>[^>]+)>\s*(?=\{)"
_STREAMING = Streaming(
    begins=("<function=", "<|python_tag|>"),
    around=Around(re.compile(_HEAD), re.compile(r"\s*</function>" + _HEAD), "</function>"),
)

FORMATS = (
    ToolFormat(
        name="functionary",
        place="own",
        describe=_describe,
        calls=_calls,
        results=_results,
        parse=_parse,
        streaming=_STREAMING,
    ),
    ToolFormat(
        name="firefunction",
        place="own",
        describe=_fire_describe,
        calls=_fire_calls,
        results=_fire_results,
        parse=_fire_parse,
        streaming=Streaming(begins=("functools[",), follows="{", leads=(" ",), around=json_list("functools")),
    ),
)
