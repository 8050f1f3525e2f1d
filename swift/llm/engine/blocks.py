"""Blocks of a pool of places, by halving and joining (Knowlton's buddy system, 1965). Plain numbers; knows no tensor.

All blocks of one size begin at multiples of it, so that neighbours of one size can be read together.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Block", "Blocks"]

_SMALLEST = 16  # tokens; the smallest size is from here to below twice this


class Block(NamedTuple):
    """``size`` places from ``start`` on."""

    start: int
    size: int


class Blocks:
    """``num_places`` places, given out in blocks of ``largest``, ``largest/2``, and so on.

    ``largest`` is rounded up so that it can be halved, but never above ``num_places``.
    """

    def __init__(self, num_places: int, largest: int) -> None:
        largest = min(largest, num_places)
        halvings = max(0, (largest // _SMALLEST).bit_length() - 1)
        unit = -(-largest >> halvings)
        while unit << halvings > num_places:
            unit -= 1
        self.sizes = [unit << k for k in range(halvings, -1, -1)]
        self.largest = self.sizes[0]
        self.num_places = 0
        self._free: dict[int, set[int]] = {size: set() for size in self.sizes}
        for size in self.sizes:
            while num_places - self.num_places >= size:
                self._free[size].add(self.num_places)
                self.num_places += size
        self.num_free = self.num_places

    def take(self, count: int) -> Block | None:
        """The smallest free block of at least ``count`` places, the first of that size; None where there is none."""
        size = self._size(count)
        source = next((s for s in reversed(self.sizes) if s >= size and self._free[s]), None)
        if source is None:
            return None
        start = min(self._free[source])
        self._free[source].discard(start)
        while source > size:
            source //= 2
            self._free[source].add(start + source)
        self.num_free -= size
        return Block(start, size)

    def give(self, block: Block) -> None:
        """Take a block back; free halves of one whole join."""
        self.num_free += block.size
        while block.size < self.largest and self._other(block) in self._free[block.size]:
            self._free[block.size].discard(self._other(block))
            block = Block(min(block.start, self._other(block)), block.size * 2)
        self._free[block.size].add(block.start)

    def widen(self, block: Block) -> Block | None:
        """The block of twice the size that ``block`` is half of, where the other half is free; None otherwise."""
        if block.size == self.largest or self._other(block) not in self._free[block.size]:
            return None
        self._free[block.size].discard(self._other(block))
        self.num_free -= block.size
        return Block(min(block.start, self._other(block)), block.size * 2)

    def narrow(self, block: Block, count: int) -> Block:
        """Give back what ``count`` places do not need; returns what is left, at the same start."""
        while block.size > self._size(count):
            half = block.size // 2
            self.num_free += half
            self._free[half].add(block.start + half)  # its other half is taken, so that there is nothing to join
            block = Block(block.start, half)
        return block

    def _size(self, count: int) -> int:
        return next((size for size in reversed(self.sizes) if size >= count), self.largest)

    def _other(self, block: Block) -> int:
        base = block.start - block.start % self.largest
        return base + (((block.start - base) // block.size) ^ 1) * block.size
