"""Pieces of text to tokens and mask, in bulk. Knows no row and no conversation.

Control tokens of the template become ids directly; the plain text between two of them is a *run*. A run is cut into parts
where the loss mask changes and where generation would start. Parts are joined and encoded together, as the upstream
tokenizer does, as long as the ids of the left side are a prefix of the ids of the whole; where they are not (a token would
cross the border), the right side is encoded apart. Every decision looks only at what stands to its left and at the part in
question, so the ids of a prompt are always a prefix of the ids of the sample that goes on from it. A change of weight
alone cuts nothing: each token takes the weight of the place where its text begins, so weights change no ids.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from swift.llm.template.render import CUT, PLAIN, Atom
from swift.llm.tokenizer import TextTokenizer

# Weights inside one part: where each ends (characters of the part), and the weight up to there.
Spans: TypeAlias = tuple[tuple[int, float], ...]
Part: TypeAlias = tuple[str, bool, float | Spans]
# The ids of a part, the text that was encoded in front of it to get them, and whether that text went on from other text.
Piece: TypeAlias = tuple[list[int], str, bool]
Control: TypeAlias = tuple[int, bool, float]
Run: TypeAlias = tuple[list[Part], bool]

# White space as the tokenizers library strips it beside a marker (Unicode White_Space; str.strip() knows four more).
_SPACE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
# How many borders one run may hold before it is cut for good: bounds the work for formats without control tokens.
_JOINED = 4


@dataclass(frozen=True, slots=True)
class Tokens:
    """A chunk of rows laid flat: ``ids`` (ΣT,) int32, ``trained`` (ΣT,) bool, ``weights`` (ΣT,) float32 or None (all ones);
    row i is ``starts[i]:starts[i + 1]``.
    """

    ids: npt.NDArray[np.int32]
    trained: npt.NDArray[np.bool_]
    weights: npt.NDArray[np.float32] | None
    starts: list[int]


class Encoder:
    """Encodes rows of atoms with one tokenizer; `permissive` reads control tokens in any text."""

    def __init__(self, tokenizer: TextTokenizer, permissive: bool) -> None:
        self._tokenizer = tokenizer.permissive if permissive else tokenizer
        self._mark = tokenizer.space_mark
        ids = tokenizer.special_tokens
        added = tokenizer.added_tokens
        self._eats_right = {ids[text] for text, token in added.items() if text in ids and token.rstrip}
        self._eats_left = {ids[text] for text, token in added.items() if text in ids and token.lstrip}

    def encode(self, rows: Sequence[Sequence[Atom]]) -> Tokens:
        """Encode a chunk; one call into the tokenizer's threads for all of its text."""
        planned, texts, going_on = self.plan(rows)
        return self.assemble(planned, self.look_up(texts, going_on))

    def plan(self, rows: Sequence[Sequence[Atom]]) -> tuple[list[list[Control | Run]], list[str], list[str]]:
        """Cut rows into control tokens and runs; also the texts to encode, those that begin anew and those that go on."""
        anew: dict[str, None] = {}
        on: dict[str, None] = {}
        planned = []
        strips = self._eats_left or self._eats_right
        for atoms in rows:
            items = self._items(self._stripped(atoms) if strips else atoms)
            planned.append(items)
            for item in items:
                if len(item) == 3:
                    continue
                parts, goes_on = item
                wanted = on if goes_on else anew
                if len(parts) == 1:
                    wanted[parts[0][0]] = None
                else:
                    wanted.update(dict.fromkeys(accumulate(part[0] for part in parts[: _JOINED + 1])))
        return planned, list(anew), list(on)

    def look_up(self, anew: list[str], on: list[str]) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        """Encode the texts; the tokenizer's threads work without the interpreter's lock."""
        tokenizer = self._tokenizer
        first = tokenizer.bulk.encode(anew) if anew else []
        rest = tokenizer.bulk_continuing.encode(on) if on else []
        return dict(zip(anew, first, strict=True)), dict(zip(on, rest, strict=True))

    def assemble(
        self, planned: list[list[Control | Run]], found: tuple[dict[str, list[int]], dict[str, list[int]]]
    ) -> Tokens:
        """Put the ids together and repeat mask and weight over each part."""
        anew, on = found
        ids: list[int] = []
        lengths: list[int] = []
        flags: list[bool] = []
        weights: list[float] = []
        starts = [0]
        for items in planned:
            for item in items:
                if len(item) == 3:
                    id_, trained, weight = item
                    ids.append(id_)
                    lengths.append(1)
                    flags.append(trained)
                    weights.append(weight)
                    continue
                parts, goes_on = item
                table = on if goes_on else anew
                if len(parts) == 1:
                    pieces: Sequence[Piece] = ((table[parts[0][0]], "", goes_on),)
                else:
                    pieces = self._join(parts, table, goes_on)
                for piece, (text, trained, scale) in zip(pieces, parts, strict=True):
                    count = len(piece[0])
                    ids += piece[0]
                    if isinstance(scale, tuple):
                        lengths += [1] * count
                        flags += [trained] * count
                        weights += self._spread(piece, text, scale)
                    else:
                        lengths.append(count)
                        flags.append(trained)
                        weights.append(scale)
            starts.append(len(ids))
        trained_array = np.repeat(np.array(flags, dtype=np.bool_), lengths)
        begins = np.array(starts[:-1], dtype=np.int64)
        trained_array[begins[begins < len(ids)]] = False
        scales = None
        if not set(weights) <= {1.0}:
            scales = np.repeat(np.array(weights, dtype=np.float32), lengths)
            trained_array &= scales != 0  # no part of the loss, and not counted in its mean
        return Tokens(np.frombuffer(array("i", ids), dtype=np.int32), trained_array, scales, starts)

    def _items(self, atoms: Sequence[Atom]) -> list[Control | Run]:
        items: list[Control | Run] = []
        parts: list[Part] | None = None
        border = False
        first_only = self._mark == "first"
        for text, id_, trained, weight in atoms:
            if id_ == PLAIN:
                if not text:
                    continue
                if parts is None:
                    parts = [(text, trained, weight)]
                    items.append((parts, first_only and bool(items)))
                else:
                    before, was_trained, was_weight = parts[-1]
                    if border or was_trained is not trained:
                        parts.append((text, trained, weight))
                    elif was_weight == weight or not trained:
                        parts[-1] = (before + text, trained, was_weight)
                    else:
                        length = len(before)
                        spans = was_weight if isinstance(was_weight, tuple) else ((length, was_weight),)
                        parts[-1] = (before + text, trained, (*spans, (length + len(text), weight)))
                border = False
            elif id_ == CUT[1]:
                border = True
            else:
                items.append((id_, trained, weight))
                parts = None
                border = False
        return items

    def _stripped(self, atoms: Sequence[Atom]) -> list[Atom]:
        """Let markers that are declared so take the white space beside them, never across the start of an answer to the left."""
        out: list[Atom] = []
        eating = False
        for atom in atoms:
            text, id_, trained, weight = atom
            if id_ == PLAIN:
                if eating:
                    text = text.lstrip(_SPACE)
                    eating = not text
                if text:
                    out.append((text, PLAIN, trained, weight))
                continue
            if id_ in self._eats_left:
                while out and out[-1][1] == PLAIN:
                    kept, _, was_trained, was_weight = out.pop()
                    kept = kept.rstrip(_SPACE)
                    if kept:
                        out.append((kept, PLAIN, was_trained, was_weight))
                        break
            if id_ != CUT[1]:
                eating = id_ in self._eats_right
            out.append(atom)
        return out

    def _join(self, parts: list[Part], table: dict[str, list[int]], goes_on: bool) -> list[Piece]:
        """The ids of each part. `table` holds those of the joined beginnings of the run."""
        joined = parts[0][0]
        ids = table[joined]
        out: list[Piece] = [(ids, "", goes_on)]
        for number in range(1, len(parts)):
            before, known = joined, ids
            joined += parts[number][0]
            found = table[joined] if number <= _JOINED else None
            if found is None or found[: len(known)] != known:
                return out + self._apart(parts[number:])
            ids = found
            out.append((ids[len(known) :], before, goes_on))
        return out

    def _apart(self, parts: list[Part]) -> list[Piece]:
        """Encode parts that follow a border which no token may cross: they go on, so no space mark is put before them."""
        backend = self._tokenizer.continuing
        joins = list(accumulate(part[0] for part in parts[: _JOINED + 1]))
        encoded = backend.encode_batch_fast(joins, add_special_tokens=False)
        return self._join(parts, {text: encoding.ids for text, encoding in zip(joins, encoded, strict=True)}, True)

    def _spread(self, piece: Piece, text: str, spans: Spans) -> list[float]:
        """The weight of each token of a part that has several: that of its first character that is no white space."""
        ids, before, goes_on = piece
        if not ids:
            return []
        backend = self._tokenizer.continuing if goes_on else self._tokenizer.backend
        joined = before + text
        offsets = backend.encode(joined, add_special_tokens=False).offsets[-len(ids) :]
        ends = [len(before) + end for end, _ in spans]
        places = [start + _leading_space(joined[start:end]) for start, end in offsets]
        return [spans[min(bisect_right(ends, place), len(spans) - 1)][1] for place in places]


def _leading_space(text: str) -> int:
    """How many characters of white space stand in front; 0 where there is nothing else."""
    bare = text.lstrip()
    return len(text) - len(bare) if bare else 0
