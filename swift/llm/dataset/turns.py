"""Turns of a dialogue to messages: roles, typed content parts, tool calls, loss weights, and the order they come in."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from swift.llm.core import Message, Role, ToolCall

__all__ = [
    "Lost", "TurnOptions", "check_order", "check_text", "kind", "parse_json", "parse_tools", "parse_turn", "parse_turns",
    "text_of", "turns_in_text",
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
# Options of a registration, and what such a turn is.
_NAMED = {
    "user_role": "user", "assistant_role": "assistant", "system_role": "system", "tool_role": "tool",
    "function_role": _CALL,
}  # fmt: skip
_MEDIA_PARTS: Mapping[str, str] = {
    "image": "img", "image_url": "img", "input_image": "img",
    "video": "video", "video_url": "video", "input_video": "video",
    "audio": "audio", "audio_url": "audio", "input_audio": "audio",
}  # fmt: skip
_PLAIN_TAG = {"img": "<image>", "video": "<video>", "audio": "<audio>"}
# A weight above this is a mistake (and would drown the rest of its batch).
_MAX_WEIGHT = 1e6


class Lost(Exception):  # noqa: N818 - not a failure: the text is the reason that goes into the row ledger
    """A row cannot become a conversation."""


@dataclass(frozen=True, slots=True)
class TurnOptions:
    """How a registered set names its turns; None: the usual names.

    ``join`` stands between an instruction and its input. ``drop_nulls``: the row comes from a typed table (parquet, Arrow),
    where a null inside an object may only mean that another row's object has that key.
    """

    turns_key: str | None = None
    from_key: str | None = None
    value_key: str | None = None
    roles: Mapping[str, str] = field(default_factory=lambda: _ROLES)
    join: str = "\n"
    drop_nulls: bool = False

    @staticmethod
    def of(options: Mapping[str, Any]) -> TurnOptions:
        """Read the ``conversations`` options of a registration."""
        roles = dict(_ROLES)
        for name, role in _NAMED.items():
            if options.get(name) is not None:
                roles[str(options[name])] = role
        more = options.get("roles") or {}
        roles |= {str(name): "user" for name in more.get("input", ())}
        roles |= {str(name): "assistant" for name in more.get("output", ())}
        return TurnOptions(options.get("conversations_key"), options.get("from_key"), options.get("value_key"), roles)


_USUAL = TurnOptions()


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


def check_text(text: str) -> None:
    """Raise Lost for text that no file and no tokenizer can hold: half of a surrogate pair, from a cut ``\\ud83d`` escape."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise Lost(f"broken text: a lone surrogate \\u{ord(text[error.start]):04x}") from None


def parse_json(value: Any, what: str) -> Any:
    """Return a value that may have been written as text: JSON, or a Python literal as older sets have it."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except RecursionError:
        raise Lost(f"{what} is nested too deeply") from None
    except ValueError:
        pass
    try:
        return ast.literal_eval(value.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise Lost(f"wrong type: {what} is text that is neither JSON nor a Python literal") from None


def turns_in_text(value: Any, what: str) -> Any:
    """Return the turn, or the list of turns, that a text holds (a table has no lists); any other value as it is."""
    if not isinstance(value, str) or value.lstrip()[:2] not in ("[{", "{'", '{"'):
        return value
    try:
        parsed = parse_json(value, what)
    except Lost:
        return value
    turns = parsed if isinstance(parsed, list) else [parsed]
    named = all(isinstance(turn, dict) and ("role" in turn or "from" in turn) for turn in turns)
    return parsed if turns and named else value


def parse_turns(value: Any, options: TurnOptions, column: str) -> list[Message]:
    """Parse a list of turns. Calls that follow an assistant's turn, or one another, become part of one message."""
    turns = value if isinstance(value, list) else parse_json(value, column)
    if not isinstance(turns, list | tuple):
        raise Lost(f"wrong type: {column} is {kind(turns)}, expected a list of turns")
    messages: list[Message] = []
    add = messages.append
    from_key, value_key, roles = options.from_key, options.value_key, options.roles
    for number, turn in enumerate(turns, 1):
        # What nearly all turns are, without a call: a role and a text.
        if type(turn) is dict and len(turn) == 2:
            named = turn.get(from_key or ("role" if "role" in turn else "from"))
            content = turn.get(value_key or ("content" if "content" in turn else "value"))
            if type(content) is str and type(named) is str:
                role = roles.get(named)
                if role is not None and role != _CALL:
                    add(Message(role, content))  # type: ignore[arg-type]
                    continue
        for message in _turn(turn, options, number, turns):
            last = messages[-1] if messages else None
            if message.tool_calls and not message.content and last is not None and last.role == "assistant":
                messages[-1] = replace(last, tool_calls=(*last.tool_calls, *message.tool_calls))
            else:
                add(message)
    return messages


