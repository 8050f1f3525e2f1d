"""Rows that no chat template may touch: text of their own, segments, ids made elsewhere; and prompt styles of plain text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from swift.llm.core import Encoded, Message, Segment
from swift.llm.dataset.formats.draft import BOS, EOS, Draft, RowFormat, Values, columns_of, needed
from swift.llm.dataset.turns import Lost, TurnOptions, check_text, kind, parse_json, text_of

__all__ = ["FORMATS", "STYLES", "Style", "as_text", "in_style"]

_UNTRAINED = -100


def as_text(draft: Draft) -> Draft:
    """A plain text as it is learnt: begun as the tokenizer begins texts, and ended."""
    draft.segments = (BOS, Segment(draft.messages[0].content, train=True), EOS)
    return draft


def _read_segments(values: Values, options: TurnOptions) -> Draft:
    """``segments``: the whole prompt, markers and end tokens included, as its author wrote it."""
    parts = parse_json(values["segments"], "segments")
    if not isinstance(parts, list | tuple):
        raise Lost(f"wrong type: segments is {kind(parts)}, expected a list of {{label, text}}")
    segments: list[Segment] = []
    trained = True
    for i, part in enumerate(parts, 1):
        if not isinstance(part, dict):
            raise Lost(f"wrong type: segment {i} is {kind(part)}, expected an object")
        label = part.get("label")
        if not isinstance(label, bool):
            raise Lost(f"wrong type: the label of segment {i} is {kind(label)}, expected true or false")
        text = text_of(part.get("text"), f"the text of segment {i}")
        check_text(text)
        if text:
            segments.append(Segment(text, train=label, special=True, cut=label and not trained))
            trained = label
    if not any(segment.train for segment in segments):
        raise Lost("no segment with label true")
    return Draft([], segments=tuple(segments))


def _read_metharme(values: Values, options: TurnOptions) -> Draft:
    """``prompt`` holds its own markers; the answer ends with three end tokens."""
    prompt, answer = needed(values, "prompt"), needed(values, "generation")
    segments = (BOS, Segment(prompt, special=True), Segment(answer, train=True, special=True, cut=True), EOS, EOS, EOS)
    return Draft([Message("user", prompt), Message("assistant", answer)], segments=segments)


def _read_completion(values: Values, options: TurnOptions) -> Draft:
    return Draft([Message("assistant", needed(values, "text"))], plain=True)


def _read_ids(values: Values, options: TurnOptions) -> Draft:
    """``input_ids`` with the mask of ``labels`` (-100: not trained) and without what ``attention_mask`` calls padding."""
    import numpy as np

    ids = _integers(values["input_ids"], "input_ids")
    labels = _integers(values["labels"], "labels") if "labels" in values else ids
    if len(labels) != len(ids):
        raise Lost(f"{len(ids)} input_ids and {len(labels)} labels")
    if "attention_mask" in values:
        mask = _integers(values["attention_mask"], "attention_mask")
        if len(mask) != len(ids):
            raise Lost(f"{len(ids)} input_ids and {len(mask)} entries of attention_mask")
        kept = [i for i, seen in enumerate(mask) if seen]
        ids, labels = [ids[i] for i in kept], [labels[i] for i in kept]
    if not ids:
        raise Lost("no input_ids")
    if min(ids) < 0 or max(ids) >= 1 << 31:
        raise Lost("input_ids are below 0 or beyond any vocabulary")
    for i, (id_, label) in enumerate(zip(ids, labels, strict=True)):
        if label not in (id_, _UNTRAINED):
            raise Lost(f"label {i} is {label}, neither its input id nor {_UNTRAINED}")
    trained = np.array([label != _UNTRAINED for label in labels], dtype=np.bool_)
    trained[0] = False
    return Draft([], encoded=Encoded(np.array(ids, dtype=np.int32), trained))


def _integers(value: Any, what: str) -> list[int]:
    value = parse_json(value, what)
    if not isinstance(value, list | tuple) or any(type(one) is not int for one in value):
        raise Lost(f"wrong type: {what} is {kind(value)}, expected a list of whole numbers")
    return list(value)


FORMATS = (
    RowFormat("completion", _read_completion, columns_of("text")),
    RowFormat("metharme", _read_metharme, columns_of("prompt generation")),
    RowFormat("input_output", _read_segments, columns_of("segments")),
    RowFormat("tokenized", _read_ids, columns_of("input_ids labels", "input_ids attention_mask"), auto=True),
)


@dataclass(frozen=True, slots=True)
class Style:
    """A prompt of plain text around the turns; ``join`` stands between an instruction and its input."""

    system: str
    user: str
    between: str
    join: str


STYLES: Mapping[str, Style] = {
    "instruct": Style("{}\n\n", "### Instruction:\n{}\n\n### Response:\n", "\n\n", "\n\n### Input:\n"),
    "chat": Style("SYSTEM: {}\n", "USER: {}\nASSISTANT: ", "\n", "\n"),
}
"""What ``type: name:style`` may name: it takes the place of the chat template."""


def in_style(draft: Draft, style: Style) -> Draft:
    """Write the turns in a style; answers and the end token after each are trained."""
    if draft.segments or draft.encoded is not None or draft.plain:
        raise Lost("a prompt style needs turns, and this row has none")
    segments: list[Segment] = [BOS]
    for message in draft.messages:
        if message.role == "tool" or message.tool_calls:
            raise Lost("a prompt style has no place for tools")
        if message.role == "system":
            segments.append(Segment(style.system.replace("{}", message.content)))
        elif message.role == "user":
            between = style.between if segments[-1] is EOS else ""
            segments.append(Segment(between + style.user.replace("{}", message.content)))
        else:
            trained = message.train is not False
            weight = 1.0 if message.weight is None else message.weight
            segments.append(Segment(message.content, train=trained, cut=True, weight=weight))
            segments.append(EOS if trained else Segment("{eos}", special=True))
    draft.segments = tuple(segments)
    return draft
