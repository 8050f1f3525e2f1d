"""Rows that hold a whole dialogue: a list of turns, or of {human, assistant} pairs."""

from __future__ import annotations

from swift.llm.core import Message
from swift.llm.dataset.formats.draft import Draft, RowFormat, Values, columns_of, turns_column
from swift.llm.dataset.formats.pairs import opening, rejected_answer
from swift.llm.dataset.formats.preference import answer_of, pair_of_dialogues
from swift.llm.dataset.turns import Lost, TurnOptions, kind, parse_json, parse_turns, text_of

__all__ = ["FORMATS", "read_turns"]


def read_turns(values: Values, options: TurnOptions) -> Draft:
    """``conversations``, ``messages`` or the column that the options name; preference columns may stand beside them."""
    key = turns_column(values, options, "conversations", "messages")
    if "chosen" in values and "rejected" in values:
        return _preferred(values, options, key)
    messages = parse_turns(values[key], options, key)
    rejected: tuple[Message, ...] = ()
    if values.get("rejected_response") or values.get("rejected_messages"):
        rejected = rejected_answer(values, options)
    return with_system(Draft(messages, rejected), values)


def with_system(draft: Draft, values: Values) -> Draft:
    """Put the ``system`` column in front, in place of a system turn; an empty text removes the template's own."""
    messages = draft.messages
    if "system" in values:
        draft.system_given = True
        if messages and messages[0].role == "system":
            del messages[0]
        if values["system"]:
            messages.insert(0, Message("system", text_of(values["system"], "system")))
    elif messages and messages[0].role == "system":
        draft.system_given = True
        if not messages[0].content:
            del messages[0]
    return draft


def _preferred(values: Values, options: TurnOptions, key: str) -> Draft:
    """``chosen`` and ``rejected`` go on from the dialogue, or are whole dialogues themselves."""
    chosen = answer_of(values["chosen"], options, "chosen")
    rejected = answer_of(values["rejected"], options, "rejected")
    if chosen and chosen[0].role in ("user", "system"):
        return with_system(pair_of_dialogues(chosen, rejected), values)
    messages = parse_turns(values[key], options, key)
    return with_system(Draft([*messages, *chosen], tuple(rejected)), values)


def _read_pairs(values: Values, options: TurnOptions) -> Draft:
    pairs = parse_json(values["conversation"], "conversation")
    if not isinstance(pairs, list | tuple):
        raise Lost(f"conversation is {kind(pairs)}, expected a list of {{human, assistant}}")
    if pairs and isinstance(pairs[0], dict) and ("role" in pairs[0] or "from" in pairs[0]):
        return with_system(Draft(parse_turns(pairs, options, "conversation")), values)
    messages = opening(values)
    for i, one in enumerate(pairs, 1):
        if not isinstance(one, dict) or not {"human", "assistant"} <= one.keys():
            raise Lost(f"conversation {i} has not the keys human and assistant")
        messages.append(Message("user", text_of(one["human"], f"human {i}")))
        messages.append(Message("assistant", text_of(one["assistant"], f"assistant {i}")))
    return Draft(messages, (), "system" in values)


def _read_sharegpt(values: Values, options: TurnOptions) -> Draft:
    """The type of that name: turns under ``conversations``, or the pairs of `conversation` that have the name here."""
    key = options.turns_key or "conversations"
    return read_turns(values, options) if key in values or "messages" in values else _read_pairs(values, options)


_CONVERSATIONS = columns_of("conversations")
FORMATS = (
    RowFormat("conversations", read_turns, _CONVERSATIONS, auto=True),
    RowFormat("messages", read_turns, columns_of("messages"), auto=True),
    RowFormat("conversation", _read_pairs, columns_of("conversation"), auto=True),
    RowFormat("chatml", read_turns, columns_of("messages", "conversations")),
    RowFormat("sharegpt", _read_sharegpt, columns_of("conversations", "messages", "conversation")),
    RowFormat("sharegpt.load_role", read_turns, _CONVERSATIONS, turns={"from_key": "role"}),
    RowFormat(
        "sharegpt.load_guanaco", read_turns, _CONVERSATIONS, turns={"user_role": "prompter", "assistant_role": "assistant"}
    ),
    RowFormat(
        "pygmalion", read_turns, _CONVERSATIONS,
        turns={"from_key": "role", "user_role": "human", "assistant_role": "bot"},
    ),
)  # fmt: skip
