"""Hints: heard by the others, in order, and a gap where some were missed."""

import asyncio
from collections.abc import AsyncIterator

from runner.ports.fleet import News, NewsKind
from runner.store.hearing import MOST_WAITING
from tests.contract.fleets.worlds import PATIENCE_S, World, buried, fleet_of

OF_DAEMONS = {NewsKind.DAEMONS}


async def heard(listener: AsyncIterator[News], count: int = 1, but: set[NewsKind] = OF_DAEMONS) -> list[News]:
    """The next so many, without those kinds."""
    found: list[News] = []
    async with asyncio.timeout(PATIENCE_S):
        async for news in listener:
            if news.kind not in but:
                found.append(news)
            if len(found) == count:
                break
    return found


async def test_news_is_heard_by_the_others_and_not_by_oneself(world: World) -> None:
    one, two, three = [await world.join(name) for name in ("one", "two", "three")]
    listeners = [fleet_of(store).listen() for store in (one, two, three)]
    await fleet_of(one).tell([News(NewsKind.LANE, "lane-1")])
    said = News(NewsKind.LANE, "lane-1", fleet_of(one).daemon)
    assert await heard(listeners[1]) == [said]
    assert await heard(listeners[2]) == [said]
    await fleet_of(two).tell([News(NewsKind.WORK)])
    assert await heard(listeners[0]) == [News(NewsKind.WORK, "", fleet_of(two).daemon)]


async def test_all_kinds_are_told_in_order_with_their_texts(world: World) -> None:
    one, two = [await world.join(name) for name in ("one", "two")]
    listener = fleet_of(two).listen()
    told = [
        News(kind, f"b|c|ü'\"{kind}") for kind in NewsKind if kind not in (NewsKind.GAP, NewsKind.DAEMONS)
    ]
    await fleet_of(one).tell(told[:3])
    await fleet_of(one).tell(told[3:])
    found = await heard(listener, len(told))
    assert [(news.kind, news.text) for news in found] == [(news.kind, news.text) for news in told]
    assert {news.daemon for news in found} == {fleet_of(one).daemon}


async def test_many_long_hints_come_whole(world: World) -> None:
    one, two = [await world.join(name) for name in ("one", "two")]
    listener = fleet_of(two).listen()
    texts = [f"{number}|" + "x" * 900 for number in range(100)]
    await fleet_of(one).tell([News(NewsKind.LANE, text) for text in texts])
    assert [news.text for news in await heard(listener, 100)] == texts


async def test_who_does_not_listen_in_time_hears_of_a_gap(world: World) -> None:
    one, two = [await world.join(name) for name in ("one", "two")]
    slow, quick = fleet_of(two).listen(), fleet_of(two).listen()
    count = MOST_WAITING + 10

    async def tell_all() -> None:
        for number in range(0, count, 50):
            texts = range(number, min(number + 50, count))
            await fleet_of(one).tell([News(NewsKind.LANE, str(text)) for text in texts])
            await heard(quick, len(texts))

    await tell_all()
    [first, second] = await heard(slow, 2)
    assert first == News(NewsKind.GAP)
    assert (second.kind, int(second.text)) >= (NewsKind.LANE, MOST_WAITING)


async def test_a_daemon_that_comes_or_is_buried_is_news(world: World) -> None:
    one, two = [await world.join(name) for name in ("one", "two")]
    listener = fleet_of(two).listen()
    three = await world.join("three")
    gone = fleet_of(three).daemon
    assert await heard(listener, but=set()) == [News(NewsKind.DAEMONS, "", gone)]
    await world.kill(three)
    await buried(one, gone)
    assert await heard(listener, but=set()) == [News(NewsKind.DAEMONS, "", fleet_of(one).daemon)]


async def test_listening_ends_with_the_store(world: World) -> None:
    one = await world.join("one")
    listener = fleet_of(one).listen()
    await one.close()
    async with asyncio.timeout(PATIENCE_S):
        assert [news async for news in listener if news.kind is not NewsKind.DAEMONS] == []


async def test_a_hint_of_one_that_cannot_be_heard_is_lost_without_a_word(world: World) -> None:
    one, two = [await world.join(name) for name in ("one", "two")]
    listener = fleet_of(two).listen()
    await world.kill(one)
    await fleet_of(one).tell([News(NewsKind.WORK)])
    await buried(two, fleet_of(one).daemon)
    three = await world.join("three")
    await fleet_of(three).tell([News(NewsKind.SENDS)])
    assert [news.kind for news in await heard(listener)] == [NewsKind.SENDS]
