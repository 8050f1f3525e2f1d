"""Render a conversation once, and know the text of every conversation that takes the same way through the template.

The messages' texts are given to the template as `Said`: a stand-in that lets itself be written, joined and stripped, answers
what is asked of it (does it begin with ...? is it empty?) from the real text, and writes down question and answer. Anything
else that a template does with a text ends the attempt. So where all answers are the same for another conversation of the
same shape, the template does the same with it, and its text is the first one's with the texts exchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Final, NamedTuple, NoReturn, TypeAlias

import jinja2
from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context, Macro
from jinja2.utils import Namespace

from swift.llm.template.jinja import ChatEnvironment, prepared
from swift.llm.template.spans import OWNER_MARKS, Answer, Places

Steps: TypeAlias = tuple[tuple[str, str | None], ...]
"""What was stripped of a text, in order: (method, characters)."""


_At: TypeAlias = tuple[int, int]
"""(number of a literal, offset in it)."""


class UntraceableError(Exception):
    """The template does something with a message's text that depends on more of it than can be written down."""


class Guard(NamedTuple):
    """A question that the template asked about the text of a message, and what the answer was."""

    number: int
    steps: Steps
    name: str
    asked: Any
    answer: bool

    def holds(self, contents: Sequence[str]) -> bool:
        """Whether the answer is the same for these texts."""
        return _answer(_stripped(contents[self.number], self.steps), self.name, self.asked) is self.answer


@dataclass
class Trace:
    """What one attempt has seen: the real texts, the stand-ins' characters and the questions."""

    contents: Sequence[str]
    owners: dict[str, tuple[int, int]] = field(default_factory=dict)
    holes: dict[str, tuple[int, Steps]] = field(default_factory=dict)
    guards: dict[Guard, None] = field(default_factory=dict)
    failed: bool = False

    def said(self, number: int, steps: Steps = ()) -> Said:
        """The stand-in of a message's text; the same one has the same character."""
        for mark, hole in self.holes.items():
            if hole == (number, steps):
                return Said(mark, self)
        mark = chr(OWNER_MARKS[len(self.holes)])
        self.owners[mark] = (number, 0)
        self.holes[mark] = (number, steps)
        return Said(mark, self)

    def ask(self, said: Said, name: str, asked: Any) -> bool:
        """Answer from the real text, and remember."""
        number, steps = self.holes[plain(said)]
        answer = _answer(_stripped(self.contents[number], steps), name, asked)
        self.guards[Guard(number, steps, name, asked, answer)] = None
        return answer

    def fail(self) -> NoReturn:
        """End the attempt, whoever may catch the exception on its way."""
        self.failed = True
        raise UntraceableError


class Rope(str):
    """Text with stand-ins in it: can be written and joined, and nothing else."""

    _trace: Trace

    def __new__(cls, text: str, trace: Trace) -> Rope:
        """Hold the text; the stand-ins are characters in it."""
        made = super().__new__(cls, text)
        made._trace = trace
        return made

    def __str__(self) -> str:
        """Stay what it is when a template writes it."""
        return self

    def __add__(self, other: str) -> Rope:
        """Go on with another text."""
        return _joined(plain(self) + plain(other), self._trace)

    def __radd__(self, other: str) -> Rope:
        """Come behind another text."""
        return _joined(plain(other) + plain(self), self._trace)

    def __bool__(self) -> bool:
        """True where something besides stand-ins is in it; else it depends on them."""
        if any(letter not in self._trace.holes for letter in plain(self)):
            return True
        self._trace.fail()

    def strip(self, chars: str | None = None, /) -> Rope:
        """Strip both ends, where those are the template's own."""
        return self._edges("strip", chars)

    def lstrip(self, chars: str | None = None, /) -> Rope:
        """Strip the beginning, where that is the template's own."""
        return self._edges("lstrip", chars)

    def rstrip(self, chars: str | None = None, /) -> Rope:
        """Strip the end, where that is the template's own."""
        return self._edges("rstrip", chars)

    def _edges(self, name: str, chars: str | None) -> Rope:
        if isinstance(chars, Rope):
            self._trace.fail()
        text: str = getattr(plain(self), name)(chars)
        edges = (text[:1] if name != "rstrip" else "") + (text[-1:] if name != "lstrip" else "")
        if not text or any(letter in self._trace.holes for letter in edges):
            self._trace.fail()
        return _joined(text, self._trace)


