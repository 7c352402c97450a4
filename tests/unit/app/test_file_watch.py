"""The file's watch: rewritten, replaced, linked elsewhere or gone, it is seen; with `reload: off` it is not."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from runner.app.file_watch import LOOK_S, REASON, FileWatch
from runner.app.in_force import InForce
from runner.app.reloading import Mark, mark_of
from runner.clock import SystemClock
from runner.config.loader import load
from runner.config.settings import Loaded
from runner.ports.observer import Fault
from runner.testing.clock import ManualClock
from runner.testing.observer import RecordingObserver

TEXT = "bots:\n  ada: {platform: custom, llm_provider: echo, llm_model: echo, system_prompt: Be kind.}\n"


class Asked:
    """Who is asked for a reload: reads at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mark: Mark = mark_of(path)
        self.reasons: list[str] = []
        self.texts: list[str] = []
        self.news = asyncio.Event()

    def ask(self, reason: str) -> None:
        self.mark = mark_of(self.path)
        self.reasons.append(reason)
        self.texts.append(self.path.read_text() if self.path.exists() else "")
        self.news.set()


class World:
    def __init__(self, folder: Path, path: Path) -> None:
        self.path = path
        loaded = load(path, {"BOTRUNNER_STATE": str(folder)})
        assert isinstance(loaded, Loaded)
        self.in_force = InForce(loaded.settings)
        self.asked = Asked(path)
        self.clock, self.observer = ManualClock(), RecordingObserver()
        self.watch = self.watching(look_s=0.2)

    def watching(self, look_s: float) -> FileWatch:
        return FileWatch(self.path, self.asked, self.in_force, self.clock, self.observer, look_s)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            task = tasks.create_task(self.watch.run())
            yield
            task.cancel()

    async def sees(self, text: str) -> None:
        """Wait until the file was asked for with this text."""
        while text not in self.asked.texts:
            self.asked.news.clear()
            await self.asked.news.wait()


@pytest.fixture
def world(tmp_path: Path) -> World:
    path = tmp_path / "bots.yaml"
    path.write_text(TEXT)
    return World(tmp_path, path)


def rewrite(path: Path) -> None:
    path.write_text(f"{TEXT}# changed\n")


def replaced(path: Path) -> None:
    fresh = path.with_name(".bots.yaml.swp")
    fresh.write_text(f"{TEXT}# changed\n")
    fresh.replace(path)


@pytest.mark.parametrize("change", [rewrite, replaced])
async def test_a_file_that_is_written_or_replaced_is_seen(
    world: World, change: Callable[[Path], None]
) -> None:
    async with world.running():
        change(world.path)
        await world.sees(f"{TEXT}# changed\n")
    assert set(world.asked.reasons) == {REASON}


async def test_it_is_the_system_that_tells(world: World) -> None:
    world.watch = world.watching(look_s=3600)
    pause = SystemClock()
    async with world.running():
        while not world.asked.reasons:
            replaced(world.path)  # again and again: nobody tells when the watch has begun
            await pause.sleep(0.05)
    assert world.asked.texts[0] == f"{TEXT}# changed\n"


async def test_what_else_happens_in_the_folder_is_nobodys_business(world: World, tmp_path: Path) -> None:
    async with world.running():
        for number in range(20):
            (tmp_path / f"other{number}").write_text("x")
        rewrite(world.path)
        await world.sees(f"{TEXT}# changed\n")
    assert all(text != TEXT for text in world.asked.texts)


async def test_a_link_that_is_exchanged_further_up_is_seen(tmp_path: Path) -> None:
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "bots.yaml").write_text(f"{TEXT}# {version}\n")
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "bots.yaml").symlink_to("..data/bots.yaml")
    world = World(tmp_path, tmp_path / "bots.yaml")
    async with world.running():
        (tmp_path / "..fresh").symlink_to("two")
        (tmp_path / "..fresh").replace(tmp_path / "..data")
        await world.sees(f"{TEXT}# two\n")
        (tmp_path / "two" / "bots.yaml").write_text(f"{TEXT}# three\n")
        await world.sees(f"{TEXT}# three\n")


async def test_a_file_that_is_gone_is_seen_and_so_is_its_return(world: World) -> None:
    async with world.running():
        world.path.unlink()
        await world.sees("")
        rewrite(world.path)
        await world.sees(f"{TEXT}# changed\n")


async def test_without_a_watch_it_is_looked_at_now_and_then(tmp_path: Path) -> None:
    folder = tmp_path / "mounted"
    folder.mkdir()
    (folder / "bots.yaml").write_text(TEXT)
    world = World(tmp_path, folder / "bots.yaml")
    world.watch = world.watching(look_s=LOOK_S)
    shutil.rmtree(folder)
    async with world.running():
        for _ in range(2):
            await world.clock.asleep()
            assert world.clock.sleeps[-1] == LOOK_S
            world.clock.advance(LOOK_S)
        await world.clock.asleep()
        folder.mkdir()
        rewrite(world.path)
        world.clock.advance(LOOK_S)
        await world.sees(f"{TEXT}# changed\n")
    assert world.asked.texts == ["", f"{TEXT}# changed\n"]
    [fault] = world.observer.of(Fault)
    assert f"{folder} cannot be watched" in fault.why


async def test_where_it_is_switched_off_nothing_is_asked(world: World) -> None:
    world.in_force.settings = replace(world.in_force.settings, reload=False)
    rewrite(world.path)
    world.watch._look()
    assert world.asked.reasons == []
    world.in_force.settings = replace(world.in_force.settings, reload=True)
    world.watch._look()
    assert world.asked.reasons == [REASON]
