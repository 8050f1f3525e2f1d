"""Rules about reasoning: which turns keep it, what opens it, what stands for none.

The options of a row, with what Qwen 3 has where they are left out:
``think_begin``, ``think_end`` around the reasoning; ``think_strip`` trims it ("newlines", "all", "none"); ``think_glue`` stands
between it and a text that is not empty. ``think_open``: the prompt ends with it. ``think_off``: the prompt ends with that
instead where thinking is switched off (a format with ``think_open`` and no ``think_off`` cannot switch it off);
``think_default`` False: it is off unless asked for. ``think_keep``: which answers have a block: "needed" (after the last
question, where there is reasoning, and the last one), "after" (all after the last question), "last", "reasoned" (all that have
reasoning); ``think_keep_tools``: the same where tools are given. ``think_history``: the block of all other answers.
``think_question``: what counts as a question: any user turn, or ("no_results") none that is wrapped as a tool's answer.
``think_read``: "tags" takes reasoning out of tags in the text, "raw" the same without trimming the rest, "lines" takes line
breaks off both ends of both, "stripped" all white space, "field" reads none there. ``answer_strip``: "newlines" takes line breaks off the beginning of an answer that has a block.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swift.llm.core import Message
from swift.llm.template.draft import Draft, Turn
from swift.llm.template.tools.base import Fragment

NEWLINE = "\n"


def think(draft: Draft) -> None:
    """Give each answer the reasoning block that the row's options ask for; a prompt ends with what opens the block.

    The last answer always goes on from what the prompt ends with, so that a prompt is the beginning of what is trained: with
    thinking off its reasoning is left out, and where the prompt opens a block it has one, empty if need be.
    """
    options = draft.options
    begin, end = options.get("think_begin", "<think>\n"), options.get("think_end", "\n</think>\n\n")
    opening, history = options.get("think_open", ""), options.get("think_history", "")
    off = switched_off(draft)
    if draft.generate:
        draft.opened = opening if off is None else off
    keep = options.get("think_keep", "needed")
    if draft.conversation.tools:
        keep = options.get("think_keep_tools", keep)
    question = _last_question(draft)
    last = len(draft.turns) - 1
    for number, turn in enumerate(draft.turns):
        if turn.role != "assistant":
            continue
        if number == last and off is not None and (keep == "all" or number > question):
            _lstrip(turn, options)
            turn.opened = off
            _glue(turn, options)
        elif _is_kept(keep, number > question, number == last, bool(turn.reasoning)):
            _lstrip(turn, options)
            turn.opened = opening
            block: list[Fragment] = [(begin.removeprefix(opening) + end, True)]
            if turn.reasoning:
                written = _stripped(turn.reasoning, options.get("think_strip", "newlines"))
                block = [(begin.removeprefix(opening), True), (written, False), (end, True)]
            _glue(turn, options)
            turn.parts = [*block, *turn.parts]
        elif history:
            prompt = opening if off is None else off
            turn.opened = prompt if history.startswith(prompt) else ""
            _glue(turn, options)
            if len(history) > len(turn.opened):
                turn.parts.insert(0, (history.removeprefix(turn.opened), True))


def switched_off(draft: Draft) -> str | None:
    """What the prompt ends with where thinking is off; None: it is on, or cannot be switched off."""
    options = draft.options
    wanted = draft.enable_thinking
    if wanted is None:
        wanted = options.get("think_default", True)
    if wanted:
        return None
    off: str | None = options.get("think_off", None if options.get("think_open") else "<think>\n\n</think>\n\n")
    return off


def split_reasoning(message: Message, options: Mapping[str, Any]) -> tuple[str, str]:
    """Return (reasoning, text): from the message's own field, else from the format's tags in its text."""
    content = message.content
    if message.reasoning is not None:
        return message.reasoning, content
    begin, end = tags(options)
    read = options.get("think_read", "tags")
    if read == "field" or end not in content:
        return "", content
    return take_reasoning(content, begin, end, read)


def take_reasoning(text: str, begin: str, end: str, read: str = "tags") -> tuple[str, str]:
    """Cut a text at its reasoning tags, as the official templates do: (reasoning, what stands behind the last end tag)."""
    reasoning = text.split(end)[0].rstrip(NEWLINE).split(begin)[-1].lstrip(NEWLINE)
    rest = text.split(end)[-1]
    if read == "lines":
        return reasoning.strip(NEWLINE), rest.strip(NEWLINE)
    if read == "stripped":
        return reasoning.strip(), rest.strip()
    return reasoning, rest if read == "raw" else rest.lstrip(NEWLINE)


def tags(options: Mapping[str, Any]) -> tuple[str, str]:
    """The bare tags around reasoning."""
    begin, end = options.get("think_begin", "<think>\n"), options.get("think_end", "\n</think>\n\n")
    return begin.strip(), end.strip()


def _is_kept(keep: str, is_after: bool, is_last: bool, has_reasoning: bool) -> bool:
    if keep == "needed":
        return is_after and (is_last or has_reasoning)
    if keep == "reasoned":
        return has_reasoning
    return {"after": is_after, "last": is_last, "all": True}[keep]


def _stripped(reasoning: str, how: str) -> str:
    if how == "none":
        return reasoning
    return reasoning.strip() if how == "all" else reasoning.strip(NEWLINE)


def _glue(turn: Turn, options: Mapping[str, Any]) -> None:
    """Put what separates a block from the text in front of a text that is not empty."""
    glue = options.get("think_glue", "")
    if glue and turn.parts and turn.parts[0][0]:
        turn.parts.insert(0, (glue, True))


def _lstrip(turn: Turn, options: Mapping[str, Any]) -> None:
    if turn.parts and options.get("answer_strip", "newlines") == "newlines":
        text, markup = turn.parts[0]
        turn.parts[0] = (text.lstrip(NEWLINE), markup)


def _last_question(draft: Draft) -> int:
    """The place of the last question; where there is none, the end, or (any user turn counts) the place before all."""
    picky = draft.options.get("think_question", "no_results") == "no_results"
    for number in range(len(draft.turns) - 1, -1, -1):
        turn = draft.turns[number]
        if turn.role == "user":
            text = turn.message.content
            if not (picky and text.startswith("<tool_response>") and text.endswith("</tool_response>")):
                return number
    return len(draft.turns) - 1 if picky else -1
