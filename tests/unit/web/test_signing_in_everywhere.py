"""Sessions and links at all daemons of a store: what one of them ended or took is over at the others, and for good."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from yarl import URL

from runner.dispatch.limits import OwnRates
from runner.errors import StoreError
from runner.ports.observer import Fault
from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.web.api.talking import TESTS_PER_MINUTE
from runner.web.entry import LOGINS_PER_MINUTE
from runner.web.seals import LINK_MS, new_link
from runner.web.sessions import CLOCKS_DIFFER_MS, COOKIE, SESSION_MS
from tests.unit.web.test_signing_in import post, sign_in, token
from tests.unit.web.web_stage import SECRET, Stage, bearer

PAGE = {"Accept": "text/html"}


@dataclass
class House:
    """Where two daemons live. `faults`: beginnings of the store's methods that fail."""

    faults: list[str] = field(default_factory=list)
    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.store = MemoryStore(self._before)
        self.store.rates = OwnRates(self.clock)

    def _before(self, method: str) -> None:
        if any(method.startswith(fault) for fault in self.faults):
            raise StoreError("the store cannot be reached")

    @asynccontextmanager
    async def two(self) -> AsyncIterator[tuple[Stage, Stage]]:
        async with (
            Stage(store=self.store, clock=self.clock) as one,
            Stage(store=self.store, clock=self.clock) as other,
        ):
            yield one, other


def cookie_of(stage: Stage) -> dict[str, str]:
    """What a thief of the cookie would send."""
    return {"Cookie": f"{COOKIE}={stage.http.cookie_jar.filter_cookies(URL(stage.url))[COOKIE].value}"}


async def test_a_session_is_good_at_each_daemon_until_it_is_ended_at_any() -> None:
    house = House()
    async with house.two() as (one, other):
        csrf = await sign_in(one)
        kept = cookie_of(one)
        assert (await other.ask("GET", "/api/bots", headers=kept))[0] == 200
        assert (await post(one, "/logout", {"csrf": csrf}))[0] == 303
        for _ in range(2):
            assert (await other.ask("GET", "/api/bots", headers=kept))[0] == 401
            assert (await other.ask("GET", "/events", headers=kept))[0] == 401
    async with Stage(store=house.store, clock=house.clock) as later:
        assert (await later.ask("GET", "/api/bots", headers=kept))[0] == 401, "after a restart"


async def test_a_sign_out_is_remembered_for_longer_than_any_clock_takes_the_cookie() -> None:
    house = House()
    async with house.two() as (one, _):
        csrf = await sign_in(one, token())
        await post(one, "/logout", {"csrf": csrf})
        over = house.clock.now_ms() + SESSION_MS
        assert await house.store.values.drop_ended(over + CLOCKS_DIFFER_MS - 1) == 0
        assert len(await house.store.values.values("session-ended/", over)) == 1
        assert await house.store.values.drop_ended(over + CLOCKS_DIFFER_MS) == 1


async def test_a_link_is_good_once_wherever_it_is_used() -> None:
    house = House()
    async with house.two() as (one, other):
        for _ in range(3):
            link = {"token": new_link(SECRET, house.clock.now_ms())}
            told = await asyncio.gather(post(one, "/login", link), post(other, "/login", link))
            assert sorted(status for status, _, _ in told) == [303, 401]
        unused = {"token": new_link(SECRET, house.clock.now_ms())}
    async with Stage(store=house.store, clock=house.clock) as later:
        assert (await post(later, "/login", link))[0] == 401, "after a restart"
        assert (await post(later, "/login", unused))[0] == 303
        used = await house.store.values.values("link-used/", house.clock.now_ms() + LINK_MS)
        assert len(used) == 4


async def test_tries_to_sign_in_and_tests_are_counted_together() -> None:
    house = House()
    async with house.two() as both:
        for number in range(LOGINS_PER_MINUTE):
            assert (await post(both[number % 2], "/login", {"token": "x"}))[0] == 401
        for stage in both:
            status, _, headers = await post(stage, "/login", {"token": token()})
            assert (status, headers["Retry-After"]) == (429, "61")
        mine = bearer()
        said = {"message": "hello", "user_id": "ada"}
        for number in range(TESTS_PER_MINUTE):
            path = "/api/bots/shop/test"
            assert (await both[number % 2].ask("POST", path, headers=mine, json=said))[0] == 200
        assert [(await stage.ask("POST", path, headers=mine, json=said))[0] for stage in both] == [429, 429]


@pytest.mark.parametrize("path", ["/", "/usage", "/login"])
async def test_while_the_store_fails_a_cookie_opens_nothing(path: str) -> None:
    house = House()
    async with house.two() as (one, _):
        await sign_in(one)
        house.faults.append("values.")
        status, text, headers = await one.ask("GET", path, headers=PAGE)
        assert (status, headers["Retry-After"]) == (503, "1")
        assert "the store does not answer" in text
        status, said, _ = await one.ask("GET", "/api/bots")
        assert (status, said["error"]["code"]) == (503, "store")
        assert {fault.why for fault in one.observer.of(Fault)} == {"the store cannot be reached"}
        assert (await one.ask("GET", "/api/bots", headers=bearer()))[0] == 200, "a token needs no store"
        house.faults.clear()
        assert (await one.ask("GET", "/api/bots"))[0] == 200


async def test_while_the_store_fails_no_link_is_taken_and_none_used_up() -> None:
    house = House()
    async with house.two() as (one, _):
        link = {"token": new_link(SECRET, house.clock.now_ms())}
        house.faults.append("values.")
        status, text, headers = await post(one, "/login", link, Accept="text/html")
        assert (status, "the store does not answer" in text) == (503, True)
        assert "Set-Cookie" not in headers
        house.faults.clear()
        assert (await post(one, "/login", link))[0] == 303


async def test_a_sign_out_that_was_not_remembered_is_not_told_as_one() -> None:
    house = House()
    async with house.two() as (one, _):
        csrf = await sign_in(one)
        house.faults.append("values.put")
        status, _, headers = await post(one, "/logout", {"csrf": csrf})
        assert (status, "Set-Cookie" in headers) == (503, False)
        house.faults.clear()
        assert (await one.ask("GET", "/api/bots"))[0] == 200
        assert (await post(one, "/logout", {"csrf": csrf}))[0] == 303
