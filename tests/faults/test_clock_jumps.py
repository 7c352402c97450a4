"""Promise: a clock set a day forward or back loses, doubles and frees nothing; only calendar days begin anew.

A whole daemon on real sockets, whose calendar the test moves while it works, as an operator or a time server may.
"""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from adapters.testing.telegram_state import Fault, FaultKind
from runner.clock import SystemClock, UnixMs
from runner.money.ledger import LedgerEntry
from runner.money.reservation import ReservationState
from runner.ports.books import LedgerFilter
from runner.ports.mail import OutboxState
from runner.ports.observer import SendEnded
from runner.testing.model_script import Say
from runner.web.auth import load_secret, make_token
from tests.faults.reload_house import ADA, TEXT, House, house

pytestmark = pytest.mark.faults

DAY_MS = 86_400_000
DAY_S = 86_400
BOTH_WAYS = pytest.mark.parametrize("jump_ms", [DAY_MS, -DAY_MS], ids=["forward", "back"])
SLOW_DOWN = """{"ok": false, "error_code": 429, "description": "Too Many Requests: retry after 1",
"parameters": {"retry_after": 1}}"""
CAPPED = TEXT.replace(
    "max_tokens_per_turn: 300", "max_tokens_per_turn: 3000, caps: {{user: {{day_cents: 1}}}}"
)


class Leaping(SystemClock):
    """The machine's clock, but for the calendar, which a test moves; who waits does not notice."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def now_ms(self) -> UnixMs:
        return UnixMs(super().now_ms() + self.ahead_ms)


async def ledger(home: House) -> list[LedgerEntry]:
    return [row async for row in home.daemon.store.ledger(LedgerFilter())]


@BOTH_WAYS
async def test_a_call_under_way_keeps_its_hold_and_is_answered_once(tmp_path: Path, jump_ms: int) -> None:
    clock = Leaping()
    async with house(tmp_path, clock=clock) as home:
        home.model.script(Say("Late, but here.", latency_s=5.0))
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(home.ask("hello", event="m1"))
            await home.asked(1)
            await home.time.asleep()
            clock.ahead_ms = jump_ms
            home.daemon.lanes.look()
            [row] = await ledger(home)
            assert row.state is ReservationState.HELD, "no hold runs out"
            home.time.advance(5.0)
            status, told = await asking
        assert (status, told["response"]) == (200, "Late, but here.")
        status, again = await home.ask("hello", event="m1")
        assert (status, again["turn_id"]) == (200, told["turn_id"])
        [row] = await ledger(home)
        assert row.state is ReservationState.SETTLED
        assert len(home.model.bill) == 1


@BOTH_WAYS
async def test_what_waits_to_be_sent_is_sent_once(tmp_path: Path, jump_ms: int) -> None:
    clock = Leaping()
    async with house(tmp_path, clock=clock) as home:
        account = home.telegram.account(ADA)
        account.fail("sendMessage", Fault(FaultKind.ANSWER, 429, SLOW_DOWN))
        account.say("hello")
        await home.observer.until(SendEnded)
        clock.ahead_ms = jump_ms
        await account.replies(1)
        account.say("and again")
        await account.replies(2)
        assert Counter(event.fate for event in await home.observer.until(SendEnded, 3)) == {
            "later": 1,
            "sent": 2,
        }
        assert await home.daemon.store.outgoing(OutboxState.PENDING, 10) == []


@BOTH_WAYS
async def test_a_minute_is_still_a_minute(tmp_path: Path, jump_ms: int) -> None:
    """Rates are kept by the clock that only grows."""
    clock = Leaping()
    text = TEXT.replace("rate_limit_per_minute: null", "rate_limit_per_minute: 2")
    async with house(tmp_path, text, clock=clock) as home:
        assert [(await home.ask("hello"))[0] for _ in range(3)] == [200, 200, 429]
        clock.ahead_ms = jump_ms
        assert (await home.ask("hello"))[0] == 429


async def test_a_day_has_one_allowance_however_often_it_comes(tmp_path: Path) -> None:
    clock = Leaping()
    async with house(tmp_path, CAPPED, clock=clock) as home:
        home.model._standing = Say("A lot.", at_bound=True)

        async def spend() -> int:
            """Ask until the day's allowance is used up; how many answers it bought."""
            answers = 0
            while (told := (await home.ask("hello"))[1])["stop_reason"] != "budget":
                assert told["stop_reason"] in {"answered", "output_limit"}, told
                answers += 1
            return answers

        first = await spend()
        assert first >= 1
        clock.ahead_ms = DAY_MS
        assert await spend() == first, "a new day begins with all of it"
        clock.ahead_ms = 0
        assert await spend() == 0, "the day before comes again: what it spent is spent"
        clock.ahead_ms = DAY_MS
        assert await spend() == 0
        by_day = Counter(name for row in await ledger(home) if row.cost for name in row.scopes if "@" in name)
        spent = {name: (await home.daemon.store.counters([name]))[name].gone for name in by_day}
        assert len(spent) == 2
        assert max(spent.values()) <= 10**10, "pico-dollars: a cent a day"


async def test_who_was_let_in_stays_in(tmp_path: Path) -> None:
    """A token of a day that has not come yet: the clock was set back since it was made."""
    async with house(tmp_path) as home:
        now_s = SystemClock().now_ms() // 1000
        token = make_token(load_secret(tmp_path / "state", None), "admin", 1, now_s + DAY_S)
        async with home.http.get("/api/status", headers={"Authorization": f"Bearer {token}"}) as response:
            assert response.status == 200, await response.text()