class Said(Rope):
    """The stand-in of a message's text, whole or stripped."""

    def __bool__(self) -> bool:
        """Whether the text is not empty."""
        return self._trace.ask(self, "bool", None)

    def __contains__(self, part: object) -> bool:
        """Whether the text holds a part."""
        return self._trace.ask(self, "contains", self._known(part))

    def __eq__(self, other: object) -> bool:
        """Whether it is this text."""
        if not isinstance(other, str):
            return False
        return self._trace.ask(self, "eq", self._known(other))

    def __ne__(self, other: object) -> bool:
        """Whether it is not this text."""
        return not self == other

    def __hash__(self) -> int:
        """No key of a mapping."""
        self._trace.fail()

    def startswith(self, prefix: Any, *more: Any) -> bool:
        """Whether the text begins so."""
        return self._at("startswith", prefix, more)

    def endswith(self, suffix: Any, *more: Any) -> bool:
        """Whether the text ends so."""
        return self._at("endswith", suffix, more)

    def split(self, sep: Any = None, maxsplit: Any = -1) -> list[str]:
        """The text itself, where the separator does not occur."""
        if sep is None or self._trace.ask(self, "contains", self._known(sep)):
            self._trace.fail()
        return [self]

    def rsplit(self, sep: Any = None, maxsplit: Any = -1) -> list[str]:
        """The same as `split`."""
        return self.split(sep)

    def replace(self, old: Any, new: Any, count: Any = -1, /) -> str:
        """The text itself, where the old part does not occur."""
        if self._trace.ask(self, "contains", self._known(old)):
            self._trace.fail()
        return self

    def _edges(self, name: str, chars: str | None) -> Rope:
        number, steps = self._trace.holes[plain(self)]
        return self._trace.said(number, (*steps, (name, None if chars is None else self._known(chars))))

    def _at(self, name: str, asked: Any, more: Sequence[Any]) -> bool:
        if more:
            self._trace.fail()
        return self._trace.ask(
            self, name, tuple(map(self._known, asked)) if isinstance(asked, tuple) else self._known(asked)
        )

    def _known(self, text: Any) -> str:
        if type(text) is not str:
            self._trace.fail()
        return text


class Length:
    """How long the text of a stand-in is: only whether it is nothing may be asked."""

    def __init__(self, said: Said) -> None:
        self._said = said

    def __bool__(self) -> bool:
        """Whether there is any text."""
        return bool(self._said)

    def __gt__(self, number: Any) -> bool:
        """`> 0`."""
        return bool(self._said) if number == 0 else self._fail()

    def __ge__(self, number: Any) -> bool:
        """`>= 1`."""
        return bool(self._said) if number == 1 else self._fail()

    def __eq__(self, number: object) -> bool:
        """`== 0`."""
        return not self._said if number == 0 else self._fail()

    def __hash__(self) -> int:
        """No key of a mapping."""
        return self._fail()

    def __str__(self) -> str:
        """Nothing to write."""
        return self._fail()

    __repr__ = __str__

    def _fail(self) -> NoReturn:
        self._said._trace.fail()


def _length(value: Any) -> Any:
    return Length(value) if isinstance(value, Said) else len(value)


def _refuse(name: str) -> Callable[..., NoReturn]:
    def refused(self: Rope, *args: Any, **kwargs: Any) -> NoReturn:
        self._trace.fail()

    refused.__name__ = name
    return refused


