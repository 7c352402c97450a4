"""Reloads: one at a time, once for all who asked, the last state wins, a fault changes nothing and is told once."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from runner.app.in_force import InForce
from runner.app.reloading import STOPPING, Reading, Reloader, mark_of
from runner.config.loader import load
from runner.config.problems import Problem, Problems
from runner.config.reload import Difference
from runner.config.reload import in_force as merged
from runner.config.settings import Loaded, Settings
from runner.errors import OperatorError, StoreError
from runner.money.amounts import Money, from_cents
from runner.ports.observer import ConfigRefused, ConfigReloaded, Fault
from runner.ports.reloads import Reloaded, Unusable
from runner.testing.clock import ManualClock
from runner.testing.observer import RecordingObserver

TEXT = """
bots:
  ada: {platform: custom, llm_provider: echo, llm_model: echo, system_prompt: Be kind.}
"""
FAULTY = Problems((Problem("bots.yaml", 1, "odd", "unknown field"),))


class Notes:
    """A notifier that takes note."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def ready(self) -> None:
        self.told.append("ready")

    def reloading(self) -> None:
        self.told.append("reloading")

    def stopping(self) -> None:
        self.told.append("stopping")

    def status(self, text: str) -> None:
        self.told.append(text)


class World:
    """A reloader around a file that is what the test says."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "bots.yaml"
        self.file.write_text(TEXT)
        loaded = load(self.file, {"BOTRUNNER_STATE": str(folder)})
        assert isinstance(loaded, Loaded)
        self.content: Loaded | Problems | Exception = loaded
        self.first = loaded.settings
        self.reads = 0
        self.cap: Money | None = None
        self.may_read: threading.Event | None = None
        self.reading = threading.Event()
        self.applied: list[Difference] = []
        self.apply_fault: Exception | None = None
        self.in_force = InForce(loaded.settings)
        self.clock, self.observer, self.notes = ManualClock(), RecordingObserver(), Notes()
        self.reloader = Reloader(
            Reading(self.file, self.read, self.laid_over),
            self.apply,
            self.in_force,
            self.clock,
            self.observer,
            mark_of(self.file),
        )

    async def laid_over(self, read: Settings) -> Settings:
        """As on a fleet, where caps are set by hand."""
        return read if self.cap is None else replace(read, bots=(replace(read.bots[0], cap=self.cap),))

    def read(self) -> Loaded | Problems:
        self.reads += 1
        content = self.content
        self.reading.set()
        if self.may_read is not None:
            self.may_read.wait(60)
        if isinstance(content, Exception):
            raise content
        return content

    async def apply(self, read: Settings, found: Difference) -> None:
        if self.apply_fault is not None:
            raise self.apply_fault
        self.applied.append(found)
        self.in_force.settings = merged(self.in_force.settings, read)

    def write(self, change: Callable[[Settings], Settings]) -> None:
        """The file says something else from now on."""
        self.content = Loaded(change(self.first))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Reloader]:
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            task = tasks.create_task(self.reloader.run(self.notes))
            yield self.reloader
            task.cancel()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def prompt(text: str) -> Callable[[Settings], Settings]:
    return lambda settings: replace(settings, bots=(replace(settings.bots[0], system_prompt=text),))


def on_port(port: int) -> Callable[[Settings], Settings]:
    return lambda settings: replace(settings, server=replace(settings.server, port=port))


async def test_what_changed_is_in_force_when_whoever_asked_is_answered(world: World) -> None:
    world.write(prompt("Be brief."))
    world.clock.advance(5)
    async with world.running() as reloader:
        assert await reloader.reload("a test") == Reloaded(changed=("ada",))
        assert world.in_force.settings.bots[0].system_prompt == "Be brief."
    assert reloader.state.loaded_at == world.clock.now_ms()
    assert world.notes.told == ["reloading", "ready"]
    assert world.observer.of(ConfigReloaded) == [ConfigReloaded("a test", Reloaded(changed=("ada",)))]


async def test_nothing_new_is_no_news(world: World) -> None:
    async with world.running() as reloader:
        assert await reloader.reload("a test") == Reloaded()
    assert world.applied == [Difference()]
    assert not world.observer.events


async def test_a_burst_is_one_reload_and_the_last_state_wins(world: World) -> None:
    world.may_read = threading.Event()
    async with world.running() as reloader, asyncio.TaskGroup() as tasks:
        first = tasks.create_task(reloader.reload("first"))
        await asyncio.to_thread(world.reading.wait, 60)
        later = [tasks.create_task(reloader.reload(name)) for name in "abcab"]
        reloader.ask("SIGHUP")
        world.write(prompt("the last one"))
        world.may_read.set()
        assert await first == Reloaded(), "it had read before"
        assert [await one for one in later] == [Reloaded(changed=("ada",))] * 5
    assert world.reads == 2
    [told] = world.observer.of(ConfigReloaded)
    assert told.reason == "SIGHUP, a, b, c"


async def test_a_faulty_file_changes_nothing_and_is_told_once(world: World) -> None:
    world.content = FAULTY
    async with world.running() as reloader:
        for _ in range(3):
            assert await reloader.reload("a test") == Unusable(("bots.yaml:1: odd: unknown field",))
        faults = [reloader.fault]
        world.content = Problems((Problem("bots.yaml", 2, "odder", "unknown field"),))
        await reloader.reload("a test")
        assert len(world.observer.of(ConfigRefused)) == 2
        world.content = Loaded(world.first)
        assert await reloader.reload("a test") == Reloaded()
        faults.append(reloader.fault)
    assert faults == [("bots.yaml:1: odd: unknown field",), None]
    assert world.applied == [Difference()]
    assert [type(event) for event in world.observer.events] == [ConfigRefused, ConfigRefused, ConfigReloaded]
    assert world.notes.told == ["reloading", "ready"] * 5


async def test_what_cannot_be_had_is_a_fault_of_the_file(world: World) -> None:
    world.write(prompt("Be brief."))
    world.apply_fault = OperatorError("no such thing")
    async with world.running() as reloader:
        assert await reloader.reload("a test") == Unusable((f"{world.file}: no such thing",))
        world.apply_fault = None
        assert await reloader.reload("a test") == Reloaded(changed=("ada",))


async def test_a_store_that_is_away_is_told_apart_from_a_fault_of_the_file(world: World) -> None:
    world.content = StoreError("db:5432/x cannot be reached")
    async with world.running() as reloader:
        assert await reloader.reload("a test") == Unusable((f"{world.file}: db:5432/x cannot be reached",))
        assert reloader.store_was_away
        world.content = FAULTY
        await reloader.reload("a test")
        assert not reloader.store_was_away


async def test_a_fault_of_our_own_ends_nothing(world: World) -> None:
    world.content = ValueError("a bug")
    async with world.running() as reloader:
        outcome = await reloader.reload("a test")
        assert isinstance(outcome, Unusable)
        assert "a bug" not in outcome.problems[0], "who knows what it quotes"
        world.write(prompt("Be brief."))
        assert await reloader.reload("a test") == Reloaded(changed=("ada",))
    [fault] = world.observer.of(Fault)
    assert isinstance(fault.error, ValueError)


async def test_what_is_laid_over_the_file_is_renewed_without_reading_it(world: World) -> None:
    world.cap = from_cents(5)
    async with world.running() as reloader:
        assert await reloader.renew("a cap") == Reloaded(changed=("ada",))
        assert (world.reads, world.notes.told, world.in_force.settings.bots[0].cap) == (0, [], 5 * 10**10)
        assert world.in_force.file == world.first
        assert await reloader.renew("a cap") == Reloaded()
        world.content = FAULTY
        assert isinstance(await reloader.reload("a test"), Unusable)
        world.cap = from_cents(6)
        assert await reloader.renew("a cap") == Reloaded(changed=("ada",)), "the last good file goes on"
        world.write(prompt("Be brief."))
        assert await reloader.reload("a test") == Reloaded(changed=("ada",))
        assert world.in_force.settings.bots[0].cap == from_cents(6)
        assert world.in_force.file.bots[0].cap is None
    assert await reloader.renew("a cap") == STOPPING


async def test_a_renewal_that_fails_leaves_the_file_s_state_alone(world: World) -> None:
    world.cap = from_cents(5)
    world.apply_fault = ValueError("a bug")
    async with world.running() as reloader:
        assert await reloader.renew("a cap") == Unusable(("it is not in force: ValueError",))
        assert reloader.fault is None
        world.apply_fault = None
        assert await reloader.renew("a cap") == Reloaded(changed=("ada",))
    assert [type(fault.error) for fault in world.observer.of(Fault)] == [ValueError]


async def test_who_asks_for_both_gets_both_at_once(world: World) -> None:
    world.cap = from_cents(5)
    async with world.running() as reloader, asyncio.TaskGroup() as tasks:
        world.content = FAULTY
        asked = [tasks.create_task(one("a test")) for one in (reloader.reload, reloader.renew)]
        assert await asked[0] == Unusable(("bots.yaml:1: odd: unknown field",))
        assert await asked[1] == Reloaded(changed=("ada",))
        world.write(prompt("Be brief."))
        asked = [tasks.create_task(one("a test")) for one in (reloader.reload, reloader.renew)]
        assert await asked[0] == await asked[1] == Reloaded(changed=("ada",))


async def test_what_waits_for_a_restart_is_told_until_it_is_taken_back(world: World) -> None:
    async with world.running() as reloader:
        world.write(on_port(1))
        for _ in range(2):
            assert await reloader.reload("a test") == Reloaded(needs_restart=("server.port",))
        waiting = [reloader.state.needs_restart]
        assert world.in_force.settings.server.port != 1
        assert len(world.observer.of(ConfigReloaded)) == 1
        world.content = FAULTY
        await reloader.reload("a test")
        waiting.append(reloader.state.needs_restart)
        world.content = Loaded(world.first)
        await reloader.reload("a test")
        waiting.append(reloader.state.needs_restart)
    assert waiting == [("server.port",), ("server.port",), ()]


async def test_who_asks_while_it_stops_is_told_so(world: World) -> None:
    world.may_read = threading.Event()
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(world.reloader.run(world.notes))
        asked = tasks.create_task(world.reloader.reload("first"))
        await asyncio.to_thread(world.reading.wait, 60)
        late = tasks.create_task(world.reloader.reload("late"))
        await ManualClock().sleep(0)
        running.cancel()
        world.may_read.set()
        assert await asked == STOPPING
        assert await late == STOPPING
    assert await world.reloader.reload("afterwards") == STOPPING


async def test_who_no_longer_waits_stops_nobody(world: World) -> None:
    world.may_read = threading.Event()
    world.write(prompt("Be brief."))
    async with world.running() as reloader:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await reloader.reload("first")
        world.may_read.set()
        await reloader.reload("second")
        assert world.in_force.settings.bots[0].system_prompt == "Be brief."


def test_a_files_mark_is_another_after_each_way_of_writing(tmp_path: Path) -> None:
    file, other = tmp_path / "a", tmp_path / "b"
    assert mark_of(file) is None
    file.write_text("one")
    first = mark_of(file)
    assert mark_of(file) == first
    other.write_text("two")
    other.replace(file)
    assert mark_of(file) != first
    link = tmp_path / "link"
    link.symlink_to(file)
    assert mark_of(link) == mark_of(file)
