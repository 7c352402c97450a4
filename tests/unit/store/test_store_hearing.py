"""Hints as a listener takes them in: each once, in order, bounded."""

import asyncio
import gc

from runner.ports.fleet import News, NewsKind
from runner.store.hearing import MOST_WAITING, Ear, Ears


def lane(number: int) -> News:
    return News(NewsKind.LANE, str(number), 1)


async def taken(ear: Ear, count: int) -> list[News]:
    return [await anext(ear) for _ in range(count)]


async def test_a_hint_that_waits_waits_once() -> None:
    ear = Ear()
    ear.hear([lane(1), lane(2), lane(1)])
    assert await taken(ear, 2) == [lane(1), lane(2)]
    ear.hear([lane(1)])
    assert await taken(ear, 1) == [lane(1)]


async def test_too_many_different_ones_are_a_gap_and_what_came_after_it() -> None:
    ear = Ear()
    ear.hear(lane(number) for number in range(MOST_WAITING))
    ear.hear([lane(0)])
    ear.hear([lane(MOST_WAITING), lane(MOST_WAITING + 1)])
    assert await taken(ear, 3) == [News(NewsKind.GAP), lane(MOST_WAITING), lane(MOST_WAITING + 1)]


async def test_who_waits_is_woken() -> None:
    ears = Ears()
    ear = ears.listen()
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(taken(ear, 1))
        await asyncio.wait([waiting], timeout=0)
        ears.hear([lane(7)])
    assert waiting.result() == [lane(7)]


async def test_each_listener_hears_all_from_when_it_began() -> None:
    ears = Ears()
    early = ears.listen()
    ears.hear([lane(1)])
    late = ears.listen()
    ears.gap()
    assert await taken(early, 2) == [lane(1), News(NewsKind.GAP)]
    assert await taken(late, 1) == [News(NewsKind.GAP)]


async def test_a_listener_that_nobody_holds_is_forgotten() -> None:
    ears = Ears()
    kept = ears.listen()
    ears.listen()
    gc.collect()
    assert list(ears._ears) == [kept]


async def test_closing_gives_out_what_waits_and_ends() -> None:
    ears = Ears()
    ear = ears.listen()
    ears.hear([lane(1)])
    ears.close()
    assert [news async for news in ear] == [lane(1)]
    assert [news async for news in ears.listen()] == []
    ears.open()
    again = ears.listen()
    ears.hear([lane(2)])
    assert await taken(again, 1) == [lane(2)]
