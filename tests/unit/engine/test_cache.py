"""Blocks and what is in them: no place twice, none lost, and what is found is what was written."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swift.llm.engine.blocks import Block, Blocks
from swift.llm.engine.cache import Cache, Held


@given(
    st.integers(2, 3000), st.integers(1, 3000), st.lists(st.tuples(st.integers(0, 3), st.integers(1, 400)), max_size=60)
)
@settings(max_examples=60, deadline=None)
def test_no_place_is_given_twice_and_none_is_lost(places: int, largest: int, moves: list[tuple[int, int]]) -> None:
    blocks = Blocks(places, largest)
    assert blocks.num_places <= places
    assert places - blocks.num_places < blocks.sizes[-1]
    taken: list[Block] = []
    for kind, count in moves:
        if kind == 0 or not taken:
            found = blocks.take(min(count, blocks.largest))
            taken += [found] if found is not None else []
        elif kind == 1:
            blocks.give(taken.pop(count % len(taken)))
        elif kind == 2:
            index = count % len(taken)
            taken[index] = blocks.widen(taken[index]) or taken[index]
        else:
            index = count % len(taken)
            taken[index] = blocks.narrow(taken[index], min(count, taken[index].size))
        used = sorted((block.start, block.start + block.size) for block in taken)
        assert all(end <= start for (_, end), (start, _) in pairwise(used))
        assert all(block.start % block.size == 0 for block in taken)
        assert blocks.num_free + sum(block.size for block in taken) == blocks.num_places
    for block in taken:
        blocks.give(block)
    whole = blocks.take(blocks.largest)
    assert whole is not None  # halves have joined again
    assert whole.size == blocks.largest


def make(places: int, largest: int) -> tuple[Cache, list[int]]:
    """A cache whose pool is a list of token ids."""
    pool = [-1] * places

    def copy(source: int, target: int, count: int) -> None:
        pool[target : target + count] = pool[source : source + count]

    return Cache(Blocks(places, largest), copy), pool


def read(pool: list[int], held: Held) -> None:
    start = held.block.start
    pool[start + held.count : start + len(held.tokens)] = held.tokens[held.count :]
    held.count = len(held.tokens)


def test_random_use_never_hands_out_other_tokens() -> None:
    """Requests come, grow, end and are aborted; what each holds is always the tokens that it should."""
    numbers = random.Random(0)
    cache, pool = make(640, 256)
    running: list[Held] = []
    systems = [[s * 1000 + i for i in range(50)] for s in range(3)]
    reused = 0
    for _ in range(1500):
        choice = numbers.random()
        if choice < 0.4 and len(running) < 6:
            key = (numbers.choice([None, 1]),)
            tokens = [*numbers.choice(systems)[: numbers.randint(1, 50)], *(numbers.randint(0, 3) for _ in range(20))]
            held = cache.open(tokens, key, len(tokens) - 1)
            if held is not None:
                reused += held.count
                read(pool, held)
                running.append(held)
        elif choice < 0.8 and running:
            held = numbers.choice(running)
            if len(held.tokens) < 250:
                held.tokens.append(numbers.randint(0, 3))
                if cache.grow(held, len(held.tokens)):
                    read(pool, held)
                else:
                    held.tokens.pop()
        elif running:
            cache.close(running.pop(numbers.randrange(len(running))), keep=numbers.random() < 0.8)
        for held in running:
            assert pool[held.block.start : held.block.start + held.count] == held.tokens[: held.count]
        assert cache.used == sum(held.block.size for held in running) / 640
    assert reused > 500
    for held in running:
        cache.close(held, keep=True)
    cache.drop(lambda key: True)
    assert cache.blocks.num_free == cache.blocks.num_places


def test_another_key_finds_nothing() -> None:
    cache, pool = make(256, 64)
    tokens = list(range(40))
    held = cache.open(tokens, (None,), 39)
    assert held is not None
    read(pool, held)
    cache.close(held, keep=True)
    for key, count in (((1,), 0), (None, 0), ((None,), 39)):
        other = cache.open(list(tokens), key, 39)
        assert other is not None
        assert other.count == count
        cache.close(other, keep=False)


def test_less_than_the_least_is_nothing() -> None:
    cache, pool = make(256, 64)
    held = cache.open(list(range(40)), (None,), 39)
    assert held is not None
    held.offset = -5
    read(pool, held)
    cache.close(held, keep=True)
    for least, count, offset in ((31, 0, 0), (30, 30, -5)):
        other = cache.open([*range(30), *range(90, 100)], (None,), 39, least)
        assert other is not None
        assert (other.count, other.offset) == (count, offset)
        cache.close(other, keep=False)


@pytest.mark.parametrize("length", [100, 128])
def test_what_is_kept_makes_room(length: int) -> None:
    cache, pool = make(128, 128)
    for start in range(4):
        held = cache.open(list(range(start * 500, start * 500 + 60)), (None,), 59)
        assert held is not None
        read(pool, held)
        cache.close(held, keep=True)
    assert cache.used == 0
    whole = cache.open(list(range(1500, 1500 + length)), (None,), length - 1)
    assert whole is not None
    assert whole.count == 60  # of the one that begins alike, though there was no room for a copy
    assert cache.open([1, 2], (None,), 1) is None
