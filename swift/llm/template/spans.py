"""Which parts of a rendered conversation are answers: found by rendering its beginnings, for any template that marks none.

Works on marked text: private characters stand in, or at both ends of, what each message says (`places`), so that text can be
told from text. Knows no Jinja and no tokenizer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Owners: TypeAlias = Mapping[str, tuple[int, int]]
"""Private character → (number of its message, what to add to its position to be at the message's border)."""
Places: TypeAlias = Mapping[int, tuple[int, int]]
"""Number of a message → (where its own text begins, where it ends)."""
Render: TypeAlias = Callable[[int, bool], str]
"""The first n messages, without or with what asks for an answer, as marked text."""

OWNER_MARKS: Final = range(0xF1000, 0xFFFFE)
OWNED: Final = re.compile(f"[{chr(OWNER_MARKS[0])}-{chr(OWNER_MARKS[-1])}]")

REWRITTEN: Final = (
    "The tokenizer's chat template writes earlier turns anew as a conversation goes on (it leaves out their reasoning, say). "
    "Every answer is trained as it stands in the text of the whole conversation; keep only each conversation's last answer "
    "(--loss_scale_base last_round) to train exactly what generation sees."
)
ASKED_ANEW: Final = (
    "The tokenizer's chat template writes what stands before the last answer in another way when it asks for that answer (with "
    "the system text in another place, say): what is trained is not exactly what generation sees."
)
UNPLACED: Final = (
    "The tokenizer's chat template writes some answers where they cannot be told from the rest: those are not trained."
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer is ``start:end``; from ``body_end`` on it is what closes it. ``closed``: a control token does."""

    start: int
    body_end: int
    end: int
    closed: bool


def places(text: str, owners: Owners) -> dict[int, tuple[int, int]]:
    """Where the text of each message stands; a message that the template leaves out is absent."""
    found: dict[int, tuple[int, int]] = {}
    for match in OWNED.finditer(text):
        owner = owners.get(match[0])
        if owner is not None:
            number, shift = owner
            first, last = found.get(number, (len(text), 0))
            found[number] = (min(first, match.start() + shift), max(last, match.end()))
    return found


def common(left: str, right: str) -> int:
    """Length of the common beginning."""
    if right.startswith(left):
        return len(left)
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if left[:middle] == right[:middle] else (low, middle - 1)
    return low


class Locator:
    """Finds answers in marked text. ``notes`` collects what a person should know; ``closings`` end an answer for sure."""

    def __init__(
        self,
        control: re.Pattern[str] | None,
        borders: re.Pattern[str] | None,
        closings: Sequence[str],
        notes: dict[str, None],
    ) -> None:
        self._control = control
        self._borders = borders
        self._closings = frozenset(closings)
        self._notes = notes

    def answers(
        self, messages: Sequence[Mapping[str, Any]], render: Render, where: Callable[[str], Places]
    ) -> list[Answer | None]:
        """One entry for each assistant message; None where it cannot be found, so that it is not trained."""
        text = render(len(messages), False)
        own = where(text)
        starts = {
            number: self._start(text, own, number, render, where, number == len(messages) - 1)
            for number, message in enumerate(messages)
            if message["role"] == "assistant"
        }
        return [
            None if start is None else self._answer(text, own, number, start, starts, messages, render, where)
            for number, start in starts.items()
        ]

    def _start(
        self, text: str, own: Places, number: int, render: Render, where: Callable[[str], Places], last: bool = False
    ) -> int | None:
        """Where the prompt for an answer ends in a longer text, which ends with it if it is the ``last``."""
        prompt = render(number, True) if number else self._opening(text)
        if text.startswith(prompt):
            return len(prompt)
        # The text differs further up: compare from the end of the nearest earlier message that both have.
        seen = where(prompt)
        anchor = max((one for one in seen if one < number and one in own), default=None)
        here, there = (0, 0) if anchor is None else (own[anchor][1], seen[anchor][1])
        limit = own[number][0] if number in own else len(text)
        asked, given = prompt[there:], text[here:limit]
        same = common(asked, given)
        if same == len(asked):
            self._notes[ASKED_ANEW if last else REWRITTEN] = None
            return here + same
        before = render(number, False)
        past = where(before)
        told = before[0 if anchor is None else past[anchor][1] if anchor in past else len(before) :]
        if given.startswith(told):
            same = max(len(told), self._border(asked, same))
            self._notes[
                f"The tokenizer's chat template begins answers with {_shown(asked[same:])}, which its text of a whole conversation "
                "leaves out, at times: there, what is trained is not exactly what generation sees."
            ] = None
            return here + same
        header = prompt[len(before) :] if prompt.startswith(before) else ""
        found = given.find(header) if header.strip() else -1
        if found < 0:
            self._notes[UNPLACED] = None
            return None
        self._notes[
            "The tokenizer's chat template writes a whole conversation in another way than it asks for an answer: "
            "what is trained is not exactly what generation sees."
        ] = None
        return here + found + len(header)

    def _opening(self, text: str) -> str:
        """For a conversation that begins with an answer: the control tokens in front of it."""
        match = self._control.match(text) if self._control is not None else None
        return match[0] if match else ""

    def _border(self, text: str, place: int) -> int:
        """The nearest place to the left that is the end of a token of the template, of a tag or of white space."""
        ends = [match.end() for match in re.finditer(r"\s+|[>\]]", text[:place])]
        for pattern in (self._control, self._borders):
            ends += [match.end() for match in pattern.finditer(text, 0, place)] if pattern is not None else []
        return max(ends, default=0)

    def _answer(
        self,
        text: str,
        own: Places,
        number: int,
        start: int,
        starts: Mapping[int, int | None],
        messages: Sequence[Mapping[str, Any]],
        render: Render,
        where: Callable[[str], Places],
    ) -> Answer:
        calls = bool(messages[number].get("tool_calls"))
        later = [starts.get(one) or own.get(one, (0, 0))[0] for one in range(number + 1, len(messages))]
        bound = min((place for place in later if place >= start and place), default=len(text))
        # Of calls only the first mark counts: a template may write their names again where it writes what they gave.
        side = 0 if calls else 1
        body = max(own[number][side], start) if number in own else start
        tail = text[body:bound]
        if not calls and self._control is not None:
            first = self._control.search(tail)
            if first is not None and not tail[: first.start()].strip():
                return Answer(start, body, body + first.end(), True)
        shared = len(tail)
        if number + 1 < len(messages):
            alone = render(number + 1, False)
            seen = where(alone)
            if number in seen and number in own:
                begin: int | None = seen[number][side]
            else:
                begin = self._start(alone, seen, number, render, where)
            shared = 0 if begin is None else common(alone[begin:], tail)
        return self._closed(start, body, tail, shared, calls)

    def _closed(self, start: int, body: int, tail: str, shared: int, calls: bool) -> Answer:
        """`shared`: up to there, what follows the body is written whether or not the conversation goes on."""
        if self._control is not None:
            found = list(self._control.finditer(tail, 0, shared))
            if found:
                sure = [match for match in found if match[0] in self._closings]
                match = found[0] if not calls else sure[0] if sure else found[-1]
                return Answer(start, body + (match.start() if calls else 0), body + match.end(), True)
            sure = [match for match in self._control.finditer(tail) if match[0] in self._closings] if calls else []
            after = sure[0] if sure else self._control.search(tail, shared)
            if sure:
                shared = sure[0].start()
            if after is not None and not tail[shared : after.start()].strip():
                return Answer(start, body + after.start(), body + after.end(), True)
        seen = len(tail[:shared].rstrip()) or shared
        return Answer(start, body + seen if calls else body, body + seen, False)


def _shown(text: str) -> str:
    return repr(OWNED.sub("…", text if len(text) <= 60 else text[:60] + "…"))
