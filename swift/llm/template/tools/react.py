"""ReAct and ToolBench: plain text for models without a format of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

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
from swift.llm.template.tools.streaming import Around, Streaming

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
    return [(f"{lead}Action: {call.name}\nAction Input: {arguments_of(call)}\nObservation:", False)]


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
    value = load_json(body)
    call = ToolCall(name, value if isinstance(value, dict) else body)
    return content[:-1] if content.endswith("\n") else content, (call,)


_STREAMING = Streaming(
    begins=("Action:",),
    leads=("\n",),
    plain=True,
    around=Around(re.compile(r"Action:[ \t]*(?P<name>[^\n]+)\nAction Input:[ \t]*(?=\{)"), None, "Observation:"),
)
_OBSERVATION = ("Observation:",)

FORMATS = (
    ToolFormat(
        name="react_en",
        place="system",
        describe=_react("en"),
        calls=_react_calls,
        results=_react_results,
        parse=_react_parse,
        streaming=_STREAMING,
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
        streaming=_STREAMING,
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
        streaming=_STREAMING,
        group=True,
        one_call=True,
    ),
)
