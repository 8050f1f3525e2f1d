"""Tool formats: tool schemas and calls as text, and calls out of text again. Knows no tokenizer and no template row.

A text is a list of fragments ``(text, markup)``: only in markup, which we write, a control token's text becomes the token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from swift.llm.core import Message, ToolCall

Fragment: TypeAlias = tuple[str, bool]
Tool: TypeAlias = Mapping[str, Any]
Parsed: TypeAlias = tuple[str, tuple[ToolCall, ...]]


class RefusedError(Exception):
    """A conversation that this format cannot express; the text says why. Caught by the template: the row is dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFormat:
    """How one family of models is told about tools, calls them and reads their answers.

    ``place``: the description joins the system text, or stands in or before the first or the last user turn.
    ``head`` is what the system block begins with where there are tools; ``group``: answers in a row form one turn;
    ``bare``: a call stands without what the row writes around an answer; ``ids``: calls and answers need nine-character ids.
    """

    name: str
    place: Literal["system", "first_user", "before_last_user"]
    describe: Callable[[Sequence[Tool]], list[Fragment]]
    calls: Callable[[str, Sequence[ToolCall]], list[Fragment]]
    results: Callable[[Sequence[Message]], list[Fragment]]
    parse: Callable[[str], Parsed]
    head: str = ""
    group: bool = False
    one_call: bool = False
    bare: bool = False
    ids: bool = False
    stop: tuple[str, ...] = ()


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON as the chat templates' `tojson` writes it: as it stands, not ASCII only."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def function_of(tool: Tool) -> Mapping[str, Any]:
    """The function of an OpenAI tool, or the bare entry itself."""
    inner = tool.get("function")
    return inner if isinstance(inner, Mapping) else tool


def _arguments(call: ToolCall) -> str:
    return call.arguments if isinstance(call.arguments, str) else to_json(call.arguments)


