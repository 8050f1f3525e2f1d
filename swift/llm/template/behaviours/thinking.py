"""Rules about reasoning: which turns keep it, what opens it, what stands for none."""

from __future__ import annotations

from swift.llm.core import Message
from swift.llm.template.draft import Draft, Turn

NEWLINE = "\n"


def think(draft: Draft) -> None:
    """Reasoning as Qwen 3 writes it: none in turns before the last question, a block (empty if need be) in the last answer.

    With thinking switched off the empty block belongs to the prompt, and no reasoning is written.
    """
    empty = draft.options.get("empty_think", "<think>\n\n</think>\n\n")
    opening = draft.options.get("think_open", "")
    off = draft.enable_thinking is False and not opening
    if draft.generate:
        draft.opened = empty if off else opening
    question = _last_question(draft)
    last = len(draft.turns) - 1
    for number, turn in enumerate(draft.turns):
        if turn.role != "assistant":
            continue
        if number <= question or not (number == last or turn.reasoning):
            continue
        _lstrip_newlines(turn)
        if off:
            turn.opened = empty
        else:
            turn.opened = opening
            block = f"<think>\n{turn.reasoning.strip(NEWLINE)}\n</think>\n\n"
            turn.parts.insert(0, (block.removeprefix(opening), False))


def think_r1(draft: Draft) -> None:
    """Reasoning as DeepSeek R1 and QwQ take it: earlier answers without it, the prompt ends with an open `<think>`.

    The last answer goes on from there, with an empty block where it has no reasoning: else the prompt would be no beginning
    of what is trained.
    """
    opening = draft.options.get("think_open", "<think>\n")
    if draft.generate:
        draft.opened = opening
    if draft.turns and draft.turns[-1].role == "assistant":
        turn = draft.turns[-1]
        _lstrip_newlines(turn)
        turn.opened = opening
        turn.parts.insert(0, (f"{turn.reasoning.strip(NEWLINE)}\n</think>\n\n", False))


def split_reasoning(message: Message) -> tuple[str, str]:
    """Return (reasoning, text): from the message's own field, else from `<think>` tags in its text."""
    content = message.content
    if message.reasoning is not None:
        return message.reasoning, content
    if "</think>" not in content:
        return "", content
    reasoning = content.split("</think>")[0].rstrip(NEWLINE).split("<think>")[-1].lstrip(NEWLINE)
    return reasoning, content.split("</think>")[-1].lstrip(NEWLINE)


def _lstrip_newlines(turn: Turn) -> None:
    if turn.parts:
        text, markup = turn.parts[0]
        turn.parts[0] = (text.lstrip(NEWLINE), markup)


def _last_question(draft: Draft) -> int:
    """The place of the last user turn that is no tool's answer; the end where there is none."""
    for number in range(len(draft.turns) - 1, -1, -1):
        turn = draft.turns[number]
        if turn.role == "user":
            text = turn.text()
            if not (text.startswith("<tool_response>") and text.endswith("</tool_response>")):
                return number
    return len(draft.turns) - 1
