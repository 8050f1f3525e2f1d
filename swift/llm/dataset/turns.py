"""Turns of a dialogue to messages: roles, typed content parts, tool calls, loss weights, and the order they come in."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from swift.llm.core import Message, Role, ToolCall

__all__ = [
    "Lost", "TurnOptions", "check_order", "kind", "parse_json", "parse_tools", "parse_turn", "parse_turns", "text_of",
]  # fmt: skip

_CALL = "function_call"
_ROLES: Mapping[str, str] = {
    "system": "system", "developer": "system",
    "user": "user", "human": "user", "prompter": "user",
    "assistant": "assistant", "gpt": "assistant", "bot": "assistant", "model": "assistant", "chatgpt": "assistant",
    "tool": "tool", "observation": "tool", "function_response": "tool", "tool_response": "tool", "function": "tool",
    "ipython": "tool",
    "function_call": _CALL, "tool_call": _CALL,
}  # fmt: skip


class Lost(Exception):  # noqa: N818 - not a failure: the text is the reason that goes into the row ledger
    """A row cannot become a conversation."""


@dataclass(frozen=True, slots=True)
class TurnOptions:
    """How a registered set names its turns; None: the usual names."""

    turns_key: str | None = None
    from_key: str | None = None
    value_key: str | None = None
    roles: Mapping[str, str] | None = None

    @staticmethod
    def of(options: Mapping[str, Any]) -> TurnOptions:
        """Read the ``conversations`` options of a registration."""
        return _USUAL if not options else _options(tuple(sorted((k, str(v)) for k, v in options.items())))


_USUAL = TurnOptions()


@lru_cache(maxsize=64)
def _options(pairs: tuple[tuple[str, str], ...]) -> TurnOptions:
    given = dict(pairs)
    named = {given[f"{role}_role"]: role for role in ("user", "assistant", "system", "tool") if f"{role}_role" in given}
    return TurnOptions(
        given.get("conversations_key"),
        given.get("from_key"),
        given.get("value_key"),
        {**_ROLES, **named} if named else None,
    )


def kind(value: Any) -> str:
    """Name the JSON type of a value as people do."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else type(value).__name__


def text_of(value: Any, what: str) -> str:
    """Return the value if it is text; null is empty text."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    raise Lost(f"wrong type: {what} is {kind(value)}, expected text")


def parse_json(value: Any, what: str) -> Any:
    """Return a value that may have been written as text: JSON, or a Python literal as older sets have it."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        pass
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise Lost(f"wrong type: {what} is text that is neither JSON nor a Python literal") from None


def parse_turns(value: Any, options: TurnOptions, column: str) -> tuple[Message, ...]:
    """Parse a list of turns. Calls that follow an assistant's turn, or one another, become part of one message."""
    turns = value if isinstance(value, list) else parse_json(value, column)
    if not isinstance(turns, list):
        raise Lost(f"wrong type: {column} is {kind(turns)}, expected a list of turns")
    messages: list[Message] = []
    for i, turn in enumerate(turns, 1):
        for message in parse_turn(turn, options, f"turn {i}"):
            last = messages[-1] if messages else None
            if message.tool_calls and not message.content and last is not None and last.role == "assistant":
                messages[-1] = replace(last, tool_calls=(*last.tool_calls, *message.tool_calls))
            else:
                messages.append(message)
    return tuple(messages)


def parse_turn(turn: Any, options: TurnOptions, what: str) -> Sequence[Message]:
    """Parse one turn, ``{role, content}`` or ``{from, value}``, into one message."""
    if not isinstance(turn, dict):
        raise Lost(f"wrong type: {what} is {kind(turn)}, expected an object")
    from_key = options.from_key or ("role" if "role" in turn else "from")
    value_key = options.value_key or ("content" if "content" in turn or "value" not in turn else "value")
    named = turn.get(from_key)
    if named is None:
        raise Lost(f"{what} names no role ({from_key!r})")
    role = (options.roles or _ROLES).get(named) if isinstance(named, str) else None
    if role is None:
        raise Lost(f"unknown role {named!r}")
    content = turn.get(value_key)
    if role == _CALL:
        return (Message("assistant", "", tool_calls=_calls(content, what), **_loss(turn, "assistant")),)
    if type(content) is str and len(turn) == 2:
        return (Message(role, content),)  # type: ignore[arg-type]
    return (_rich_turn(turn, role, content, what),)  # type: ignore[arg-type]


def _rich_turn(turn: Mapping[str, Any], role: Role, content: Any, what: str) -> Message:
    """Parse a turn with more than a text: typed parts, reasoning, tool calls, ids, weights."""
    reasoning = turn.get("reasoning_content") or turn.get("reasoning") or turn.get("thinking") or None
    calls: list[ToolCall] = []
    if isinstance(content, list):
        content, part_reasoning, part_calls = _parts(content, what)
        reasoning = reasoning or part_reasoning
        calls.extend(part_calls)
    if turn.get("tool_calls"):
        calls.extend(_calls(turn["tool_calls"], what))
    call_id, name = turn.get("tool_call_id"), turn.get("name")
    return Message(
        role,
        text_of(content, f"the content of {what}"),
        reasoning=text_of(reasoning, f"the reasoning of {what}") if reasoning is not None else None,
        tool_calls=tuple(calls),
        tool_call_id=None if call_id is None else str(call_id),
        name=None if name is None else str(name),
        **_loss(turn, role),
    )


