"""Is a row the format that the model's own tokenizer asks for? Compares ids, conversation by conversation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from swift.llm.core import Conversation, Dropped, Encoded, Message
from swift.llm.template.template import Template
from swift.llm.tokenizer import TextTokenizer
from swift.utils.errors import DataError


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the comparison found. ``checked`` counts the conversations that both sides can express.

    ``first_difference`` shows the first conversation whose ids differ, in context. ``loss_free``: only what follows the last
    trained token differs, which changes neither training nor prompts.
    """

    equal: bool
    checked: int
    first_difference: str | None = None
    loss_free: bool = False


def _conversation(*turns: tuple[str, str]) -> Conversation:
    return Conversation(tuple(Message(role, text) for role, text in turns))  # type: ignore[arg-type]


CONVERSATIONS: tuple[Conversation, ...] = (
    _conversation(("user", "What is the capital of France?"), ("assistant", "Paris.")),
    _conversation(("system", "Be brief."), ("user", "Why is the sky blue?"), ("assistant", "Light is scattered.")),
    _conversation(
        ("user", "Name a fruit."),
        ("assistant", "An apple."),
        ("user", "Another one?"),
        ("assistant", "A pear — 梨 🍐."),
    ),
    _conversation(("user", "\n  def f(x):\n\treturn x\n\n"), ("assistant", "  ```python\nf(1)\n```  \n")),
    _conversation(("user", "Say nothing."), ("assistant", "")),
)


def verify(
    template: Template, tokenizer: TextTokenizer, conversations: Sequence[Conversation] | None = None
) -> Verdict:
    """Render conversations by the row and by the tokenizer's chat template, for training and as prompts, and compare ids.

    A tokenizer without a chat template, or a template that is the tokenizer's own, gives an empty, equal verdict.
    """
    if template.row is None or tokenizer.chat_template is None:
        return Verdict(True, 0)
    # Compared as the format stands: no limit, no other system text than the conversation's, control tokens as text.
    plan = replace(template.plan, max_length=None, system=None, train_on_inputs=False, loss_scale=None)
    ours = Template(template.row, tokenizer, plan)
    theirs = Template(None, tokenizer, plan)
    checked = 0
    ending: str | None = None
    for conversation in CONVERSATIONS if conversations is None else conversations:
        for expected, got, trained in _pairs(ours, theirs, conversation):
            checked += 1
            if got == expected:
                continue
            difference = _difference(tokenizer, expected, got)
            if trained and got[:trained] == expected[:trained]:
                ending = ending or difference
                continue
            return Verdict(False, checked, difference)
    return Verdict(ending is None, checked, ending, loss_free=ending is not None)


def _pairs(ours: Template, theirs: Template, conversation: Conversation) -> Iterator[tuple[list[int], list[int], int]]:
    """(official ids, ids by the row, place behind the last trained token or 0) for training and for the prompt before it."""
    sample, official = ours.encode(conversation), theirs.encode(conversation)
    loses = None if ours.row is None else ours.row.options.get("upstream_loses")
    if loses == "reasoning" or (loses == "system" and conversation.messages[0].role == "system"):
        sample = Dropped(f"the official text of a whole conversation lacks the {loses}; prompts can be compared")
    if isinstance(sample, Encoded) and isinstance(official, Encoded):
        yield official.input_ids.tolist(), sample.input_ids.tolist(), int(sample.trained.nonzero()[0][-1]) + 1
    if conversation.messages[-1].role == "assistant":
        conversation = replace(conversation, messages=conversation.messages[:-1])
    try:
        prompt, official_prompt = ours.encode_prompt(conversation), theirs.encode_prompt(conversation)
    except DataError:
        return  # one of the two refuses such a conversation, and says so when it is met
    yield official_prompt, prompt, 0


def _difference(tokenizer: TextTokenizer, expected: list[int], got: list[int]) -> str:
    place = next(
        (number for number, pair in enumerate(zip(expected, got, strict=False)) if pair[0] != pair[1]),
        min(len(expected), len(got)),
    )
    before = tokenizer.decode(got[max(0, place - 8) : place])
    here = tokenizer.decode(got[place : place + 8])
    there = tokenizer.decode(expected[place : place + 8])
    return f"after {before!r} the row writes {here!r}, the tokenizer's chat template {there!r} (token {place})"
