"""Grammars of answers that may hold reasoning and calls of tools, as the template's format writes them: forced calls, and an
answer in a fixed form beside tools that may be called.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from swift.llm.chat.json_space import JSON_SPACE
from swift.llm.chat.pythonic_grammar import Pythonic, pythonic
from swift.llm.chat.sorting import tags_of
from swift.llm.chat.tagged_grammar import Tagged, tagged
from swift.llm.core import Conversation, Grammar, Message, ToolCall
from swift.llm.template import Template
from swift.llm.template.tools import ToolFormat
from swift.utils.errors import DataError

__all__ = ["form_grammar", "tool_grammar"]

_INDENTED: Any = {
    "whitespace_pattern": r"( |\n[ \t]{0,16})?"
}  # of formats that write each argument on a line of its own

# Private characters, which no format writes: they stand for arguments and for the digits of an id.
_HERE, _NUMBER = "\ue000", "\ue001"
_DIGITS = re.compile(r"\d+$")
_MARKED = re.compile(f"({_NUMBER}+)")


def tool_grammar(template: Template, conversation: Conversation, name: str | None, *, opened: bool = False) -> Grammar:
    """The Lark grammar (llguidance's dialect) of one call of ``name``, or of one or more of any tools (None).

    ``opened``: the answer begins within the reasoning, which then comes first. Raises DataError for an unknown tool, for a
    format whose arguments are neither a JSON object nor written one by one, and for a schema that these ways cannot express.
    """
    functions = {str(one.get("name")): one for one in map(_function, conversation.tools)}
    if not functions:
        raise DataError("a call is asked for, and the conversation has no tools. Give `tools`.")
    if name is not None and name not in functions:
        raise DataError(f"a call of {name!r} is asked for; the tools are {', '.join(map(repr, functions))}.")
    calls = _calls(template, functions, name)
    thought = _thought(template) if opened else []
    return _lark("thought calls" if opened else "calls", thought, calls)


def form_grammar(template: Template, conversation: Conversation, form: Grammar, *, opened: bool = False) -> Grammar:
    """An answer in the ``form`` of a JSON object or schema, or, where the conversation has tools, calls of them in its place.

    ``opened``: the answer begins within the reasoning, which is free and comes first. Raises DataError as `tool_grammar` does, and
    for other grammars beside reasoning and tools.
    """
    functions = {str(one.get("name")): one for one in map(_function, conversation.tools)}
    if not functions and not opened:
        return form
    if form.kind not in ("json_object", "json_schema"):
        raise DataError("a grammar of your own cannot stand beside tools or reasoning. Leave it or them out.")
    schema = json.loads(form.text) if form.kind == "json_schema" else {"type": "object"}
    blank = '" "? ' if template.tokenizer.space_mark != "never" else ""
    lines = [
        f"form: {blank}value",
        f"value: %json {json.dumps({**schema, 'x-guidance': JSON_SPACE}, ensure_ascii=False)}",
    ]
    calls = _calls(template, functions, None) if functions else []
    body = "(form | calls)" if functions else "form"
    return _lark(f"thought {body}" if opened else body, _thought(template) if opened else [], lines, calls)


def _lark(start: str, *rules: Sequence[str]) -> Grammar:
    return Grammar("lark", "\n".join((f"start: {start}", *(line for lines in rules for line in lines))) + "\n")


def _format(template: Template) -> ToolFormat:
    fmt = template.tool_format
    if fmt is None or not (fmt.streaming.around is not None or fmt.streaming.channels or _apart(fmt)):
        told = (
            "has no tool format"
            if fmt is None
            else f"writes calls as {fmt.name!r} does, and a grammar cannot follow it"
        )
        raise DataError(
            f"calls cannot be forced: the template {template.name!r} {told}. Use `tool_choice` auto without `response_format`."
        )
    return fmt


def _apart(fmt: ToolFormat) -> Tagged | Pythonic | None:
    """How a format writes each argument apart; None where it writes them as one object."""
    return tagged(fmt) or pythonic(fmt)


def _function(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = tool.get("function")
    return inner if isinstance(inner, Mapping) else tool


def _calls(template: Template, functions: Mapping[str, Any], name: str | None) -> list[str]:
    """The rule ``calls`` and those that it needs."""
    fmt = _format(template)
    names = [name] if name is not None else list(functions)
    firsts, nexts, closing = [], [], ""
    tags = _apart(fmt)
    mark, arguments = (_HERE, _HERE) if tags is None else (tags.pair, tags.arguments)
    lines = [] if tags is None else tags.terminals()
    for number, one in enumerate(names):
        before, closing = _text(fmt, [one], arguments).split(mark)
        firsts.append(f"{_literal(template, before)} args_{number}")
        if name is None and not fmt.one_call:
            _, between, _ = _text(fmt, [names[0], one], arguments).split(mark)
            nexts.append(f"{_literal(template, between)} args_{number}")
        schema = functions[one].get("parameters")
        if tags is None:
            spaced = json.dumps({**(schema or {"type": "object"}), "x-guidance": _space(fmt, one)}, ensure_ascii=False)
            lines.append(f"args_{number}: %json {spaced}")
        else:
            lines += tags.rules(f"args_{number}", one, schema, lambda text: _literal(template, text))
    calls = "calls: first" + (" next*" if nexts else "") + (f" {_literal(template, closing)}" if closing else "")
    return [calls, "first: " + " | ".join(firsts), *(["next: " + " | ".join(nexts)] if nexts else []), *lines]


def _thought(template: Template) -> list[str]:
    """The rule ``thought``: the rest of the reasoning, to its end."""
    tags = tags_of(template)
    assert tags is not None
    end = tags[1]
    token = _tokens(template).get(end)
    if token is not None:
        return [f"thought: /(.|\\n)*/ <[{token}]> /\\n*/"]
    return ["thought: text /\\n*/", f"text[suffix={json.dumps(end)}]: /(.|\\n)*/"]


def _space(fmt: ToolFormat, name: str) -> Any:
    """White space in the arguments, as the format lays them out."""
    text = "".join(text for text, _ in fmt.calls("", [ToolCall(name, {"a": 1}, id="1")]))
    return _INDENTED if re.search(r'\{\s*\n\s*"a"', text) else JSON_SPACE


def _text(fmt: ToolFormat, names: Sequence[str], arguments: Mapping[str, Any] | str) -> str:
    """Calls of these tools as the format writes them; stand-ins for the arguments of each, `_NUMBER` for digits of its id."""
    message = Message("assistant", "", tool_calls=tuple(ToolCall(name, arguments) for name in names))
    written = fmt.ids([message]) if fmt.ids is not None else [message]
    calls = [replace(call, id=call.id and _DIGITS.sub(_mark, call.id)) for call in written[0].tool_calls]
    text = "".join(text for text, _ in fmt.calls("", calls)).lstrip("\n")
    return text.replace(f'"{_HERE}"', _HERE)  # where text would be quoted, an object is not


def _mark(found: re.Match[str]) -> str:
    return _NUMBER * len(found[0])


def _literal(template: Template, text: str) -> str:
    """A text as Lark strings; tokens of the tokenizer that are no ordinary text in it as those tokens."""
    parts: list[str] = []
    tokens = _tokens(template).items()
    while text:
        found = [(place, -len(word), word, id_) for word, id_ in tokens if (place := text.find(word)) >= 0]
        place, _, word, id_ = min(found, default=(len(text), 0, "", -1))
        for piece in filter(None, _MARKED.split(text[:place])):
            many = len(piece) if piece[0] == _NUMBER else 0
            # a format whose ids are nothing but digits takes letters as well
            parts.append(
                f"/[0-9a-zA-Z]{{{many}}}/"
                if many > 1
                else "/[0-9]+/"
                if many
                else json.dumps(piece, ensure_ascii=False)
            )
        if id_ >= 0:
            parts.append(f"<[{id_}]>")
        text = text[place + len(word) :]
    return " ".join(parts)


def _tokens(template: Template) -> dict[str, int]:
    """The added tokens that llguidance takes for something else than their letters: control tokens and all in angle brackets."""
    added = template.tokenizer.added_tokens
    ids = {text: template.tokenizer.backend.token_to_id(text) for text in added}
    return {
        text: id_
        for text, id_ in ids.items()
        if id_ is not None and (added[text].special or (text.startswith("<") and text.endswith(">")))
    }
