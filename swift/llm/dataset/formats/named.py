"""Formats that a data set names by ``type``: which columns are the question, the answer and the system text.

The sentences that some of them put around the columns are part of the format; change one and its cached samples are new.
"""

from __future__ import annotations

from typing import Any

from swift.llm.core import Message
from swift.llm.dataset.formats.draft import Draft, Reader, RowFormat, Values, columns_of, needed
from swift.llm.dataset.formats.pairs import opening, rejected_answer
from swift.llm.dataset.turns import Lost, TurnOptions, kind, parse_json, text_of

__all__ = ["FORMATS"]

_CONCISE = "Answer in as few words as possible."
_EXPLAIN_CHOICE = "Choose the right answer, and say step by step why it is the right one."
_CONCISE_CHOICE = "Choose the right answer, and give it in as few words as possible."
_UNANSWERABLE = "The article does not hold the answer to this question."
_RUBRIC = (
    "Judge the answer to the instruction below. Give each criterion a score, then say for each what is good and what could "
    "be better."
)


def _draft(values: Values, question: str, answer: str, system: str | None = None) -> Draft:
    """Make the draft of one round, after the row's system text (or the format's) and history."""
    messages = opening(values)
    if system is not None and "system" not in values:
        messages.insert(0, Message("system", system))
    messages.append(Message("user", question))
    if answer:
        messages.append(Message("assistant", answer))
    return Draft(messages, rejected_answer(values, _USUAL), system is not None or "system" in values)


_USUAL = TurnOptions()


def _asked(values: Values, options: TurnOptions, question: str, extra: str | None) -> str:
    text = text_of(values.get(question), question)
    more = text_of(values.get(extra), extra) if extra is not None and extra in values else ""
    if not text and not more:
        raise Lost(f"empty {question}")
    return f"{text}{options.join}{more}" if text and more else text or more


def _answered(values: Values, *answers: str) -> str:
    """The answer; empty only where inference asks a row without one."""
    present = [name for name in answers if name in values]
    if not present:
        return ""
    text = text_of(values[present[0]], present[0])
    if not text or text.isspace():
        raise Lost("empty answer")
    return text


def _named(
    question: str, *answers: str, extra: str | None = None, system: str | None = None, before: str = ""
) -> Reader:
    """A reader of named columns; ``before`` stands in front of the answer."""

    def read(values: Values, options: TurnOptions) -> Draft:
        answer = _answered(values, *answers)
        return _draft(values, _asked(values, options, question, extra), answer and before + answer, system)

    return read


def _reflection(values: Values, options: TurnOptions) -> Draft:
    question = _asked(values, options, "instruction", "input")
    parts = (needed(values, name) for name in ("output", "reflection", "corrected"))
    heads = ("### Thought:", "### Reflection:", "### Final answer:")
    return _draft(values, question, "\n\n".join(f"{head}\n{part}" for head, part in zip(heads, parts, strict=True)))


def _choice(system: str) -> Reader:
    def read(values: Values, options: TurnOptions) -> Draft:
        choices = parse_json(values["choices"], "choices")
        if isinstance(choices, dict) and isinstance(choices.get("text"), list):
            choices = choices["text"]
        if not isinstance(choices, list | tuple) or not choices:
            raise Lost(f"wrong type: choices is {kind(choices)}, expected a list of texts")
        bullets = "\n".join(f"- {_scalar(choice)}" for choice in choices)
        question = f"{needed(values, 'question')}{options.join}{bullets}"
        return _draft(values, question, _answered(values, "solution", "explanation"), system)

    return read


def _scalar(value: Any) -> str:
    if isinstance(value, bool | dict | list) or value is None:
        raise Lost(f"wrong type: a choice is {kind(value)}, expected text")
    return str(value)


def _summary(values: Values, options: TurnOptions) -> Draft:
    article = needed(values, "article")
    return _draft(values, f"Write a TL;DR of this article.\n\n{article}", _answered(values, "summary"))


def _open_orca(values: Values, options: TurnOptions) -> Draft:
    values = {**values, "system": values["system_prompt"]} if "system_prompt" in values else values
    return _draft(values, needed(values, "question"), _answered(values, "response"))


def _context_qa(values: Values, options: TurnOptions) -> Draft:
    question = f"{needed(values, 'article')}\n===\n{needed(values, 'question')}"
    return _draft(values, question, _answered(values, "answer"))


def _context_qa_v2(values: Values, options: TurnOptions) -> Draft:
    question = f"Context: {needed(values, 'context')}\nQuestion: {needed(values, 'question')}"
    answer = _answered(values, "answer")
    return _draft(values, question, answer and f"Answer: {answer}")


