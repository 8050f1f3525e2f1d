"""The Jinja environment that chat templates are written for, and its `{% generation %}` tag. Imported late: needs jinja2."""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeVar

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

E = TypeVar("E", bound=jinja2.Environment)


class GenerationTag(Extension):
    """`{% generation %}...{% endgeneration %}`: its output is put between the two marks in the variable `swift_marks`."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> nodes.Node:
        """Turn the block into a call of `_marked`."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        call = self.call_method("_marked", [nodes.ContextReference()])
        return nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _marked(self, context: Context, caller: Any) -> str:
        begin, end = context["swift_marks"]
        return str(begin + caller() + end)


def raise_exception(message: str) -> NoReturn:
    """Let a template refuse a conversation."""
    raise jinja2.TemplateError(message)


def tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as it stands: Jinja's own filter would escape HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


class ChatEnvironment(ImmutableSandboxedEnvironment):
    """The environment of transformers' `apply_chat_template`."""


def prepared(kind: type[E]) -> E:
    """Make an environment with the tags, filters and functions that chat templates use."""
    made = kind(trim_blocks=True, lstrip_blocks=True, extensions=[GenerationTag, loopcontrols])
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = raise_exception
    return made


def environment() -> jinja2.Environment:
    """Return an environment as transformers' `apply_chat_template` uses it."""
    return prepared(ChatEnvironment)
