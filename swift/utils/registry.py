"""Rows by name, and what to say when a name is unknown. Does not know what a row is or what it points at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

from swift.utils.errors import ArgumentError

__all__ = ["Registry", "nearest", "unknown"]


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str:
        """The key of the row."""
        ...


RowT = TypeVar("RowT", bound=Named)


def nearest(name: str, candidates: Iterable[str], limit: int = 3) -> list[str]:
    """Return up to `limit` candidates that look like `name`, best first; case, dashes and underscores do not
    count.
    """
    import difflib  # only on the way to an error message

    def fold(text: str) -> str:
        return text.casefold().replace("-", "_")

    folded: dict[str, list[str]] = {}
    for candidate in candidates:
        folded.setdefault(fold(candidate), []).append(candidate)
    wanted = fold(name)
    matches = difflib.get_close_matches(wanted, folded, n=limit, cutoff=0.6)
    if len(wanted) >= 3:  # `lora` is far from `lora_rank` by edit distance, and still what is meant
        starts = [key for key in sorted(folded) if key.startswith(wanted) or (wanted.startswith(key) and len(key) >= 3)]
        matches += [key for key in starts if key not in matches]
    return [original for key in matches for original in folded[key]][:limit]


def unknown(kind: str, name: str, candidates: Iterable[str]) -> str:
    """Build "unknown model_type 'qwen2'; did you mean 'qwen2-7b'?"; a short list is shown whole if nothing is
    near.
    """
    names = list(candidates)
    near = nearest(name, names)
    message = f"unknown {kind} {name!r}"
    if near:
        return f"{message}; did you mean {_either(near)}?"
    if 0 < len(names) <= 12:
        return f"{message}; known: {', '.join(sorted(names))}"
    return message


def _either(names: list[str]) -> str:
    quoted = [repr(name) for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


class Registry(Mapping[str, RowT]):
    """A mapping of rows that only grows, and only until it is frozen.

    ``fill``, where given, yields the first rows with the place of each; it is called when a row is first
    asked for.
    """

    def __init__(
        self,
        kind: str,
        rows: Iterable[RowT] = (),
        *,
        source: str = "swift",
        fill: Callable[[], Iterable[tuple[RowT, str]]] | None = None,
    ) -> None:
        self.kind = kind
        self._fill = fill
        self._known: dict[str, RowT] = {}
        self._sources: dict[str, str] = {}
        self._frozen = False
        for row in rows:
            self.register(row, source=source)

    @property
    def _rows(self) -> dict[str, RowT]:
        if self._fill is not None:
            fill, self._fill = self._fill, None
            for row, source in fill():
                self.register(row, source=source)
        return self._known

    def register(self, row: RowT, *, source: str) -> RowT:
        """Add `row`; `source` is the place that a later duplicate is told about.

        Raises ArgumentError if the name is taken, or if a run has begun and the rows are fixed.
        """
        name = row.name
        if self._frozen:
            raise ArgumentError(
                f"{self.kind} {name!r} (from {source}) comes too late: rows are fixed once a run has begun. "
                "Register it in the file given with --custom_register_path."
            )
        if name in self._rows:
            raise ArgumentError(
                f"{self.kind} {name!r} is registered twice: in {self._sources[name]} and in {source}. "
                "Rename one of them."
            )
        self._rows[name] = row
        self._sources[name] = source
        return row

    def freeze(self) -> None:
        """Refuse any further row."""
        self._frozen = True

    @property
    def frozen(self) -> bool:
        """Whether rows are fixed."""
        return self._frozen

    def source(self, name: str) -> str:
        """Return the place where the row was registered."""
        self.find(name)
        return self._sources[name]

    def find(self, name: str) -> RowT:
        """Return the row, or raise ArgumentError with the nearest names."""
        try:
            return self._rows[name]
        except KeyError:
            raise ArgumentError(unknown(self.kind, name, self._rows)) from None

    def __getitem__(self, name: str) -> RowT:
        try:
            return self._rows[name]
        except KeyError:
            raise KeyError(unknown(self.kind, name, self._rows)) from None

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"<Registry of {len(self)} {self.kind} rows>"