def parse_turn(turn: Any, options: TurnOptions, what: str) -> Sequence[Message]:
    """Parse one turn, ``{role, content}`` or ``{from, value}``: one message, or one for each tool result in it."""
    if not isinstance(turn, dict):
        raise Lost(f"wrong type: {what} is {kind(turn)}, expected an object")
    from_key = options.from_key or ("role" if turn.get("role") is not None else "from")
    value_key = options.value_key or next((name for name in ("content", "value", "text") if name in turn), "content")
    named = turn.get(from_key)
    if named is None:
        raise Lost(f"{what} names no role ({from_key!r})")
    role = _role(named, options.roles)
    if role is None:
        raise Lost(f"unknown role {named!r}")
    content = turn.get(value_key)
    if role == _CALL:
        calls = _calls(content, what, options.drop_nulls)
        return (Message("assistant", "", tool_calls=calls, **_loss(turn, "assistant")),)
    return _rich_turn(turn, role, content, what, options)  # type: ignore[arg-type]


def _turn(turn: Any, options: TurnOptions, number: int, turns: Sequence[Any]) -> Sequence[Message]:
    try:
        return parse_turn(turn, options, f"turn {number}")
    except Lost as lost:
        if not str(lost).startswith("unknown role"):
            raise
        raise Lost(_unknown_roles(turns, options)) from None


def _role(named: Any, roles: Mapping[str, str]) -> str | None:
    if not isinstance(named, str):
        return None
    return roles.get(named) or roles.get(named.strip().lower())


def _unknown_roles(turns: Sequence[Any], options: TurnOptions) -> str:
    """Say all the names of a dialogue that are no role, in their order: together they tell who is who."""
    names: dict[str, None] = {}
    for turn in turns:
        if isinstance(turn, dict):
            named = turn.get(options.from_key or ("role" if "role" in turn else "from"))
            if named is not None and _role(named, options.roles) is None:
                names[repr(named)] = None
    return f"unknown role{'s' if len(names) > 1 else ''} {', '.join(list(names)[:4])}"


def _rich_turn(turn: Mapping[str, Any], role: Role, content: Any, what: str, options: TurnOptions) -> Sequence[Message]:
    """Parse a turn with more than a text: typed parts, reasoning, tool calls and results, ids, weights."""
    reasoning = turn.get("reasoning_content") or turn.get("reasoning") or turn.get("thinking") or None
    calls: list[ToolCall] = []
    results: list[Message] = []
    if isinstance(content, dict) and "type" in content:
        content = [content]
    if isinstance(content, list | tuple):
        parts = _Parts(role, what, options.drop_nulls)
        parts.read(content)
        content, calls, results = "".join(parts.texts), parts.calls, parts.results
        reasoning = reasoning or "".join(parts.reasons) or None
    for key in ("tool_calls", "function_call"):
        if turn.get(key):
            calls.extend(_calls(turn[key], what, options.drop_nulls))
    call_id, name = turn.get("tool_call_id"), turn.get("name")
    text = text_of(content, f"the content of {what}")
    if results and not text:
        return results
    message = Message(
        role,
        text,
        reasoning=text_of(reasoning, f"the reasoning of {what}") if reasoning is not None else None,
        tool_calls=tuple(calls),
        tool_call_id=None if call_id is None else str(call_id),
        name=None if name is None else str(name),
        **_loss(turn, role),
    )
    if message.reasoning is not None:
        check_text(message.reasoning)
    return (*results, message)


