"""gpt-oss (harmony): the system block's preamble, the developer's block, and answers of several messages."""

from __future__ import annotations

from swift.llm.template.behaviours.systems import taken
from swift.llm.template.draft import Draft, Turn
from swift.llm.template.tools.base import Fragment, RefusedError

_TAGS = ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>")


def harmony(draft: Draft) -> None:
    """Write system and developer blocks, and each answer as messages in channels.

    A row's ``template_kwargs`` may give ``reasoning_effort`` (medium), ``model_identity`` and ``builtin_tools`` ("browser",
    "python"). Reasoning stands in the last answer, and before the calls that led to it.
    """
    told = taken(draft)
    kwargs, options = draft.conversation.template_kwargs, draft.options
    preamble: list[Fragment] = [
        (str(kwargs.get("model_identity", options["identity"])), False),
        (f"\nKnowledge cutoff: 2024-06\nCurrent date: {draft.date.isoformat()}\n\nReasoning: ", True),
        (str(kwargs.get("reasoning_effort", "medium")), False),
        ("\n\n", True),
    ]
    builtin = kwargs.get("builtin_tools") or ()
    if builtin:
        preamble.append(
            ("# Tools\n\n" + "".join(options[name] for name in ("browser", "python") if name in builtin), True)
        )
    preamble.append((options["channels"], True))
    if told:
        preamble.append((options["channels_tools"], True))
    developer: list[Fragment] = []
    if draft.system:
        developer = [("# Instructions\n\n", True), *draft.system, ("\n\n", True)]
    developer += told
    if developer:
        preamble += [("<|end|><|start|>developer<|message|>", True), *developer]
    draft.system = preamble
    answered = False
    for number in range(len(draft.turns) - 1, -1, -1):
        turn = draft.turns[number]
        if turn.role != "assistant":
            continue
        if any(tag in text for tag in _TAGS for text in (turn.message.content, turn.message.reasoning or "")):
            raise RefusedError("channel tags in an answer's text: give the analysis as reasoning_content")
        if turn.message.tool_calls:
            _call(turn, answered)
        else:
            is_last = number == len(draft.turns) - 1
            _answer(turn, is_last)
            # The prompt of the last answer still held the analysis before its calls: what is trained begins with it.
            answered = not is_last


def _call(turn: Turn, answered: bool) -> None:
    message = turn.message
    lead: list[Fragment] = []
    if not answered and message.reasoning and message.content:
        lead = [*_channel("analysis", message.reasoning), *_channel("commentary", message.content)]
    elif not answered and (message.reasoning or message.content):
        lead = _channel("analysis", message.reasoning or message.content)
    turn.parts = [*lead, *turn.parts]
    turn.close = "<|call|>"


def _answer(turn: Turn, is_last: bool) -> None:
    reasoning = turn.message.reasoning
    lead = _channel("analysis", reasoning) if is_last and reasoning is not None else []
    turn.parts = [*lead, ("<|channel|>final<|message|>", True), *turn.parts]


def _channel(name: str, text: str) -> list[Fragment]:
    """A message before another one of the same answer; the marker that opens it stands already."""
    return [(f"<|channel|>{name}<|message|>", True), (text, False), ("<|end|><|start|>assistant", True)]
