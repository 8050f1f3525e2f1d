"""Who holds which block of the pool, what is kept of those that ended, and what a new request finds there already.

Keys and values depend on all tokens before them, so what two texts share is their beginning. Beginnings are found by
chained hashes of ``_PIECE`` tokens, and compared token by token before anything is taken over. A conversation that goes on
takes its block over as it is; a beginning that others need too is copied, which costs a hundredth of reading it again.
Knows no tensor and no model: ``copy`` is the caller's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence

from swift.llm.engine.blocks import Block, Blocks

__all__ = ["Cache", "Held"]

_PIECE = 16  # tokens of one hash; a shorter beginning is not worth looking for


class Held:
    """A block and the ``tokens`` it belongs to, of which the first ``count`` are in it.

    ``key``: what else the values depend on (adapter, rope frequencies, images); None: they are of no use to anybody else.
    ``offset``: how far the positions of tokens behind them are from their places (images may take fewer, or more).
    """

    __slots__ = ("block", "count", "key", "marks", "offset", "tokens")

    def __init__(self, block: Block, tokens: list[int], count: int, key: Hashable | None) -> None:
        self.block, self.tokens, self.count, self.key = block, tokens, count, key
        self.marks: list[int] = []
        self.offset = 0


class Cache:
    """The blocks of requests that run, and of as many that ended as there is room for, the longest unused given up first.

    ``copy(source, target, count)`` copies tokens within the pool.
    """

    def __init__(self, blocks: Blocks, copy: Callable[[int, int, int], None]) -> None:
        self.blocks = blocks
        self._copy = copy
        self._kept: OrderedDict[Held, None] = OrderedDict()
        self._found: dict[int, dict[Held, None]] = {}
        self._num_held = 0

    @property
    def used(self) -> float:
        """Share of the places that requests hold which run, 0 to 1."""
        return self._num_held / self.blocks.num_places

    def open(self, tokens: list[int], key: Hashable | None, num_reusable: int, least: int = 0) -> Held | None:
        """A block with room for ``tokens``, holding already what was found of the first ``num_reusable``.

        What was found is nothing where it is less than the ``least``. None where there is no room, even with nothing kept.
        ``tokens`` may grow; `grow` follows.
        """
        best, shared = self._best(tokens, key, num_reusable)
        if shared < least:
            best, shared = None, 0
        if best is not None and best in self._kept:
            self._kept.move_to_end(best)
            if shared == best.count:
                return self._take_over(best, tokens)
        block = self._take(len(tokens), best)
        if block is None:
            if best is None or best not in self._kept:
                return None
            # Room for its copy is wanting: the beginning goes to this request, the rest of what was kept is lost.
            best.count, best.tokens = shared, best.tokens[:shared]
            self._forget_marks(best, shared // _PIECE)
            return self._take_over(best, tokens)
        held = Held(block, tokens, shared, key)
        if best is not None and shared:
            self._copy(best.block.start, block.start, shared)
            held.offset = best.offset
        self._num_held += block.size
        self._mark(held)
        return held

    def awaits(self, tokens: Sequence[int], key: Hashable | None) -> bool:
        """Whether a running request is about to read a beginning of ``tokens`` that is worth waiting for."""
        if key is None:
            return False
        ready = promised = 0
        for number, candidates in enumerate(self._levels(tokens, key, len(tokens) - 1), 1):
            promised = number
            if any(held.count >= number * _PIECE for held in candidates):
                ready = number
        return promised - ready >= 2

    def grow(self, held: Held, count: int) -> bool:
        """Make room for ``count`` tokens, in place where that is possible. False where there is none."""
        while held.block.size < count:
            wider = self.blocks.widen(held.block)
            if wider is None:
                wider = self.blocks.take(count)
                if wider is None:
                    if not self._give_up():
                        return False
                    continue
                self._copy(held.block.start, wider.start, held.count)
                self.blocks.give(held.block)
            elif wider.start != held.block.start:
                self._copy(held.block.start, wider.start, held.count)
            self._num_held += wider.size - held.block.size
            held.block = wider
        self._mark(held)
        return True

    def close(self, held: Held, *, keep: bool) -> None:
        """A request ended; ``keep`` what it read, for as long as nobody needs the room."""
        self._num_held -= held.block.size
        if keep and held.key is not None and held.count >= _PIECE:
            held.tokens = held.tokens[: held.count]
            self._forget_marks(held, held.count // _PIECE)
            held.block = self.blocks.narrow(held.block, held.count)
            self._kept[held] = None
        else:
            self._forget_marks(held, 0)
            self.blocks.give(held.block)

    def drop(self, is_stale: Callable[[Hashable], bool]) -> None:
        """Give up what is kept of keys that nobody will ask for again."""
        for held in [held for held in self._kept if is_stale(held.key)]:
            self._free(held)

    def _free(self, held: Held) -> None:
        del self._kept[held]
        self._forget_marks(held, 0)
        self.blocks.give(held.block)

    def _take_over(self, held: Held, tokens: list[int]) -> Held | None:
        del self._kept[held]
        self._num_held += held.block.size
        before, held.tokens = held.tokens, tokens
        if self.grow(held, len(tokens)):
            return held
        held.tokens = before
        self._num_held -= held.block.size
        self._kept[held] = None
        return None

    def _take(self, count: int, spared: Held | None) -> Block | None:
        while True:
            block = self.blocks.take(count)
            if block is not None:
                return block
            if not self._give_up(spared):
                return None

    def _give_up(self, spared: Held | None = None) -> bool:
        """Free the longest unused of what is kept, ``spared`` excepted."""
        held = next((held for held in self._kept if held is not spared), None)
        if held is None:
            return False
        self._free(held)
        return True

    def _best(self, tokens: Sequence[int], key: Hashable | None, limit: int) -> tuple[Held | None, int]:
        """Whoever holds the longest beginning of ``tokens``, and how much of it, at most ``limit``."""
        best, shared = None, 0
        if key is None:
            return best, shared
        for number, candidates in enumerate(self._levels(tokens, key, limit), 1):
            # The last that fits: of two alike, the one that was used last.
            found = [held for held in candidates if held.count >= number * _PIECE]
            if found:
                best, shared = found[-1], number * _PIECE
        if best is None or best.tokens[:shared] != list(tokens[:shared]):
            return None, 0
        limit = min(limit, best.count)
        while shared < limit and best.tokens[shared] == tokens[shared]:
            shared += 1
        return best, shared

    def _levels(self, tokens: Sequence[int], key: Hashable, limit: int) -> list[dict[Held, None]]:
        """Who has the first piece of ``tokens``, the first two, and so on."""
        levels, mark = [], hash(key)
        for start in range(0, limit - _PIECE + 1, _PIECE):
            mark = hash((mark, tuple(tokens[start : start + _PIECE])))
            candidates = self._found.get(mark)
            if candidates is None:
                break
            levels.append(candidates)
        return levels

    def _mark(self, held: Held) -> None:
        """Let all whole pieces of its tokens be found, those too that it is about to read."""
        if held.key is None:
            return
        for start in range(len(held.marks) * _PIECE, len(held.tokens) - _PIECE + 1, _PIECE):
            before = held.marks[-1] if held.marks else hash(held.key)
            mark = hash((before, tuple(held.tokens[start : start + _PIECE])))
            held.marks.append(mark)
            self._found.setdefault(mark, {})[held] = None

    def _forget_marks(self, held: Held, left: int) -> None:
        for mark in held.marks[left:]:
            candidates = self._found[mark]
            candidates.pop(held, None)
            if not candidates:
                del self._found[mark]
        del held.marks[left:]