def _load(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def _call_from(value: Any, key: str = "arguments") -> ToolCall | None:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    arguments = value.get(key, {})
    id_ = value.get("id")
    return ToolCall(value["name"], arguments if isinstance(arguments, dict) else to_json(arguments), id_)


# --- Hermes, as Qwen 2.5 and 3 use it ---------------------------------------------------------------------------------


def _hermes_describe(tools: Sequence[Tool]) -> list[Fragment]:
    listed = "".join("\n" + to_json(tool) for tool in tools)
    return [
        (
            "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
            "You are provided with function signatures within <tools></tools> XML tags:\n<tools>",
            True,
        ),
        (listed, False),
        (
            "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
            '<tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n'
            "</tool_call>",
            True,
        ),
    ]


def _hermes_calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    out: list[Fragment] = [(content, False)]
    for number, call in enumerate(calls):
        lead = "\n" if number or content else ""
        out += [
            (lead + '<tool_call>\n{"name": "', True),
            (f'{call.name}", "arguments": {_arguments(call)}', False),
            ("}\n</tool_call>", True),
        ]
    return out


def _hermes_results(messages: Sequence[Message]) -> list[Fragment]:
    out: list[Fragment] = []
    for number, message in enumerate(messages):
        out += [
            ("\n" * bool(number) + "<tool_response>\n", True),
            (message.content, False),
            ("\n</tool_response>", True),
        ]
    return out


def _hermes_parse(text: str) -> Parsed:
    calls: list[ToolCall] = []
    for body in re.findall(r"<tool_call>\s*(.*?)\s*</tool_call>", text, re.DOTALL):
        call = _call_from(_load(body))
        if call is None:  # arguments that are not JSON stay text
            loose = re.fullmatch(r'\{"name": "([^"]*)", "arguments": (.*)\}', body, re.DOTALL)
            call = ToolCall(loose[1], loose[2]) if loose else None
        if call is None:
            return text, ()
        calls.append(call)
    if not calls:
        return text, ()
    content = text[: text.index("<tool_call>")]
    return content[:-1] if content.endswith("\n") else content, tuple(calls)


# --- Llama 3.1: JSON in the answer ------------------------------------------------------------------------------------


def _llama_describe(tools: Sequence[Tool]) -> list[Fragment]:
    listed = "".join(to_json(tool, indent=4) + "\n\n" for tool in tools)
    return [
        (
            "Given the following functions, please respond with a JSON for a function call with its proper arguments "
            "that best answers the given prompt.\n\nRespond in the format "
            '{"name": function name, "parameters": dictionary of argument name and its value}.Do not use variables.\n\n',
            True,
        ),
        (listed, False),
    ]


def _llama_calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    # The official template writes the call alone and leaves out any text beside it.
    call = calls[0]
    return [('{"name": "' + call.name + '", "parameters": ' + _arguments(call) + "}", False)]


def _llama_results(messages: Sequence[Message]) -> list[Fragment]:
    return [(to_json(message.content), False) for message in messages]


def _llama_parse(text: str) -> Parsed:
    body = text.strip()
    call = _call_from(_load(body.removeprefix("<|python_tag|>")), "parameters")
    if call is None:
        loose = re.fullmatch(r'\{"name": "([^"]*)", "parameters": (.*)\}', body, re.DOTALL)
        call = ToolCall(loose[1], loose[2]) if loose else None
    return (text, ()) if call is None else ("", (call,))


# --- Mistral: control tokens of its own -------------------------------------------------------------------------------


def _mistral_tool(tool: Tool) -> str:
    fields = ", ".join(
        f'"{key}": "{value}"' if isinstance(value, str) else f'"{key}": {to_json(value)}'
        for key, value in function_of(tool).items()
        if key != "return"
    )
    return '{"type": "function", "function": {' + fields + "}}"


def with_ids(messages: Sequence[Message]) -> list[Message]:
    """Give every call and its answer an id of nine letters or digits, which Mistral's format demands.

    An id that is so already stays; others become running numbers. An answer without an id belongs to the oldest open call.
    """
    out: list[Message] = []
    given: dict[str | None, str] = {}
    open_calls: list[str] = []
    number = 0
    for message in messages:
        if message.tool_calls:
            calls = []
            for call in message.tool_calls:
                fits = call.id is not None and re.fullmatch(r"[A-Za-z0-9]{9}", call.id)
                new = str(call.id) if fits else f"{number:09d}"
                number += 1
                given[call.id] = new
                open_calls.append(new)
                calls.append(replace(call, id=new))
            message = replace(message, tool_calls=tuple(calls))
        elif message.role == "tool":
            known = message.tool_call_id is not None and message.tool_call_id in given
            new = given[message.tool_call_id] if known else open_calls[0] if open_calls else f"{number:09d}"
            if new in open_calls:
                open_calls.remove(new)
            message = replace(message, tool_call_id=new)
        out.append(message)
    return out


def _mistral(space: str) -> dict[str, Any]:
    def describe(tools: Sequence[Tool]) -> list[Fragment]:
        listed = "[" + ", ".join(map(_mistral_tool, tools)) + "]"
        return [("[AVAILABLE_TOOLS]" + space, True), (listed, False), ("[/AVAILABLE_TOOLS]", True)]

    def write_calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
        written = ", ".join(
            f'{{"name": {to_json(call.name)}, "arguments": {_arguments(call)}, "id": "{call.id}"}}' for call in calls
        )
        return [("[TOOL_CALLS]" + space, True), ("[" + written + "]", False)]

    def results(messages: Sequence[Message]) -> list[Fragment]:
        out: list[Fragment] = []
        for message in messages:
            body = f'{{"content": {message.content}, "call_id": "{message.tool_call_id}"}}'
            out += [("[TOOL_RESULTS]" + space, True), (body, False), ("[/TOOL_RESULTS]", True)]
        return out

    return {"describe": describe, "calls": write_calls, "results": results}


def _mistral_parse(text: str) -> Parsed:
    content, mark, body = text.partition("[TOOL_CALLS]")
    values = _load(body.strip()) if mark else None
    calls = [_call_from(value) for value in values] if isinstance(values, list) else []
    found = tuple(call for call in calls if call is not None)
    return (content, found) if found and len(found) == len(calls) else (text, ())


# --- ReAct and ToolBench: plain text for models without a format of their own ------------------------------------------

_REACT = {
    "en": (
        "{name}: Call this tool to interact with the {name} API. What is the {name} API useful for? {description} "
        "Parameters: {parameters} Format the arguments as a JSON object.",
        "Answer the following questions as best you can. You have access to the following tools:\n\n",
        "\n\nUse the following format:\n\nQuestion: the input question you must answer\n"
        "Thought: you should always think about what to do\nAction: the action to take, should be one of [{names}]\n"
        "Action Input: the input to the action\nObservation: the result of the action\n"
        "... (this Thought/Action/Action Input/Observation can be repeated zero or more times)\n"
        "Thought: I now know the final answer\nFinal Answer: the final answer to the original input question\n\nBegin!\n",
    ),
    "zh": (
        "{name}: 调用此工具与 {name} API 交互。{name} API 有什么用？{description} 输入参数：{parameters} 参数写成一个 JSON 对象。",
        "尽你所能回答下列问题。你可以使用这些工具：\n\n",
        "\n\n请按这个格式回答：\n\nQuestion: 需要回答的问题\nThought: 想一想该做什么\nAction: 要采取的动作，必须是 [{names}] 之一\n"
        "Action Input: 动作的输入\nObservation: 动作的结果\n"
        "... (Thought/Action/Action Input/Observation 可以重复零次或多次)\n"
        "Thought: 我现在知道最终答案\nFinal Answer: 对原问题的最终答案\n\n开始！\n",
    ),
}


def _react(language: str) -> Callable[[Sequence[Tool]], list[Fragment]]:
    line, head, tail = _REACT[language]

    def describe(tools: Sequence[Tool]) -> list[Fragment]:
        functions = [function_of(tool) for tool in tools]
        listed = "\n\n".join(
            line.format(
                name=function.get("name", ""),
                description=function.get("description", ""),
                parameters=to_json(function.get("parameters", {})),
            )
            for function in functions
        )
        names = ",".join(str(function.get("name", "")) for function in functions)
        return [(head, True), (listed, False), (tail.replace("{names}", names), False)]

    return describe


def _toolbench_describe(tools: Sequence[Tool]) -> list[Fragment]:
    listed = to_json([dict(function_of(tool)) for tool in tools])
    return [
        (
            "You are an agent that solves tasks by calling functions. Work in steps: in each step give your analysis and "
            "one function call, in this form:\nThought:\nAction:\nAction Input:\n\nAfter each call you are given its "
            "result. Analyse it, decide on the next step, and go on until the task is done. At the end always call the "
            'function "Finish" with the final answer; if the task cannot be solved, call "Finish" and give up.\n'
            "You have these functions: ",
            True,
        ),
        (listed, False),
    ]


def _react_calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    call = calls[0]
    lead = content + "\n" if content and not content.endswith("\n") else content
    return [(f"{lead}Action: {call.name}\nAction Input: {_arguments(call)}\nObservation:", False)]


def _toolbench_calls(content: str, calls: Sequence[ToolCall]) -> list[Fragment]:
    [(text, markup)] = _react_calls(content, calls)
    return [(text.removesuffix("\nObservation:"), markup)]


def _react_results(messages: Sequence[Message]) -> list[Fragment]:
    return [("\n" * bool(number) + message.content, False) for number, message in enumerate(messages)]


def _react_parse(text: str) -> Parsed:
    found = re.search(r"(?s)^(.*?)Action:[ \t]*([^\n]+)\nAction Input:[ \t]*(.*?)(?:\nObservation:.*)?$", text)
    if found is None:
        return text, ()
    content, name, body = found[1], found[2].strip(), found[3]
    value = _load(body)
    call = ToolCall(name, value if isinstance(value, dict) else body)
    return content[:-1] if content.endswith("\n") else content, (call,)


_OBSERVATION = ("Observation:",)

TOOL_FORMATS: Mapping[str, ToolFormat] = {
    tool_format.name: tool_format
    for tool_format in (
        ToolFormat(
            name="hermes",
            place="system",
            describe=_hermes_describe,
            calls=_hermes_calls,
            results=_hermes_results,
            parse=_hermes_parse,
            group=True,
        ),
        ToolFormat(
            name="llama3_1",
            place="first_user",
            describe=_llama_describe,
            calls=_llama_calls,
            results=_llama_results,
            parse=_llama_parse,
            head="Environment: ipython\n",
            one_call=True,
        ),
        ToolFormat(
            name="mistral", place="before_last_user", parse=_mistral_parse, bare=True, ids=True, **_mistral(" ")
        ),
        ToolFormat(
            name="mistral_nemo", place="before_last_user", parse=_mistral_parse, bare=True, ids=True, **_mistral("")
        ),
        ToolFormat(
            name="react_en",
            place="system",
            describe=_react("en"),
            calls=_react_calls,
            results=_react_results,
            parse=_react_parse,
            group=True,
            one_call=True,
            stop=_OBSERVATION,
        ),
        ToolFormat(
            name="react_zh",
            place="system",
            describe=_react("zh"),
            calls=_react_calls,
            results=_react_results,
            parse=_react_parse,
            group=True,
            one_call=True,
            stop=_OBSERVATION,
        ),
        ToolFormat(
            name="toolbench",
            place="system",
            describe=_toolbench_describe,
            calls=_toolbench_calls,
            results=_react_results,
            parse=_react_parse,
            group=True,
            one_call=True,
        ),
    )
}
