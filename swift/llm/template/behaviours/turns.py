"""Rules about who speaks when, and where a system text stands."""

from __future__ import annotations

from swift.llm.template.draft import Draft, Turn
from swift.llm.template.tools.base import RefusedError


def system_in_first_user(draft: Draft) -> None:
    """Put the wrapped system text at the beginning of the first user turn (Llama 2, Gemma)."""
    _fold(draft, [turn for turn in draft.turns if turn.role == "user"][:1])


def system_in_last_user(draft: Draft) -> None:
    """Put the wrapped system text at the beginning of the last user turn (Mistral from v2 on)."""
    _fold(draft, [turn for turn in draft.turns if turn.role == "user"][-1:])


def _fold(draft: Draft, target: list[Turn]) -> None:
    if draft.system is None or draft.system_wrap is None:
        return
    if not target:
        raise RefusedError("a system text, and no user turn to hold it")
    before, after = draft.system_wrap.split("{content}")
    target[0].parts = [(before, True), *draft.system, (after, True), *target[0].parts]
    draft.system = None


def strip_user(draft: Draft) -> None:
    """Trim user turns once everything that joins them is there."""
    for turn in draft.turns:
        if turn.role == "user":
            turn.strip()


def alternate(draft: Draft) -> None:
    """Refuse two turns of one side in a row; calls of tools and their answers do not count."""
    expected = "user"
    for turn in draft.turns:
        if turn.role == "tool" or turn.message.tool_calls:
            continue
        if turn.role != expected:
            raise RefusedError("this format needs user and assistant to take turns, beginning with the user")
        expected = "assistant" if turn.role == "user" else "user"


def rounds(draft: Draft) -> None:
    """Number the questions: the option ``round`` with the number in place of ``{n}`` stands before each user turn.

    ``first_round`` is the first number (1).
    """
    number = draft.options.get("first_round", 1)
    for turn in draft.turns:
        if turn.role == "user":
            turn.before = [*(turn.before or []), (draft.options["round"].replace("{n}", str(number)), True)]
            number += 1


def single_round(draft: Draft) -> None:
    """Refuse a second question, where a format knows one question and one answer."""
    if sum(turn.role != "assistant" for turn in draft.turns) > 1:
        raise RefusedError("this format holds one question and one answer")


def inner_system(draft: Draft) -> None:
    """Wrap a system text, where there is one, in the option ``inner_system``, inside a block that always stands."""
    if draft.system is not None:
        before, after = draft.options["inner_system"].split("{content}")
        draft.system = [(before, True), *draft.system, (after, True)]
