from __future__ import annotations

import pytest

from swift.llm.core import Sampling
from swift.llm.engine.blocks import Blocks
from swift.llm.engine.cache import Cache
from swift.llm.engine.protocol import GenerateRequest
from swift.llm.engine.schedule import PlaceError, Running, Schedule, Sight


def request(name: str, length: int, first: int = 0) -> Running:
    """A request whose prompt begins like no other's, unless ``first`` is given."""
    start = first or 1000 * (ord(name[0]) + 1)
    return Running(GenerateRequest(name, tuple(range(start, start + length)), Sampling()), 1000, lambda event: None)


def make(max_running: int, budget: int, places: int = 1024, largest: int = 256, *, whole: bool = False) -> Schedule:
    cache = Cache(Blocks(places, largest), lambda source, target, count: None)
    return Schedule(cache, max_running, budget, whole_prompts=whole)


class Shelf:
    """Counts what it is given to keep."""

    def __init__(self) -> None:
        self.lifted: list[int] = []
        self.returned = 0

    def lift(self, start: int, count: int) -> int:
        self.lifted.append(count)
        return count

    def put(self, start: int, layers: int) -> None:
        assert layers == self.lifted[-1]
        self.returned += 1


def read(step: list[tuple[Running, int]]) -> dict[str, int]:
    """Do what an engine does with a step: read it, add a token to each request that is up to date."""
    for item, count in step:
        assert item.held is not None
        item.held.count += count
        if item.pending == 0:
            item.tokens.append(7)
    return {item.request.id: count for item, count in step}


def test_answering_requests_go_before_prompts() -> None:
    schedule = make(4, 8)
    schedule.add(request("a", 3))
    assert read(schedule.next_step()) == {"a": 3}
    schedule.add(request("b", 20))
    assert read(schedule.next_step()) == {"a": 1, "b": 7}
    assert read(schedule.next_step()) == {"a": 1, "b": 7}
    assert read(schedule.next_step()) == {"a": 1, "b": 6}
    assert read(schedule.next_step()) == {"a": 1, "b": 1}


def test_whole_prompts_are_not_cut() -> None:
    schedule = make(4, 8, whole=True)
    schedule.add(request("a", 20))
    schedule.add(request("b", 3))
    assert read(schedule.next_step()) == {"a": 20}
    assert read(schedule.next_step()) == {"a": 1, "b": 3}


def test_no_more_than_max_running_join() -> None:
    schedule = make(2, 100)
    for name in "abc":
        schedule.add(request(name, 2))
    assert read(schedule.next_step()) == {"a": 2, "b": 2}
    schedule.remove(schedule.running[0])
    assert read(schedule.next_step()) == {"b": 1, "c": 2}


def test_the_youngest_makes_room_and_comes_back_with_its_answer() -> None:
    schedule = make(4, 100, places=64, largest=64)
    schedule.add(request("old", 31))
    schedule.add(request("young", 30))
    assert read(schedule.next_step()) == {"old": 31, "young": 30}  # half of the places each
    assert read(schedule.next_step()) == {"old": 1, "young": 1}
    assert read(schedule.next_step()) == {"old": 1}  # its 33rd token needs the other half
    (young,) = schedule.waiting
    assert (young.cached, len(young.tokens)) == (0, 32)
    schedule.remove(schedule.running[0])
    assert read(schedule.next_step()) == {"young": 32}


def test_images_are_read_whole_and_once() -> None:
    store = Shelf()
    cache = Cache(Blocks(64, 64), lambda source, target, count: None)
    schedule = Schedule(cache, 4, 8, store=store)
    schedule.add(request("old", 31))
    read(schedule.next_step())
    young = request("young", 20)
    young.sight = Sight("a picture", 15, {"pixels": 0})
    schedule.add(young)
    counts = [read(schedule.next_step()).get("young") for _ in range(3)]
    assert counts == [None, None, 20]
    assert young.sight.media is not None, "whoever reads it lets it go"
    young.sight.media = None
    while young in schedule.running:
        read(schedule.next_step())
    assert store.lifted == [young.aside.count if young.aside is not None else None] == [len(young.tokens) - 1]
    schedule.remove(schedule.running[0])
    assert read(schedule.next_step()) == {"young": 1}
    assert store.returned == 1


@pytest.mark.parametrize("broken", ["lift", "put"])
def test_who_cannot_be_put_aside_or_back_leaves_all_others_as_they_were(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: int) -> int:
        raise MemoryError

    store = Shelf()
    monkeypatch.setattr(store, broken, fail)
    blocks = Blocks(64, 64)
    schedule = Schedule(Cache(blocks, lambda source, target, count: None), 4, 100, store=store)
    young, third = request("young", 20), request("third", 4)
    young.sight = Sight("a picture", 15, {"pixels": 0})
    for item in (request("old", 31), young):
        schedule.add(item)
    read(schedule.next_step())
    young.sight.media = None
    schedule.add(third)
    with pytest.raises(PlaceError) as seen:
        while schedule:
            read(schedule.next_step())
            if young in schedule.waiting:
                schedule.remove(schedule.running[0])
    assert seen.value.item is young
    assert isinstance(seen.value.error, MemoryError)
    schedule.remove(young, keep=False)
    assert {*schedule.running, *schedule.waiting} >= {third}
    for item in (*schedule.running, *schedule.waiting):
        schedule.remove(item, keep=False)
    assert blocks.num_free == blocks.num_places


def test_a_prompt_whose_beginning_is_being_read_waits_for_it() -> None:
    schedule = make(4, 100)
    schedule.add(request("a", 80, first=5))
    schedule.add(request("b", 70, first=5))
    schedule.add(request("c", 4))
    assert read(schedule.next_step()) == {"a": 80, "c": 4}
    assert read(schedule.next_step()) == {"a": 1, "b": 1, "c": 1}
    assert schedule.running[-1].num_reused == 69


def test_what_ended_serves_what_begins_alike() -> None:
    schedule = make(4, 100)
    schedule.add(request("a", 40, first=5))
    read(schedule.next_step())
    schedule.remove(schedule.running[0])
    schedule.add(request("b", 60, first=5))
    assert read(schedule.next_step()) == {"b": 20}
    schedule.add(request("z", 40))
    assert read(schedule.next_step()) == {"b": 1, "z": 40}


def test_find_and_remove() -> None:
    schedule = make(1, 10)
    schedule.add(request("a", 1))
    schedule.add(request("b", 1))
    schedule.next_step()
    waiting = schedule.find("b")
    assert waiting is not None
    schedule.remove(waiting)
    assert schedule.find("b") is None
    assert len(schedule) == 1


@pytest.mark.parametrize("budget", [1, 2, 5])
def test_every_prompt_is_read_once_and_whole(budget: int) -> None:
    schedule = make(3, budget)
    items = [request("abcde"[i], 4 + i) for i in range(5)]
    for item in items:
        schedule.add(item)
    counts = {item.request.id: 0 for item in items}
    while schedule:
        for name, count in read(schedule.next_step()).items():
            counts[name] += count
        for item in [item for item in schedule.running if len(item.tokens) > len(item.request.prompt)]:
            schedule.remove(item)
    assert counts == {item.request.id: len(item.request.prompt) for item in items}
