"""Work under a lease: by one daemon at a time, and by the next one as soon as it may."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from runner.errors import StoreError
from runner.ports.fleet import NewsKind
from runner.ports.observer import Fault
from runner.store.memory.fleet import MemoryFleet, MemoryMember
from runner.supervisor.leases import AT_ONCE, LOOK_AGAIN_S, RENEW_S, SURE_S, TTL_MS, Leases
from runner.testing.clock import ManualClock
from runner.testing.observer import RecordingObserver

NAME = "work tests"


class Daemon:
    """One with leases, and work that runs until it is cancelled."""

    def __init__(self, fleet: MemoryFleet, name: str, clock: ManualClock) -> None:
        self.member: MemoryMember = fleet.join(name)
        self.clock = clock
        self.observer = RecordingObserver()
        assert self.member.fleet is not None
        self.fleet = self.member.fleet
        self.leases = Leases(self.member, self.fleet, clock, self.observer)
        self.begun = 0
        self.at_work = 0
        self.waited = 0
        self.over = asyncio.Event()

    async def work(self) -> None:
        self.begun += 1
        self.at_work += 1
        try:
            await self.over.wait()
        finally:
            self.at_work -= 1

    def waiting(self) -> None:
        self.waited += 1

    async def hear(self) -> None:
        async for news in self.fleet.listen():
            if news.kind is NewsKind.DAEMONS:
                self.leases.look()

    async def live(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.hear())
            tasks.create_task(self.leases.run())
            tasks.create_task(self.leases.run_under(NAME, self.work, self.waiting))


class House:
    """A fleet in a test's hand."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.failing = False
        self.fleet = MemoryFleet(self.clock, self.before)

    def before(self, method: str) -> None:
        if self.failing and method == "lease":
            raise StoreError("the network is cut")

    @asynccontextmanager
    async def living(self, *names: str) -> AsyncIterator[list[Daemon]]:
        daemons = [Daemon(self.fleet, name, self.clock) for name in names]
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            running = []
            for daemon in daemons:
                await daemon.member.open()
                running.append(tasks.create_task(daemon.live()))
                await self.until(lambda daemon=daemon: daemon.at_work or daemon.waited)  # type: ignore[misc]
            yield daemons
            for task in running:
                task.cancel()

    async def until(self, holds: Callable[[], object]) -> None:
        while not holds():
            await self.clock.sleep(0)

    async def pass_s(self, seconds: float) -> None:
        """Let time pass in steps that are smaller than any wait, as time does."""
        for _ in range(round(seconds / 0.25)):
            self.clock.advance(0.25)
            for _ in range(20):
                await self.clock.sleep(0)


@pytest.fixture
def house() -> House:
    return House()


async def test_one_works_and_the_other_waits_however_long(house: House) -> None:
    async with house.living("one", "two") as (one, two):
        await house.pass_s(30)
        assert (one.at_work, one.begun, two.begun) == (1, 1, 0)
        assert (one.leases.holds(NAME), two.leases.holds(NAME)) == (True, False)
        assert two.waited >= 30 / LOOK_AGAIN_S - 1


async def test_who_stops_gives_it_back_and_the_other_begins_at_once(house: House) -> None:
    async with house.living("one", "two") as (one, two):
        await one.leases.stop()
        assert one.at_work == 0
        assert not one.leases.holds(NAME)
        await house.until(lambda: two.at_work)  # no time passes
        await house.pass_s(10)
        assert one.begun == 1


async def test_what_ends_by_itself_is_not_begun_again_here(house: House) -> None:
    async with house.living("one", "two") as (one, two):
        one.over.set()
        await house.until(lambda: two.at_work)
        assert (one.begun, one.at_work) == (1, 0)


async def test_a_killed_holder_is_followed_as_soon_as_it_is_buried(house: House) -> None:
    async with house.living("one", "two", "three") as (one, two, three):
        house.fleet.kill(one.member)
        await two.fleet.bury()
        two.leases.look()  # a daemon does not hear its own news
        await house.until(lambda: two.at_work or three.at_work)
        await house.pass_s(10)
        assert two.at_work + three.at_work == 1


