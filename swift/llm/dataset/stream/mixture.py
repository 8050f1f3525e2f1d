"""Which row comes next when several sources are read side by side; knows no sample and no token.

A *cursor* is the place of one source. All rules depend on cursors alone, so that any machine goes on from any
place in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from swift.llm.dataset.mix import next_turn
from swift.llm.dataset.readers import Position
from swift.llm.dataset.source import Source
from swift.utils.errors import DataError

__all__ = ["Cursor", "Mixture", "Row", "cursor_from"]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where one source goes on: behind ``at`` (None: its beginning). ``taken`` rows of this pass were read, after ``passes``
    whole passes; ``given`` of all passes. ``done``: this pass is over, and waits for those of the other sources.
    """

    at: Position | None = None
    taken: int = 0
    passes: int = 0
    given: int = 0
    done: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return asdict(self)


def cursor_from(values: Mapping[str, Any]) -> Cursor:
    """The inverse of ``Cursor.to_json``."""
    at = values["at"]
    return Cursor(**{**values, "at": None if at is None else Position(**at)})


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it was read: ``source`` is the number of its source, ``number`` its own there, from 0; ``first_pass``: nobody
    has read it before.
    """

    source: int
    file: int
    line: int
    number: int
    values: Any
    first_pass: bool


class Mixture:
    """The sources of a stream and where each of them stands.

    ``strategy``: None takes a row of each in turn, and one that ends early waits for the others; ``concat`` reads them
    one after the other; ``interleave_over`` reads them in the proportion of ``weights``, and one that ends begins again by
    itself. A source with a ``count`` gives that many rows a pass. ``origins`` are where passes begin (behind what validates).
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        strategy: str | None = None,
        weights: Sequence[float] = (),
    ) -> None:
        self.sources = tuple(sources)
        self.strategy = strategy
        self.origins: tuple[Cursor, ...] = tuple(Cursor() for _ in sources)
        self.cursors = list(self.origins)
        self._weights = tuple(weights) or (1.0,) * len(self.sources)
        self._open: list[Iterator[tuple[Position, int, Any]] | None] = [None] * len(self.sources)

    def begin_here(self) -> None:
        """Let every later pass begin where the sources stand now."""
        self.origins = tuple(replace(cursor, done=False) for cursor in self.cursors)

    def go_to(self, cursors: Sequence[Cursor]) -> None:
        """Go on from there."""
        self.cursors = list(cursors)
        self._open = [None] * len(self.sources)

    def take(self, number: int) -> list[Row]:
        """The next ``number`` rows; fewer where a pass ends, so that none comes again before all have come.

        Raises DataError where all sources together hold no row.
        """
        rows: list[Row] = []
        turns = self._turns()
        barren = 0  # sources in a row that began a pass and gave nothing
        while len(rows) < number:
            source = next(turns)
            row = self._next(source)
            if row is not None:
                rows.append(row)
                barren = 0
            elif self.strategy == "interleave_over":
                self._new_pass(source)
                barren += 1
            elif all(cursor.done for cursor in self.cursors):
                if rows:
                    break
                for i in range(len(self.sources)):
                    self._new_pass(i)
                barren += len(self.sources)
            if barren > 2 * len(self.sources):
                raise DataError(
                    f"the stream {', '.join(source.label for source in self.sources)} holds no row"
                    + (" beyond those that validate" if any(origin.at for origin in self.origins) else "")
                    + ". Check that these are the files you mean."
                )
        return rows

    def _turns(self) -> Iterator[int]:
        """The number of the source that is next, for ever; a place needs no pointer of its own, since cursors count."""
        while True:
            if self.strategy == "interleave_over":
                yield next_turn([cursor.given for cursor in self.cursors], self._weights)
                continue
            waiting = [i for i, cursor in enumerate(self.cursors) if not cursor.done]
            if self.strategy == "concat" or not waiting:
                yield waiting[0] if waiting else 0
            else:
                yield min(waiting, key=lambda i: (self.cursors[i].taken - self.origins[i].taken, i))

    def _next(self, number: int) -> Row | None:
        cursor, source = self.cursors[number], self.sources[number]
        if cursor.done:
            return None
        if not 0 <= source.count <= cursor.taken:
            rows = self._open[number]
            if rows is None:
                rows = self._open[number] = source.stream(cursor.at)
            found = next(rows, None)
            if found is not None:
                at, line, values = found
                self.cursors[number] = replace(cursor, at=at, taken=cursor.taken + 1, given=cursor.given + 1)
                return Row(number, at.file, line, at.row - 1, values, cursor.passes == 0)
        self.cursors[number] = replace(cursor, done=True)
        return None

    def _new_pass(self, number: int) -> None:
        now = self.cursors[number]
        self.cursors[number] = replace(self.origins[number], passes=now.passes + 1, given=now.given)
        self._open[number] = None