# Everything else that a text can do depends on what it is.
_NEUTRAL: Final = ("__class__", "__new__", "__init__", "__getattribute__", "__setattr__", "__delattr__", "__dir__", "__doc__",
                   "__init_subclass__", "__subclasshook__", "__str__", "__reduce__", "__reduce_ex__", "__getnewargs__",
                   "__getstate__", "__sizeof__")  # fmt: skip
for _name in [*dir(str), "__rmod__", "__rmul__", "__hash__"]:
    if _name not in _NEUTRAL and callable(getattr(str, _name, None) or len):
        for _kind in (Rope, Said):
            if not any(_name in vars(one) for one in _kind.__mro__ if one not in (str, object)):
                setattr(_kind, _name, _refuse(_name))


def plain(text: str) -> str:
    """The characters, stand-ins and all, as an ordinary text."""
    return str.__str__(text)


def join(pieces: Iterable[str]) -> str:
    """Join what a template writes."""
    parts = list(pieces)
    trace = next((part._trace for part in parts if isinstance(part, Rope)), None)
    text = "".join(parts)
    return text if trace is None else _joined(text, trace)


def _joined(text: str, trace: Trace) -> Rope:
    return Said(text, trace) if text in trace.holes else Rope(text, trace)


def _stripped(text: str, steps: Steps) -> str:
    for name, chars in steps:
        text = getattr(text, name)(chars)
    return text


def _answer(text: str, name: str, asked: Any) -> bool:
    if name == "bool":
        return bool(text)
    if name == "contains":
        return asked in text
    if name == "eq":
        return bool(text == asked)
    return bool(getattr(text, name)(asked))


def _find(value: Any, depth: int = 6) -> Rope | None:
    """A stand-in in a value, at any depth that a conversation has."""
    if isinstance(value, Rope):
        return value
    if depth and isinstance(value, Mapping):
        value = list(value.values())
    if depth and isinstance(value, list | tuple):
        return next((found for item in value if (found := _find(item, depth - 1)) is not None), None)
    if depth and hasattr(value, "__next__"):
        raise UntraceableError
    return None


# Filters and tests that look at no character of a text, or only through its own methods.
_FILTERS: Final = ("trim", "string", "default", "d", "length", "count", "first", "last", "list", "reverse", "items")
_BY_ATTRIBUTE: Final = ("selectattr", "rejectattr", "map")
_TESTS: Final = ("defined", "undefined", "none", "string", "mapping", "boolean", "number", "integer", "float", "true", "false",
                 "eq", "equalto", "==", "ne", "!=", "sameas", "callable")  # fmt: skip


class _Generator(CodeGenerator):
    """Sends what could look into a text past its methods through the environment."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 - as the library has it
        """`a ~ b`."""
        self.write("environment.joined((")
        for one in node.nodes:
            self.visit(one, frame)
            self.write(", ")
        self.write("))")

    def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:  # noqa: N802 - as the library has it
        """`a in b`."""
        if not any(one.op in ("in", "notin") for one in node.ops):
            super().visit_Compare(node, frame)
            return
        if len(node.ops) > 1:
            raise UntraceableError
        self.write(f"({'not ' if node.ops[0].op == 'notin' else ''}environment.contains(")
        self.visit(node.expr, frame)
        self.write(", ")
        self.visit(node.ops[0].expr, frame)
        self.write("))")


class TracingEnvironment(ChatEnvironment):
    """The environment of chat templates in which stand-ins are safe."""

    code_generator_class = _Generator
    concat = staticmethod(join)

    def joined(self, values: Iterable[Any]) -> str:
        """What `~` does."""
        return join(map(str, values))

    def contains(self, item: Any, container: Any) -> bool:
        """What `in` does."""
        if isinstance(item, Rope) and isinstance(container, str):
            item._trace.fail()
        return item in container

    def wrap_str_format(self, value: Any) -> Any:
        """What `text.format` is: the library takes it out of the text's hands."""
        text = getattr(value, "__self__", None)
        if isinstance(text, Rope) and value.__name__ in ("format", "format_map"):
            text._trace.fail()
        return super().wrap_str_format(value)

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - as the library has it
        """Call macros with anything, and everything else without stand-ins."""
        own = isinstance(getattr(__obj, "__self__", None), Rope)  # its methods look after themselves
        if not own and not isinstance(__obj, Macro) and __obj is not Namespace:
            _guard_arguments(args, kwargs)
        return super().call(__context, __obj, *args, **kwargs)


