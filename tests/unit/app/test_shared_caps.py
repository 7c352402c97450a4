"""Caps that were set by hand on a fleet, laid over what each daemon's bots.yaml says."""

from dataclasses import replace
from pathlib import Path

import pytest

from runner.app.shared_caps import SharedCaps
from runner.config.loader import load
from runner.config.settings import Loaded, Settings
from runner.errors import StoreError
from runner.money.amounts import Money, from_cents
from runner.ports.fleet import News, NewsKind
from runner.ports.observer import Fault
from runner.store.memory.fleet import MemberFleet, MemoryFleet, MemoryMember
from runner.testing.clock import ManualClock
from runner.testing.observer import RecordingObserver

TEXT = """
defaults: {platform: custom, llm_provider: echo, llm_model: echo, system_prompt: Be kind.}
bots:
  ada: {spending_cap_cents: 300}
  ben: {}
"""


class Daemon:
    """One of several, with its own copy of the file."""

    def __init__(self, fleet: MemoryFleet, name: str, settings: Settings) -> None:
        self.settings = settings
        self.store: MemoryMember = fleet.join(name)
        self.observer = RecordingObserver()

    async def open(self) -> None:
        await self.store.open()
        assert isinstance(self.store.fleet, MemberFleet)
        self.fleet = self.store.fleet
        self.caps = SharedCaps(self.store.values, self.fleet, self.observer)

    async def has(self) -> list[Money | None]:
        return [bot.cap for bot in (await self.caps.laid_over(self.settings)).bots]

    def deploy(self, cents: int | None) -> None:
        first = replace(self.settings.bots[0], cap=None if cents is None else from_cents(cents))
        self.settings = replace(self.settings, bots=(first, *self.settings.bots[1:]))


class World:
    """Two daemons on one store. `away`: the store cannot be asked."""

    def __init__(self, folder: Path) -> None:
        file = folder / "bots.yaml"
        file.write_text(TEXT, encoding="utf-8")
        loaded = load(file, {"BOTRUNNER_STATE": str(folder)})
        assert isinstance(loaded, Loaded)
        self.away = False
        self.clock = ManualClock()
        self.fleet = MemoryFleet(self.clock, self.begin)
        self.one, self.two = (Daemon(self.fleet, name, loaded.settings) for name in ("one", "two"))

    def begin(self, method: str) -> None:
        if self.away:
            raise StoreError("the connection is gone")


@pytest.fixture
async def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    for daemon in (world.one, world.two):
        await daemon.open()
        assert await daemon.has() == [from_cents(300), None]
    world.clock.advance(1)
    return world


async def test_a_cap_that_is_set_at_one_daemon_counts_at_all(world: World) -> None:
    heard = world.two.fleet.listen()
    await world.one.caps.put("ada", 500, from_cents(300))
    await world.one.caps.put("ben", 7, None)
    for daemon in (world.one, world.two):
        assert await daemon.has() == [from_cents(500), from_cents(7)]
    told = [await anext(heard), await anext(heard)]
    assert [(news.kind, news.text.rpartition("/")[0]) for news in told] == [
        (NewsKind.VALUES, "cap/ada"),
        (NewsKind.VALUES, "cap/ben"),
    ]
    assert isinstance(told[0], News)
    await world.two.caps.put("ada", None, from_cents(300))
    assert await world.one.has() == [None, from_cents(7)]
    assert len(await world.one.store.values.values("cap/", world.clock.now_ms())) == 2, (
        "what is over is dropped"
    )


async def test_a_restart_changes_nothing(world: World) -> None:
    await world.one.caps.put("ada", 500, from_cents(300))
    world.clock.advance(60)
    await world.two.open()
    assert await world.two.has() == [from_cents(500), None]


async def test_what_the_file_says_later_counts(world: World) -> None:
    await world.one.caps.put("ada", 500, from_cents(300))
    world.clock.advance(1)
    world.one.deploy(400)
    assert await world.one.has() == [from_cents(400), None]
    assert await world.two.has() == [from_cents(300), None], (
        "it has the old file, and no hand's word any more"
    )
    world.one.deploy(300)
    assert await world.one.has() == [from_cents(300), None], "the hand's word does not come back"


async def test_a_daemon_whose_file_is_older_heeds_the_hand(world: World) -> None:
    world.one.deploy(400)
    assert await world.one.has() == [from_cents(400), None]
    world.clock.advance(1)
    await world.one.caps.put("ada", 100, from_cents(400))
    assert await world.two.has() == [from_cents(100), None]
    assert await world.one.has() == [from_cents(100), None]


async def test_where_the_store_cannot_be_asked_what_was_known_counts(world: World) -> None:
    await world.one.caps.put("ada", 500, from_cents(300))
    assert await world.two.has() == [from_cents(500), None]
    world.away = True
    assert await world.two.has() == [from_cents(500), None]
    assert [fault.where for fault in world.two.observer.of(Fault)] == ["caps"]
    with pytest.raises(StoreError):
        await world.one.caps.put("ada", 600, from_cents(300))
    world.away = False
    assert await world.one.has() == [from_cents(500), None]


async def test_a_start_that_cannot_ask_is_none(world: World) -> None:
    world.two.caps = SharedCaps(world.two.store.values, world.two.fleet, world.two.observer)
    world.away = True
    with pytest.raises(StoreError, match="gone"):
        await world.two.has()


async def test_a_cap_counts_here_as_soon_as_it_is_put(world: World) -> None:
    """Also where the store breaks in between: it was kept, and nobody may go on under the old one."""
    assert await world.one.has() == [from_cents(300), None]
    await world.one.caps.put("ada", 100, from_cents(300))
    world.away = True
    assert await world.one.has() == [from_cents(100), None]


async def test_words_on_bots_that_are_gone_are_left_alone(world: World) -> None:
    await world.one.caps.put("zoe", 100, None)
    assert await world.one.has() == [from_cents(300), None]
    assert len(await world.one.store.values.values("cap/", world.clock.now_ms())) == 1