class _Parts:
    """What the typed parts of one turn say."""

    def __init__(self, role: Role, what: str, drop_nulls: bool) -> None:
        self.role, self.what, self.drop_nulls = role, what, drop_nulls
        self.texts: list[str] = []
        self.reasons: list[str] = []
        self.calls: list[ToolCall] = []
        self.results: list[Message] = []

    def read(self, parts: Sequence[Any]) -> None:
        """Sort the parts; a medium becomes its tag, or its inline form where the part says what it is."""
        for part in parts:
            if isinstance(part, str):
                self.texts.append(part)
                continue
            if not isinstance(part, dict):
                raise Lost(f"wrong type: a part of {self.what} is {kind(part)}, expected an object")
            name = part.get("type")
            if not isinstance(name, str):
                name = next((key for key in ("text", *_MEDIA_PARTS) if part.get(key) is not None), str(name))
            value = next((part[key] for key in ("value", name) if part.get(key) is not None), None)
            if name in ("text", "input_text", "output_text"):
                value = part.get("text") if value is None else value
                self.texts.append(text_of(value, f"a text part of {self.what}"))
            elif name in ("reasoning", "thinking"):
                value = part.get("text") if value is None else value
                self.reasons.append(text_of(value, f"a reasoning part of {self.what}"))
            elif name in ("tool_call", "function_call"):
                self.calls.extend(_calls(part if value is None else value, self.what, self.drop_nulls))
            elif name == "tool_use":
                call = {"name": part.get("name"), "arguments": part.get("input") or {}, "id": part.get("id")}
                self.calls.extend(_calls(call, self.what, self.drop_nulls))
            elif name == "tool_result":
                self.results.append(self._result(part, value))
            elif name in _MEDIA_PARTS:
                self.texts.append(self._medium(part, name))
            else:
                raise Lost(f"unknown content part {name!r}")

    def _result(self, part: Mapping[str, Any], value: Any) -> Message:
        content = part.get("content") if value is None else value
        if isinstance(content, list):
            inner = _Parts("tool", self.what, self.drop_nulls)
            inner.read(content)
            content = "".join(inner.texts)
        elif isinstance(content, dict):
            content = json.dumps(content, ensure_ascii=False)
        call_id = part.get("tool_use_id") or part.get("tool_call_id")
        name = part.get("name")
        return Message(
            "tool",
            text_of(content, f"a tool result of {self.what}"),
            tool_call_id=None if call_id is None else str(call_id),
            name=None if name is None else str(name),
        )

    def _medium(self, part: Mapping[str, Any], name: str) -> str:
        tag = _MEDIA_PARTS[name]
        if self.role == "assistant":
            raise Lost(f"{name} in an assistant turn")
        source: Any = next(
            (part[key] for key in ("value", name, tag, "url", "path", "data") if part.get(key) is not None), None
        )
        if isinstance(source, dict):
            source = next((source[key] for key in ("url", "path", "data") if source.get(key) is not None), None)
        if source is None:
            return _PLAIN_TAG[tag]
        source = text_of(source, f"the {name} of {self.what}").replace("\n", "")
        if "<" in source or ">" in source:
            raise Lost(f"the {name} of {self.what} is no path, no URL and no base64 text")
        return f"<{tag}>{source}</{tag}>"


def _calls(value: Any, what: str, drop_nulls: bool) -> tuple[ToolCall, ...]:
    """Parse calls: one or a list, as objects or JSON text, bare or in the OpenAI form; also arguments as JSON text."""
    checked = False
    if isinstance(value, str):
        checked = "\\u" not in value  # what JSON gave can be written as JSON again, but for half a surrogate pair
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise Lost(f"the tool call of {what} is not JSON") from None
    return tuple(
        _call(one, what, drop_nulls, checked) for one in (value if isinstance(value, list | tuple) else [value])
    )