async def test_who_cannot_renew_ends_its_work_before_another_may_begin(house: House) -> None:
    async with house.living("one", "two") as (one, two):
        await house.pass_s(RENEW_S)
        house.failing = True
        await house.pass_s(SURE_S - 0.5)
        assert one.at_work == 1
        await house.pass_s(0.75)
        assert (one.at_work, one.leases.holds(NAME)) == (0, False)
        house.failing = False
        await house.until(lambda: one.clock.sleeping)
        await house.pass_s(TTL_MS / 1000)
        assert one.at_work + two.at_work == 1
        faults = [fault.why for each in (one, two) for fault in each.observer.of(Fault)]
        assert len(faults) == len(set(faults)) + 1  # each was told once
        assert all("the network is cut" in why for why in faults)


async def test_a_lease_that_another_has_had_is_lost_even_if_it_is_ours_again(house: House) -> None:
    async with house.living("one") as (one,):
        holder = str(one.fleet.daemon)
        await one.member.release(NAME, holder)
        taken = await one.member.lease(NAME, "somebody", TTL_MS, house.clock.now_ms())
        assert taken is not None
        await one.member.release(NAME, "somebody")
        await house.pass_s(RENEW_S)
        await house.until(lambda: one.begun == 2)
        assert one.at_work == 1


async def test_who_was_buried_while_it_hung_begins_anew_under_its_new_number(house: House) -> None:
    async with house.living("one", "two") as (one, two):
        before = one.fleet.daemon
        house.fleet.hang(one.member)
        await two.fleet.bury()
        two.leases.look()
        await house.until(lambda: two.at_work)
        await house.pass_s(RENEW_S)
        await house.until(lambda: not one.at_work)
        assert one.fleet.daemon != before
        two.over.set()
        await house.until(lambda: one.at_work)


async def test_many_names_are_renewed(house: House) -> None:
    async with house.living("one") as (one,), asyncio.TaskGroup() as tasks:
        names = [f"n{number}" for number in range(2 * AT_ONCE + 1)]
        more = [tasks.create_task(one.leases.run_under(name, one.work)) for name in names]
        await house.until(lambda: one.at_work == len(names) + 1)
        await house.pass_s(3 * TTL_MS / 1000)
        assert one.begun == len(names) + 1
        for task in more:
            task.cancel()


async def test_a_renewal_that_comes_too_late_holds_nothing(house: House) -> None:
    async with house.living("one", "two") as (one, two):
        answer = asyncio.Event()
        asked = asyncio.Event()
        lease = one.member.lease

        async def slow(*wanted: object) -> object:
            asked.set()
            await answer.wait()
            return await lease(*wanted)  # type: ignore[arg-type]

        one.member.lease = slow  # type: ignore[method-assign, assignment]
        house.clock.advance(RENEW_S)
        await asked.wait()
        await house.pass_s(SURE_S)
        await house.until(lambda: two.at_work)
        one.member.lease = lease  # type: ignore[method-assign]
        answer.set()
        await house.pass_s(TTL_MS / 1000)
        assert (one.at_work, two.at_work) == (0, 1)


async def test_a_name_that_is_given_while_we_stop_is_given_back_at_once(house: House) -> None:
    async with house.living("one", "two") as (one, two):
        answer = asyncio.Event()
        asked = asyncio.Event()
        lease = two.member.lease

        async def slow(*wanted: object) -> object:
            asked.set()
            await answer.wait()
            return await lease(*wanted)  # type: ignore[arg-type]

        two.member.lease = slow  # type: ignore[method-assign, assignment]
        await one.leases.stop()
        await asked.wait()
        stopping = asyncio.ensure_future(two.leases.stop())  # noqa: TID251 - awaited below
        await asyncio.wait((stopping,), timeout=0)
        answer.set()
        await stopping
        assert (two.begun, two.leases.holds(NAME)) == (0, False)
        assert two.member.fleet is not None
        assert await one.member.lease(NAME, "another", TTL_MS, two.member.fleet.now_ms()) is not None
