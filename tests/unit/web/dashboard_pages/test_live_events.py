"""Events of pages that are open: told in time, never more than needed, ended with whatever they belong to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from runner.errors import StoreError
from runner.store.memory.values import MemoryValues
from runner.testing.clock import ManualClock
from runner.web import live
from runner.web.dashboard_pages.events import Events
from runner.web.live import Changes
from runner.web.sessions import COOKIE, SESSION_MS, Sessions
from tests.unit.web.dashboard_pages.browsing import Person
from tests.unit.web.web_stage import SECRET, Stage

PATIENCE_S = 60.0


class Line:
    """One stream, event by event."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def next(self) -> str:
        """The next block; empty where it ended."""
        async with asyncio.timeout(PATIENCE_S):
            lines = []
            async for line in self.response.content:
                if line == b"\n":
                    break
                lines.append(line.decode().rstrip("\n"))
            return "|".join(lines)


@asynccontextmanager
async def listening(
    changes: Changes,
    quiet_s: float = 0.0,
    heartbeat_s: float = 3600.0,
    before: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[tuple[aiohttp.ClientSession, Sessions, ManualClock]]:
    """A server with nothing but events, and a browser that is signed in. `before`: of `MemoryValues`."""
    clock = ManualClock()
    sessions = Sessions(SECRET, clock, MemoryValues(before))
    opened = web.Response()
    sessions.open(opened, "read")
    app = web.Application()
    app.add_routes(Events(changes, sessions, quiet_s, heartbeat_s).routes())
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    cookies = {COOKIE: opened.cookies[COOKIE].value}
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession(
        url, cookies=cookies, cookie_jar=aiohttp.CookieJar(unsafe=True)
    ) as browser:
        yield browser, sessions, clock
    changes.close()
    await runner.cleanup()


async def test_what_changed_meanwhile_is_told_at_once_and_many_changes_as_one() -> None:
    changes = Changes()
    for _ in range(3):
        changes.mark()
    async with listening(changes) as (browser, _, _), browser.get("/events?seen=1") as response:
        line = Line(response)
        assert response.headers["Content-Type"] == "text/event-stream"
        assert await line.next() == "retry: 3000"
        assert await line.next() == "event: change|data: 3"
        for _ in range(1000):
            changes.mark()
        assert await line.next() == "event: change|data: 1003"


async def test_where_nothing_changed_nothing_is_told_but_that_the_line_is_open() -> None:
    changes = Changes()
    async with (
        listening(changes, heartbeat_s=0.01) as (browser, _, _),
        browser.get("/events?seen=0") as response,
    ):
        line = Line(response)
        assert [await line.next() for _ in range(3)] == ["retry: 3000", ": still here", ": still here"]
        changes.mark()
        told = await line.next()
        while told == ": still here":
            told = await line.next()
        assert told == "event: change|data: 1"


async def test_it_ends_with_the_session_and_with_the_daemon() -> None:
    changes = Changes()
    async with listening(changes) as (browser, _, clock):
        async with browser.get("/events?seen=0") as response:
            line = Line(response)
            await line.next()
            clock.advance(SESSION_MS / 1000)
            changes.mark()
            assert await line.next() == ""
        async with browser.get("/events") as response:
            assert response.status == 401
    changes = Changes()
    async with (
        listening(changes, quiet_s=3600.0) as (browser, _, _),
        browser.get("/events?seen=7") as response,
    ):
        line = Line(response)
        assert [await line.next() for _ in range(2)] == ["retry: 3000", "event: change|data: 0"]
        changes.close()
        assert await line.next() == ""


async def test_it_ends_where_nobody_can_tell_whether_the_session_has() -> None:
    changes, broken = Changes(), list[str]()

    def before(_: str) -> None:
        if broken:
            raise StoreError(broken[0])

    async with (
        listening(changes, before=before) as (browser, _, _),
        browser.get("/events?seen=0") as response,
    ):
        line = Line(response)
        assert await line.next() == "retry: 3000"
        broken.append("the store cannot be reached")
        changes.mark()
        assert await line.next() == ""


async def test_one_session_does_not_take_all_the_room() -> None:
    changes = Changes()
    async with listening(changes) as (browser, _, _):
        lines = [await browser.get("/events?seen=0") for _ in range(live.MOST_OF_ONE)]
        async with browser.get("/events?seen=0") as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "10")
        for line in lines:
            line.close()
    with changes.listening("a"):
        assert changes._listeners["a"] == 1
    assert not changes._listeners["a"]


def test_there_is_an_end_to_listeners() -> None:
    changes = Changes()
    stack = [changes.listening(f"{number}") for number in range(live.MOST_LISTENERS + 1)]
    assert [one.__enter__() for one in stack] == [True] * live.MOST_LISTENERS + [False]
    for one in stack:
        one.__exit__(None, None, None)
    assert not changes._listeners


async def test_a_daemon_that_ends_lets_its_listeners_go() -> None:
    async with Stage() as stage:
        await Person(stage).sign_in()
        response = await stage.http.get("/events?seen=0")
        line = Line(response)
        assert await line.next() == "retry: 3000"
        async with asyncio.timeout(PATIENCE_S):
            await stage.server.close()
        assert await line.next() == ""