def _call(value: Any, what: str, drop_nulls: bool, checked: bool) -> ToolCall:
    if not isinstance(value, dict):
        raise Lost(f"wrong type: a tool call of {what} is {kind(value)}, expected an object")
    function = value["function"] if value.get("function") is not None else value
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise Lost(f"a tool call of {what} names no function")
    arguments: Any = next(
        (function[key] for key in ("arguments", "parameters", "args") if function.get(key) is not None), {}
    )
    if isinstance(arguments, str):
        try:
            decoded = json.loads(arguments)
        except (ValueError, RecursionError):
            decoded = None
        arguments = decoded if isinstance(decoded, dict) else arguments
    elif drop_nulls:
        arguments = _without_nulls(arguments)
    if not isinstance(arguments, dict | str):
        raise Lost(f"wrong type: the arguments of a tool call of {what} are {kind(arguments)}, expected an object")
    if not checked:
        _check_json([function["name"], arguments], f"the arguments of a tool call of {what}")
    call_id = value.get("id")
    return ToolCall(function["name"], arguments, None if call_id is None else str(call_id))


def _check_json(value: Any, what: str) -> None:
    """Raise Lost for what cannot be written as JSON text again: it would stop the rendering of the whole chunk."""
    try:
        check_text(json.dumps(value, ensure_ascii=False))
    except (TypeError, ValueError, RecursionError):
        raise Lost(f"wrong type: {what} hold something that JSON has no form for") from None


def _loss(turn: Mapping[str, Any], role: Role) -> dict[str, Any]:
    """Read whether a turn carries loss: ``loss_weight`` or ``weight`` (a number), ``loss`` or ``train`` (true, false)."""
    for key in ("loss_weight", "weight", "loss", "train"):
        value = turn.get(key)
        if value is None:
            continue
        if not isinstance(value, bool | int | float):
            raise Lost(f"wrong type: {key} is {kind(value)}, expected a number or true or false")
        if not 0 <= value <= _MAX_WEIGHT:
            raise Lost(f"{key} is below 0, expected 0 or more" if value < 0 else f"{key} is no usable number")
        usual = role == "assistant"
        return {
            "train": None if bool(value) == usual else bool(value),
            "weight": None if value in (0, 1) else float(value),
        }
    return {}


def parse_tools(value: Any, *, drop_nulls: bool = False) -> tuple[Mapping[str, Any], ...]:
    """Parse the ``tools`` column, a list or its JSON text, into the OpenAI form ``{"type": "function", "function": ...}``.

    ``drop_nulls``: the column was read from a typed table, which fills the keys that one tool lacks and another has.
    """
    if isinstance(value, str):
        return _tools_of_text(value) if value.strip() else ()
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list | tuple):
        raise Lost(f"wrong type: tools is {kind(value)}, expected a list")
    tools: list[Mapping[str, Any]] = []
    for given in value:
        tool = parse_json(given, "a tool")
        if drop_nulls and not isinstance(given, str):
            tool = _without_nulls(tool)
        if not isinstance(tool, dict) or not ("function" in tool or "name" in tool):
            raise Lost("a tool has neither 'function' nor 'name'")
        _check_json(tool, "tools")
        tools.append(tool if "function" in tool else {"type": "function", "function": tool})
    return tuple(tools)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value


@lru_cache(maxsize=1024)
def _tools_of_text(text: str) -> tuple[Mapping[str, Any], ...]:
    return parse_tools(parse_json(text, "tools"))


def check_order(messages: Sequence[Message], *, need_answer: bool) -> None:
    """Raise Lost unless the turns are an optional system text, then user (or tool results) and assistant in turn.

    Several tool results may follow one assistant turn that made several calls. The assistant has the last word, unless no
    answer is needed, and says something in each of its trained turns.
    """
    before: str | None = None
    first = 1 if messages and messages[0].role == "system" else 0
    if first == len(messages):
        raise Lost("no turns")
    for message in messages[first:] if first else messages:
        role = message.role
        if role == "assistant":
            if before is None or before == "assistant":
                raise Lost(
                    "not alternating: " + ("the assistant begins" if before is None else "two assistant turns in a row")
                )
            content = message.content
            if (not content or content.isspace()) and not message.tool_calls and message.train is not False:
                raise Lost("empty answer")
        elif role == "system":
            raise Lost("not alternating: a system turn after the first turn")
        elif before is not None and before != "assistant" and not (role == before == "tool"):
            raise Lost(f"not alternating: a {role} turn after a {before} turn")
        before = role
    if need_answer and before != "assistant":
        if not any(message.role == "assistant" for message in messages):
            raise Lost("no assistant turn")
        raise Lost(f"the last turn is the {before}'s, expected the assistant's")
