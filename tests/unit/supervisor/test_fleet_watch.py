"""What a daemon hears of its fleet, who is buried, what it says of itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from runner.errors import StoreError
from runner.money.amounts import Money
from runner.ports.fleet import News, NewsKind
from runner.ports.observer import BoundBroken, DaemonGone, DaemonRenamed, Fault
from runner.store.memory.fleet import MemoryFleet
from runner.supervisor.facts import (
    MOST_CONNECTIONS,
    ConnectionFacts,
    DaemonFacts,
    from_json,
)
from runner.supervisor.fleet_watch import BURY_S, FAULT_WAIT_S, REPORT_S, FleetWatch, Routes
from runner.testing.clock import ManualClock
from runner.testing.observer import RecordingObserver

BROKEN = BoundBroken("bot", "t1-1", "fake", "model-1", Money(1), Money(2))


class Place:
    """Two daemons; `one` watches."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.failing: set[str] = set()
        self.fleet = MemoryFleet(self.clock, self.before)
        self.first, self.second = self.fleet.join("one"), self.fleet.join("two")
        assert self.first.fleet is not None
        assert self.second.fleet is not None
        self.one, self.two = self.first.fleet, self.second.fleet
        self.observer = RecordingObserver()
        self.heard: list[tuple[NewsKind, str]] = []
        self.learned = asyncio.Semaphore(0)
        self.facts = DaemonFacts(lanes=1)
        self.changed = asyncio.Event()

    def before(self, method: str) -> None:
        if method in self.failing:
            raise StoreError("the network is cut")

    def hear(self, kind: NewsKind, text: str) -> None:
        self.heard.append((kind, text))
        self.changed.set()
        self.changed = asyncio.Event()

    def broken(self, text: str) -> None:
        raise ValueError(text)

    async def learn(self) -> None:
        self.before("quarantined")
        self.learned.release()

    async def hears(self, kind: NewsKind, text: str) -> None:
        while (kind, text) not in self.heard:
            await self.changed.wait()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[FleetWatch]:
        await self.first.open()
        await self.second.open()
        watch = FleetWatch(self.one, self.clock, self.observer)
        routes = Routes(
            {
                NewsKind.LANE: (self.broken, lambda text: self.hear(NewsKind.LANE, text)),
                NewsKind.DAEMONS: (lambda text: self.hear(NewsKind.DAEMONS, text),),
            },
            self.learn,
        )
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(watch.run(routes, lambda: self.facts))
            await self.clock.asleep(2)
            yield watch
            running.cancel()


@pytest.fixture
def place() -> Place:
    return Place()


async def test_news_makes_those_look_whom_it_concerns_and_a_fault_of_one_is_no_others(place: Place) -> None:
    async with place.watching():
        await place.two.tell([News(NewsKind.WORK), News(NewsKind.LANE, "bot|chat|ada")])
        await place.hears(NewsKind.LANE, "bot|chat|ada")
        [fault] = place.observer.of(Fault)
        assert fault.why == "ValueError('bot|chat|ada')"


async def test_after_a_gap_all_look(place: Place) -> None:
    async with place.watching():
        place.first.ears.gap()
        await place.hears(NewsKind.LANE, "")
        await place.hears(NewsKind.DAEMONS, "")
        await place.learned.acquire()


async def test_a_dead_daemon_is_buried_told_and_makes_all_look(place: Place) -> None:
    async with place.watching():
        place.fleet.kill(place.second)
        place.clock.advance(BURY_S)
        await place.hears(NewsKind.DAEMONS, "")
        [gone] = await place.observer.until(DaemonGone)
        assert gone == DaemonGone(2, "two")


async def test_who_said_that_it_stops_is_known_to_have_stopped(place: Place) -> None:
    async with place.watching():
        await place.two.report(DaemonFacts(stopping=True).to_json())
        await place.second.close()
        place.clock.advance(BURY_S)
        [gone] = await place.observer.until(DaemonGone)
        assert gone == DaemonGone(2, "two", stopped=True)