def _context_qa_404(values: Values, options: TurnOptions) -> Draft:
    question = f"{needed(values, 'article')}\n===\n{needed(values, 'unanswerable_question')}"
    return _draft(values, question, _UNANSWERABLE)


def _evaluation(values: Values) -> str:
    """Scores, then critiques, as YAML."""
    import yaml

    try:
        return "".join(
            yaml.safe_dump(
                parse_json(values[name], name), default_flow_style=False, allow_unicode=True, sort_keys=False
            )
            for name in ("scores", "critiques")
        )
    except (yaml.YAMLError, RecursionError):
        raise Lost("scores or critiques hold something that YAML has no form for") from None


def _judged(values: Values) -> str:
    return f"{_RUBRIC}\n\nInstruction:\n{needed(values, 'instruction')}\n\nAnswer:\n{needed(values, 'answer')}"


def _critique(values: Values, options: TurnOptions) -> Draft:
    return _draft(values, _judged(values), _evaluation(values))


def _revise(values: Values, options: TurnOptions) -> Draft:
    question = f"{_judged(values)}\n\nJudgement:\n{_evaluation(values)}\nWrite a better answer."
    return _draft(values, question, _answered(values, "revision"))


def _jokes(values: Values, options: TurnOptions) -> Draft:
    title = text_of(values.get("title"), "title")
    joke = f"{title} {needed(values, 'text')}" if title else needed(values, "text")
    draft = _draft(values, "Tell me a joke.", joke)
    draft.messages += [
        Message("user", "Why is it funny?"),
        Message("assistant", needed(values, "explanation")),
    ]
    return draft


_CHOICES = columns_of("question choices solution", "question choices explanation")
_CHOICES_ASKED = columns_of("question choices")
_CHAT_ALPACA = columns_of("instruction response", "instruction output")
_INSTRUCTION = columns_of("instruction")
_JUDGED = "scores critiques instruction answer"

FORMATS = (
    RowFormat(
        "jeopardy", _named("question", "answer", extra="category", before="what is "),
        columns_of("question category answer"), columns_of("question category"),
    ),
    RowFormat("oasst", _named("INSTRUCTION", "RESPONSE"), columns_of("INSTRUCTION RESPONSE"), columns_of("INSTRUCTION")),
    RowFormat(
        "gpteacher", _named("instruction", "response", extra="input"), columns_of("instruction response"), _INSTRUCTION
    ),
    RowFormat("reflection", _reflection, columns_of("instruction output reflection corrected")),
    RowFormat("explainchoice", _choice(_EXPLAIN_CHOICE), _CHOICES, _CHOICES_ASKED),
    RowFormat("concisechoice", _choice(_CONCISE_CHOICE), _CHOICES, _CHOICES_ASKED),
    RowFormat("summarizetldr", _summary, columns_of("article summary"), columns_of("article")),
    RowFormat("alpaca_chat", _named("instruction", "response", "output", extra="input"), _CHAT_ALPACA, _INSTRUCTION),
    RowFormat(
        "alpaca_chat.load_concise", _named("instruction", "response", "output", extra="input", system=_CONCISE),
        _CHAT_ALPACA, _INSTRUCTION,
    ),
    RowFormat(
        "alpaca_chat.load_qa", _named("question", "answer"), columns_of("question answer"), columns_of("question")
    ),
    RowFormat(
        "alpaca_chat.load_camel_ai", _named("message_1", "message_2"), columns_of("message_1 message_2"),
        columns_of("message_1"),
    ),
    RowFormat(
        "alpaca_w_system.load_open_orca", _open_orca, columns_of("system_prompt question response"),
        columns_of("system_prompt question"),
    ),
    RowFormat("context_qa", _context_qa, columns_of("article question answer"), columns_of("article question")),
    RowFormat("context_qa.load_v2", _context_qa_v2, columns_of("context question answer"), columns_of("context question")),
    RowFormat("context_qa.load_404", _context_qa_404, columns_of("article unanswerable_question")),
    RowFormat("creative_acr.load_answer", _named("instruction", "revision"), columns_of("instruction revision"), _INSTRUCTION),
    RowFormat("creative_acr.load_critique", _critique, columns_of(_JUDGED)),
    RowFormat("creative_acr.load_revise", _revise, columns_of(_JUDGED + " revision"), columns_of(_JUDGED)),
    RowFormat("sharegpt_jokes", _jokes, columns_of("title text explanation", "text explanation")),
)  # fmt: skip
