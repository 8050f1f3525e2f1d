from __future__ import annotations

import pytest

from swift.llm.core import Sampling
from swift.llm.engine.protocol import GenerateRequest
from swift.llm.engine.schedule import Running, Schedule


def request(name: str, length: int, limit: int = 100) -> Running:
    return Running(GenerateRequest(name, tuple(range(length)), Sampling()), limit, lambda event: None)


def read(step: list[tuple[Running, int]]) -> dict[str, int]:
    """Do what an engine does with a step: read it, add a token to each request that is up to date."""
    for item, count in step:
        item.cached += count
        if item.pending == 0:
            item.tokens.append(7)
    return {item.request.id: count for item, count in step}


def test_answering_requests_go_before_prompts() -> None:
    schedule = Schedule(4, 8, None)
    schedule.add(request("a", 3))
    assert read(schedule.next_step()) == {"a": 3}
    schedule.add(request("b", 20))
    assert read(schedule.next_step()) == {"a": 1, "b": 7}
    assert read(schedule.next_step()) == {"a": 1, "b": 7}
    assert read(schedule.next_step()) == {"a": 1, "b": 6}
    assert read(schedule.next_step()) == {"a": 1, "b": 1}


def test_whole_prompts_are_not_cut() -> None:
    schedule = Schedule(4, 8, None, whole_prompts=True)
    schedule.add(request("a", 20))
    schedule.add(request("b", 3))
    assert read(schedule.next_step()) == {"a": 20}
    assert read(schedule.next_step()) == {"a": 1, "b": 3}


def test_no_more_than_max_running_join() -> None:
    schedule = Schedule(2, 100, None)
    for name in "abc":
        schedule.add(request(name, 2))
    assert read(schedule.next_step()) == {"a": 2, "b": 2}
    schedule.remove(schedule.running[0])
    assert read(schedule.next_step()) == {"b": 1, "c": 2}


def test_the_youngest_makes_room_and_comes_back_with_its_answer() -> None:
    schedule = Schedule(4, 100, 10)
    schedule.add(request("old", 4))
    schedule.add(request("young", 4))
    read(schedule.next_step())  # 5 and 5 tokens now
    read(schedule.next_step())  # 6 and 6: too many for the next
    assert read(schedule.next_step()) == {"old": 1}
    (young,) = schedule.waiting
    assert (young.cached, len(young.tokens)) == (0, 6)
    schedule.remove(schedule.running[0])
    assert read(schedule.next_step()) == {"young": 6}


def test_a_request_that_alone_exceeds_the_caches_still_runs() -> None:
    schedule = Schedule(4, 100, 10)
    schedule.add(request("big", 50))
    assert read(schedule.next_step()) == {"big": 50}
    assert read(schedule.next_step()) == {"big": 1}


def test_find_and_remove() -> None:
    schedule = Schedule(1, 10, None)
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
    schedule = Schedule(3, budget, None)
    items = [request(str(i), 4 + i) for i in range(5)]
    for item in items:
        schedule.add(item)
    counts = {item.request.id: 0 for item in items}
    while schedule:
        for name, count in read(schedule.next_step()).items():
            counts[name] += count
        for item in [item for item in schedule.running if len(item.tokens) > len(item.request.prompt)]:
            schedule.remove(item)
    assert counts == {item.request.id: len(item.request.prompt) for item in items}
