"""Connections to tool servers are shared, kept, and let go when no turn needs them any more."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from runner.bots import Secret, ToolServer
from runner.ports.tool_servers import ToolAnswer
from runner.tool_servers.connection import in_words, struck_out
from runner.tool_servers.link import Link, Lost, Signals
from runner.tool_servers.listing import Offered
from runner.tool_servers.pool import FIRST_TRY_S
from tests.unit.tool_servers.tool_stage import having, staged


class Hall:
    """An opener whose links a test holds in its hand.

    Attributes:
        open_now: the names of servers that are connected, as often as they are.
        fault: what the next connections fail with.
    """

    def __init__(self) -> None:
        self.open_now: list[str] = []
        self.opened: list[str] = []
        self.signals: dict[str, Signals] = {}
        self.fault: Exception | None = None
        self.names = ["get"]
        self.fails: Exception | None = None
        self.closed = asyncio.Event()
        self.slow = asyncio.Event()
        self.slow.set()

    @asynccontextmanager
    async def open(self, server: ToolServer, signals: Signals) -> AsyncIterator[Link]:
        self.opened.append(server.name)
        await self.slow.wait()
        if self.fault is not None:
            raise self.fault
        self.open_now.append(server.name)
        self.signals[server.name] = signals
        try:
            yield self
        finally:
            self.open_now.remove(server.name)
            self.closed.set()

    async def offers(self) -> tuple[Offered, ...]:
        return tuple(Offered(name, "", {}) for name in self.names)

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> ToolAnswer:
        if self.fails is not None:
            raise self.fails
        return ToolAnswer(ok=True, text=tool)


SHOP, MAIL = ToolServer("shop", ("shop",)), ToolServer("mail", ("mail",))


async def test_bots_of_a_workspace_share_its_connections() -> None:
    hall = Hall()
    ada, eve, joe = having(SHOP, MAIL), having(SHOP, MAIL, bot="eve"), having(SHOP, bot="joe", workspace="x")
    async with staged(ada, eve, joe, opener=hall) as stage:
        changes = await stage.changes(3)
        assert sorted(hall.open_now) == ["mail", "shop", "shop"]
        assert stage.pool.sources(ada) == stage.pool.sources(eve) != stage.pool.sources(joe)
        assert [source.name for source in stage.pool.sources(ada)] == ["mail", "shop"]
        assert stage.pool.sources(having()) == ()
    assert {change.bots for change in changes} == {("ada", "eve"), ("joe",)}
    assert hall.open_now == []


async def test_a_change_touches_only_what_is_written_otherwise() -> None:
    hall = Hall()
    async with staged(having(SHOP, MAIL), opener=hall) as stage:
        await stage.changes(2)
        stage.change(having(SHOP, ToolServer("mail", ("mail", "--fast"))), having(SHOP, bot="eve"))
        await stage.changes(3)
        await hall.closed.wait()
        assert hall.opened == ["mail", "shop", "mail"]
        assert sorted(hall.open_now) == ["mail", "shop"]
        stage.change(having(SHOP), having(bot="eve"))
        hall.closed.clear()
        await hall.closed.wait()
        assert hall.open_now == ["shop"]


async def test_a_connection_goes_when_the_turns_that_began_with_it_have_ended() -> None:
    hall = Hall()
    ada = having(SHOP)
    async with staged(ada, opener=hall) as stage:
        await stage.changes(1)
        stage.running.add("ada")
        box = stage.box(ada)
        stage.change()
        for _ in range(3):
            await stage.clock.sleep(0)
        assert (hall.open_now, stage.pool.states()) == (["shop"], ())
        assert (
            await stage.run(ada, "get")
        ).text == "The tool server shop cannot be used now: it is not connected yet."
        source = box._sources["shop"]
        assert await source.call("get", {}, 5) == ToolAnswer(ok=True, text="get")
        stage.over.set()
        await hall.closed.wait()
    assert hall.open_now == []


async def test_toggling_leaves_one_connection() -> None:
    hall = Hall()
    async with staged(having(SHOP), opener=hall) as stage:
        await stage.changes(1)
        for _ in range(5):
            stage.change()
            stage.change(having(SHOP))
        await stage.changes(2)
        while len(hall.open_now) > 1:
            hall.closed.clear()
            await hall.closed.wait()
        assert hall.open_now == ["shop"]


async def test_a_start_waits_for_tools_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Hall()
    hall.slow.clear()
    async with staged(having(SHOP), opener=hall) as stage:
        monkeypatch.setattr("runner.tool_servers.pool.FIRST_TRY_S", 0.01)
        await stage.pool.tried()
        assert stage.pool.states()[0].why == "it is not connected yet"
        monkeypatch.setattr("runner.tool_servers.pool.FIRST_TRY_S", FIRST_TRY_S)
        hall.slow.set()
        await stage.pool.tried()
        assert stage.pool.states()[0].why == ""


async def test_the_pause_grows_and_is_short_again_after_a_good_while() -> None:
    hall = Hall()
    hall.fault = ConnectionRefusedError("secret address")
    async with staged(having(SHOP), opener=hall) as stage:
        for pause in (1, 2, 4, 8, 16, 32, 60):
            await stage.clock.asleep(2)  # the pool, and the connection
            assert stage.clock.sleeps[-1] == pause
            stage.clock.advance(pause)
        hall.fault = None  # before the last try is made
        down, up = await stage.changes(2)
        stage.clock.advance(61)
        hall.signals["shop"].lost("it ended")
        await stage.clock.asleep(2)
        assert stage.clock.sleeps[-1] == 1
        assert [change.why for change in (await stage.changes(3))] == [
            "it could not be reached",
            "",
            "it ended",
        ]
    assert (down.state, up.state) == ("down", "up")


async def test_a_server_that_changes_without_end_is_read_once_a_second() -> None:
    hall = Hall()
    async with staged(having(SHOP), opener=hall) as stage:
        await stage.changes(1)
        for count in range(2, 5):
            hall.names.append(f"get{count}")
            for _ in range(100):
                hall.signals["shop"].changed()
            await stage.clock.asleep(2)
            stage.clock.advance(1)
            assert (await stage.changes(count))[-1].tools == count


async def test_whatever_a_library_raises_is_an_answer() -> None:
    hall = Hall()
    hall.fails = KeyError("oh")
    async with staged(having(SHOP), opener=hall) as stage:
        await stage.changes(1)
        result = await stage.run(having(SHOP), "get")
    assert not result.ok
    assert result.text == (
        "The call failed: it could not be spoken to (KeyError). It may or may not have taken effect."
    )


async def test_the_end_of_a_task_of_the_librarys_is_no_end_of_ours() -> None:
    hall = Hall()
    hall.fault = None

    async def gone() -> tuple[Offered, ...]:
        raise asyncio.CancelledError

    hall.offers = gone  # type: ignore[method-assign]
    async with staged(having(SHOP), opener=hall) as stage:
        (down,) = await stage.changes(1)
    assert (down.state, down.why) == ("down", "its connection broke")


def test_a_fault_is_told_without_what_its_text_holds() -> None:
    inner = ExceptionGroup("a", [ExceptionGroup("b", [Lost("it is full")])])
    assert in_words(inner) == "it is full"
    assert in_words(TimeoutError("https://key@x")) == "it did not answer in time"
    assert in_words(ValueError("https://key@x")) == "it could not be spoken to (ValueError)"


def test_secrets_are_struck_out_the_longest_first() -> None:
    server = ToolServer(
        "s",
        url=Secret("https://x/mcp?key=abc"),
        headers={"A": Secret("Bearer 12345678"), "B": Secret("on")},
        env={"C": Secret("12345678-90")},
    )
    text = "12345678-90, Bearer 12345678, 12345678, https://x/mcp?key=abc, on"
    assert struck_out(text, server) == "***, ***, ***, ***, on"