def _parts(parts: list[Any], what: str) -> tuple[str, str | None, list[ToolCall]]:
    texts: list[str] = []
    reasons: list[str] = []
    calls: list[ToolCall] = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
            continue
        if not isinstance(part, dict):
            raise Lost(f"wrong type: a part of {what} is {kind(part)}, expected an object")
        name = part.get("type")
        value = part.get("value", part.get(str(name)))
        if name == "text":
            texts.append(text_of(value, f"a text part of {what}"))
        elif name in ("reasoning", "thinking"):
            reasons.append(text_of(value, f"a reasoning part of {what}"))
        elif name == "tool_call":
            calls.extend(_calls(value, what))
        else:
            raise Lost(f"unknown content part {name!r}")
    return "".join(texts), "".join(reasons) or None, calls


def _calls(value: Any, what: str) -> tuple[ToolCall, ...]:
    """Parse calls: one or a list, as objects or JSON text, bare or in the OpenAI form; also arguments as JSON text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise Lost(f"the tool call of {what} is not JSON") from None
    return tuple(_call(one, what) for one in (value if isinstance(value, list) else [value]))


def _call(value: Any, what: str) -> ToolCall:
    if not isinstance(value, dict):
        raise Lost(f"wrong type: a tool call of {what} is {kind(value)}, expected an object")
    function = value.get("function", value)
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise Lost(f"a tool call of {what} names no function")
    arguments = function.get("arguments", function.get("parameters", {}))
    if isinstance(arguments, str):
        try:
            decoded = json.loads(arguments)
        except ValueError:
            decoded = None
        arguments = decoded if isinstance(decoded, dict) else arguments
    if not isinstance(arguments, dict | str):
        raise Lost(f"wrong type: the arguments of a tool call of {what} are {kind(arguments)}, expected an object")
    call_id = value.get("id")
    return ToolCall(function["name"], arguments, None if call_id is None else str(call_id))


def _loss(turn: Mapping[str, Any], role: Role) -> dict[str, Any]:
    """Read whether a turn carries loss: ``loss_weight`` or ``weight`` (a number), ``loss`` or ``train`` (true, false)."""
    for key in ("loss_weight", "weight", "loss", "train"):
        value = turn.get(key)
        if value is None:
            continue
        if not isinstance(value, bool | int | float):
            raise Lost(f"wrong type: {key} is {kind(value)}, expected a number or true or false")
        if value < 0:
            raise Lost(f"{key} is {value}, expected 0 or more")
        usual = role == "assistant"
        return {
            "train": None if bool(value) == usual else bool(value),
            "weight": None if value in (0, 1) else float(value),
        }
    return {}


def parse_tools(value: Any) -> tuple[Mapping[str, Any], ...]:
    """Parse the ``tools`` column, a list or its JSON text, into the OpenAI form ``{"type": "function", "function": ...}``."""
    if isinstance(value, str):
        return _tools_of_text(value) if value.strip() else ()
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise Lost(f"wrong type: tools is {kind(value)}, expected a list")
    tools: list[Mapping[str, Any]] = []
    for tool in value:
        tool = parse_json(tool, "a tool")
        if not isinstance(tool, dict) or not ("function" in tool or "name" in tool):
            raise Lost("a tool has neither 'function' nor 'name'")
        tools.append(tool if "function" in tool else {"type": "function", "function": tool})
    return tuple(tools)


@lru_cache(maxsize=1024)
def _tools_of_text(text: str) -> tuple[Mapping[str, Any], ...]:
    return parse_tools(parse_json(text, "tools"))


def check_order(messages: Sequence[Message], *, need_answer: bool) -> None:
    """Raise Lost unless the turns are an optional system text, then user (or tool results) and assistant in turn.

    Several tool results may follow one assistant turn that made several calls. The assistant has the last word, unless no
    answer is needed, and says something in each of its trained turns.
    """
    turns = messages[1:] if messages and messages[0].role == "system" else messages
    if not turns:
        raise Lost("no turns")
    before: str | None = None
    for message in turns:
        role = message.role
        if role == "system":
            raise Lost("not alternating: a system turn after the first turn")
        if role == "assistant":
            if before in (None, "assistant"):
                raise Lost(
                    "not alternating: " + ("the assistant begins" if before is None else "two assistant turns in a row")
                )
            if not message.tool_calls and message.train is not False and not message.content.strip():
                raise Lost("empty answer")
        elif before not in (None, "assistant") and not (role == before == "tool"):
            raise Lost(f"not alternating: a {role} turn after a {before} turn")
        before = role
    if need_answer and before != "assistant":
        if not any(message.role == "assistant" for message in turns):
            raise Lost("no assistant turn")
        raise Lost(f"the last turn is the {before}'s, expected the assistant's")
