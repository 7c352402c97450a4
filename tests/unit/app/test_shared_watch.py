"""What daemons share is taken up: by news at once, by a look of one's own where the news was lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from runner.app.in_force import InForce
from runner.app.shared_watch import CAPS, SECRETS, SharedWatch
from runner.config.loader import load
from runner.config.settings import Loaded
from runner.errors import StoreError
from runner.ports.fleet import News, NewsKind
from runner.ports.observer import Fault
from runner.ports.reloads import Reloaded, Unusable
from runner.store.memory.fleet import MemberFleet, MemoryFleet
from runner.testing.clock import ManualClock
from runner.testing.observer import RecordingObserver

TEXT = "bots: {ada: {platform: custom, llm_provider: echo, llm_model: echo, system_prompt: Be kind.}}"


class Renewing:
    """A reloader that takes note. `outcome`: of each renewal."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[str] = asyncio.Queue()
        self.outcome: Reloaded | Unusable = Reloaded()
        self.store_was_away = False

    def ask(self, reason: str) -> None:
        self.store_was_away = False
        self.asked.put_nowait(reason)

    async def renew(self, reason: str) -> Reloaded | Unusable:
        self.asked.put_nowait(reason)
        return self.outcome


class World:
    """A daemon that watches, and another one."""

    def __init__(self, folder: Path) -> None:
        file = folder / "bots.yaml"
        file.write_text(TEXT, encoding="utf-8")
        loaded = load(file, {"BOTRUNNER_STATE": str(folder)})
        assert isinstance(loaded, Loaded)
        self.in_force = InForce(loaded.settings)
        self.away = False
        self.looks = 0
        self.looked = asyncio.Event()
        fleet = MemoryFleet(ManualClock(), self.begin)
        self.store, self.other = fleet.join("one"), fleet.join("two")
        self.values = self.store.values
        self.observer, self.renewing = RecordingObserver(), Renewing()

    def begin(self, method: str) -> None:
        if method == "values.values":
            self.looks += 1
            self.looked.set()
            self.looked = asyncio.Event()
        if self.away and method.startswith("values"):
            raise StoreError("the connection is gone")

    async def put(self, key: str, value: str, *, told: bool = True) -> None:
        assert isinstance(self.other.fleet, MemberFleet)
        await self.other.values.put(key, value, 0)
        if told:
            await self.other.fleet.tell([News(NewsKind.VALUES, key)])

    async def asked(self) -> str:
        async with asyncio.timeout(60):
            return await self.renewing.asked.get()

    async def some_looks(self) -> None:
        """Two whole ones that begin from now on: each asks twice."""
        until = self.looks + 6
        async with asyncio.timeout(60):
            while self.looks < until:
                await self.looked.wait()

    @asynccontextmanager
    async def watched(self, look_s: float) -> AsyncIterator[None]:
        await self.store.open()
        await self.other.open()
        assert isinstance(self.store.fleet, MemberFleet)
        watch = SharedWatch(
            self.values, self.store.fleet, self.renewing, self.in_force, self.observer, look_s
        )
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(watch.run())
            yield
            task.cancel()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_news_is_looked_at_at_once(world: World) -> None:
    async with world.watched(look_s=3600):
        await asyncio.wait_for(world.looked.wait(), 60)
        await world.put("cap/ada/1", "{}")
        assert await world.asked() == CAPS
        await world.put("secret/openai", "token")
        assert await world.asked() == SECRETS
        await world.put("jwt", "nothing of ours")
        await world.put("secret/openai", "another")
        assert await world.asked() == SECRETS


async def test_news_that_is_lost_is_seen_all_the_same(world: World) -> None:
    async with world.watched(look_s=0.001):
        await world.put("cap/ada/1", "{}", told=False)
        assert await world.asked() == CAPS
        await world.put("secret/openai", "token", told=False)
        assert await world.asked() == SECRETS
        await world.some_looks()
        assert world.renewing.asked.empty(), "once for each change"


async def test_after_a_gap_it_looks(world: World) -> None:
    async with world.watched(look_s=3600):
        await asyncio.wait_for(world.looked.wait(), 60)
        await world.put("cap/ada/1", "{}", told=False)
        world.store.ears.gap()
        assert await world.asked() == CAPS


async def test_what_changed_during_the_start_is_seen_by_the_first_look(world: World) -> None:
    await world.other.open()
    await world.other.values.put("secret/openai", "token", 0)
    async with world.watched(look_s=3600):
        assert await world.asked() == SECRETS


async def test_with_reload_off_secrets_wait_and_caps_do_not(world: World) -> None:
    world.in_force.settings = replace(world.in_force.settings, reload=False)
    async with world.watched(look_s=0.001):
        await world.put("secret/openai", "token")
        await world.put("cap/ada/1", "{}")
        assert await world.asked() == CAPS
        await world.some_looks()
    assert world.renewing.asked.empty()


async def test_a_cap_that_could_not_be_put_in_force_is_tried_again(world: World) -> None:
    world.renewing.outcome = Unusable(("a fault",))
    async with world.watched(look_s=0.001):
        await world.put("cap/ada/1", "{}")
        assert [await world.asked(), await world.asked()] == [CAPS, CAPS]


async def test_while_the_store_is_away_it_is_told_once_and_the_file_is_read_when_it_is_back(
    world: World,
) -> None:
    world.away = True
    async with world.watched(look_s=0.001):
        await world.observer.until(Fault)
        await world.some_looks()
        world.renewing.store_was_away = True
        world.away = False
        assert await world.asked() == SECRETS, "a file that was read meanwhile wanted them"
        await world.some_looks()
    assert world.renewing.asked.empty()
    assert [fault.why for fault in world.observer.of(Fault)] == ["the connection is gone"]