async def test_a_store_that_fails_is_told_once_until_it_works_again(place: Place) -> None:
    async with place.watching():
        for _ in range(2):
            place.failing.add("bury")
            for _ in range(3):
                place.clock.advance(BURY_S)
                await place.clock.asleep(2)
            place.failing.clear()
            place.clock.advance(BURY_S)
            await place.clock.asleep(2)
        assert [fault.where for fault in place.observer.of(Fault)] == ["fleet"] * 2


async def test_who_was_taken_for_dead_says_so_and_reports_anew(place: Place) -> None:
    async with place.watching():
        place.fleet.hang(place.first)
        await place.two.bury()
        place.clock.advance(REPORT_S)
        await place.observer.until(DaemonRenamed)
        await place.clock.asleep(2)
        assert place.observer.of(DaemonRenamed) == [DaemonRenamed(1, 3)]
        place.clock.advance(REPORT_S)
        await place.clock.asleep(2)
        lines = {line.id: line for line in await place.one.daemons()}
        assert from_json(lines[3].facts) == place.facts


async def test_facts_are_reported_when_they_change(place: Place) -> None:
    async with place.watching():
        told: list[str] = []
        report = place.one.report

        async def counted(facts: str) -> None:
            told.append(facts)
            await report(facts)

        place.one.report = counted  # type: ignore[method-assign]
        for lanes in (1, 1, 2, 2):
            place.facts = DaemonFacts(lanes=lanes)
            place.clock.advance(REPORT_S)
            await place.clock.asleep(2)
        assert [from_json(each).lanes for each in told] == [2]


async def test_a_model_that_is_set_aside_here_is_told_and_what_others_set_aside_is_learned(
    place: Place,
) -> None:
    ears = place.second.ears
    async with place.watching() as watch:
        heard = aiter(ears.listen())
        watch.note(BROKEN)
        assert (await anext(heard)).kind is NewsKind.MODELS
        await place.learned.acquire()
        place.failing.add("quarantined")
        await place.two.tell([News(NewsKind.MODELS)])
        await place.observer.until(Fault)
        place.failing.clear()
        place.clock.advance(FAULT_WAIT_S)
        await place.learned.acquire()


# ── facts ────────────────────────────────────────────────────────────────────────────────────────────────
def a_connection(number: int = 1, state: str = "up", *, held: bool | None = None) -> ConnectionFacts:
    return ConnectionFacts(f"bot{number}", "chat", "telegram", state, "why", 7, held)


def test_facts_come_back_as_they_were_told() -> None:
    facts = DaemonFacts(
        (a_connection(held=True), a_connection(2, "down")),
        3,
        ("work batches",),
        4,
        5,
        6,
        "x",
        "abc",
        stopping=True,
    )
    assert from_json(facts.to_json()) == facts


def test_of_many_connections_those_in_need_are_told() -> None:
    many = tuple(a_connection(number) for number in range(MOST_CONNECTIONS))
    told = from_json(DaemonFacts((*many, a_connection(-1, "refused"))).to_json())
    assert told.connections[0].bot == "bot-1"
    assert (len(told.connections), told.more_connections) == (MOST_CONNECTIONS, 1)


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("{}", DaemonFacts()),
        ("[", DaemonFacts()),
        ("[]", DaemonFacts()),
        ('{"lanes": 3, "waiting": "many", "colour": "red"}', DaemonFacts(lanes=3)),
        ('{"connections": 1, "duties": 2}', DaemonFacts()),
        (
            '{"connections": [1, {"bot": "a"}, {"bot": "a", "channel": "b", "platform": "c", "state": "up"}]}',
            DaemonFacts((ConnectionFacts("a", "b", "c", "up"),)),
        ),
    ],
)
def test_what_another_version_says_is_read_as_far_as_it_can_be(text: str, facts: DaemonFacts) -> None:
    assert from_json(text) == facts