def _guard_arguments(args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    # What the library itself hands on: the variables of the loop, the context of the template.
    given = [*args, *(one for name, one in kwargs.items() if name not in ("_loop_vars", "_block_vars"))]
    found = _find([one for one in given if not isinstance(one, jinja2.Environment | Context)])
    if found is not None:
        found._trace.fail()


def _guarded(function: Any) -> Any:
    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        _guard_arguments(args, kwargs)
        return function(*args, **kwargs)

    return guarded


def _never_text(function: Any) -> Any:
    """`is iterable`, `is sequence`: true for every text, without looking."""
    return lambda value: True if isinstance(value, Rope) else function(value)


def tracing_environment() -> TracingEnvironment:
    """Return an environment for templates that are given stand-ins."""
    made = prepared(TracingEnvironment)
    for name, function in list(made.filters.items()):
        if name not in _FILTERS and name not in _BY_ATTRIBUTE:
            made.filters[name] = _guarded(function)
    made.filters["length"] = made.filters["count"] = _length
    for name, function in list(made.tests.items()):
        if name in ("iterable", "sequence"):
            made.tests[name] = _never_text(function)
        elif name not in _TESTS:
            made.tests[name] = _guarded(function)
    return made


class Skeleton:
    """A rendered conversation without its messages' texts, and the guards under which it is that of another conversation.

    ``found`` are its answers and ``others`` the places of all messages, both in the text with stand-ins; ``notes`` what a
    person should know of its mask.
    """

    def __init__(
        self, text: str, trace: Trace, found: Sequence[Answer | None], others: Places, notes: Sequence[str]
    ) -> None:
        self.notes = dict.fromkeys(notes)
        self.guards = tuple(trace.guards)
        self._holes: list[tuple[int, Steps]] = []
        self._literals: list[str] = [""]
        at: list[_At] = []  # of every position in the text with stand-ins
        for letter in plain(text):
            at.append((len(self._literals) - 1, len(self._literals[-1])))
            if letter in trace.holes:
                self._holes.append(trace.holes[letter])
                self._literals.append("")
            else:
                self._literals[-1] += letter
        at.append((len(self._literals) - 1, len(self._literals[-1])))
        self._answers = [
            None if one is None else (at[one.start], at[one.body_end], at[one.end], one.closed) for one in found
        ]
        self._others = {number: (at[first], at[last]) for number, (first, last) in others.items()}

    def fits(self, contents: Sequence[str]) -> bool:
        """Whether the template does the same with these texts."""
        return all(guard.holds(contents) for guard in self.guards)

    def fill(self, contents: Sequence[str]) -> tuple[str, list[Answer | None], Places]:
        """The text of the conversation with these messages, its answers, and where the messages stand."""
        pieces = [self._literals[0]]
        begins = [0]
        length = len(pieces[0])
        for (number, steps), literal in zip(self._holes, self._literals[1:], strict=True):
            content = _stripped(contents[number], steps) if steps else contents[number]
            length += len(content)
            begins.append(length)
            length += len(literal)
            pieces += (content, literal)
        answers = [None if one is None else _moved(begins, *one) for one in self._answers]
        others = {
            number: (begins[a] + first, begins[b] + last) for number, ((a, first), (b, last)) in self._others.items()
        }
        return "".join(pieces), answers, others


def _moved(begins: Sequence[int], start: _At, body_end: _At, end: _At, closed: bool) -> Answer:
    at = [begins[literal] + offset for literal, offset in (start, body_end, end)]
    return Answer(at[0], at[1], at[2], closed)
