"""That somebody is at work is shown late, again and again, and never at a turn's cost."""

import asyncio

import pytest

from adapters.contract import Capabilities
from adapters.messages import ChatRef
from adapters.testing.fake import FakeAdapter
from runner.dispatch import working
from runner.dispatch.working import Working

CHAT = ChatRef("ada")


class Slow(FakeAdapter):
    """Shows when it is let, and fails where it is told to."""

    def __init__(self, *, every_s: float = 0.001, shows: bool = True, fails: bool = False) -> None:
        super().__init__(Capabilities(shows_working=shows, working_every_s=every_s))
        self.fails = fails
        self.free = asyncio.Event()
        self.free.set()
        self.seen = asyncio.Event()
        self.enough = 1
        self.ended = 0

    async def show_working(self, chat: ChatRef) -> None:
        self.working.append(chat)
        if len(self.working) >= self.enough:
            self.seen.set()
        try:
            await self.free.wait()
            if self.fails:
                raise ValueError("no")
        finally:
            self.ended += 1


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "FIRST_S", 0.0)


@pytest.mark.parametrize("fails", [False, True])
async def test_it_is_shown_again_and_again_until_the_answer_is_there(*, fails: bool) -> None:
    adapter = Slow(fails=fails)
    adapter.enough = 5
    async with asyncio.TaskGroup() as tasks:
        with Working(adapter, CHAT, tasks):
            await adapter.seen.wait()
        shown = len(adapter.working)
        await asyncio.wait_for(_later(), 30)
        assert len(adapter.working) == shown
    assert set(adapter.working) == {CHAT}


async def test_a_quick_answer_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "FIRST_S", 0.01)
    adapter = Slow()
    async with asyncio.TaskGroup() as tasks:
        with Working(adapter, CHAT, tasks):
            await _later(0.0)
        await _later(0.02)
    assert adapter.working == []


async def test_a_platform_that_shows_nothing_is_not_asked() -> None:
    silent = Slow(shows=False)
    async with asyncio.TaskGroup() as tasks:
        with Working(silent, CHAT, tasks), Working(None, CHAT, tasks):
            await _later()
    assert silent.working == []


async def test_a_slow_showing_is_not_heaped_up_and_ends_with_the_turn() -> None:
    adapter = Slow()
    adapter.free.clear()
    async with asyncio.TaskGroup() as tasks:
        with Working(adapter, CHAT, tasks):
            await adapter.seen.wait()
            await _later(0.01)
            assert len(adapter.working) == 1
    assert adapter.ended == 1


async def test_it_ends_where_the_turn_fails() -> None:
    adapter = Slow()

    async def turn(tasks: asyncio.TaskGroup) -> None:
        with Working(adapter, CHAT, tasks):
            await adapter.seen.wait()
            raise ValueError("the turn")

    async with asyncio.TaskGroup() as tasks:
        with pytest.raises(ValueError, match="the turn"):
            await turn(tasks)
        shown = len(adapter.working)
        await _later()
        assert len(adapter.working) == shown


async def _later(seconds: float = 0.005) -> None:
    """When everything that was due by now has been done."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()
