"""Alerts: once, in time, and again until they are taken."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from adapters.signatures import is_signed
from runner.bots import Secret
from runner.money.amounts import Money, from_usd
from runner.money.terms import WalletTerms
from runner.ports.books import Alert, WaitingAlert
from runner.ports.observer import AlertRaised, BoundBroken, Fault, HandoffAsked, LimitUsed, SpendRefused
from runner.store.memory import MemoryStore
from runner.telemetry.alert_text import body_of, sentence
from runner.telemetry.alerts import MOST_TRIES, Alerts, Hook
from runner.testing.clock import ManualClock
from runner.testing.observer import RecordingObserver

LIMIT = from_usd("5")
HOOK = Hook(Secret("https://alerts.example/hook"), Secret("key"))


@dataclass
class Desk:
    """Whoever takes alerts: answers with these statuses, in order, then 200."""

    answers: list[int | OSError] = field(default_factory=list)
    posted: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    wanted: int = 1

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        self.posted.append((url, body, headers))
        if len(self.posted) >= self.wanted:
            self.arrived.set()
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, OSError):
            raise answer
        return answer


class Rushing(ManualClock):
    """Whoever sleeps finds the time gone by at once."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await super().sleep(0)


@dataclass
class World:
    alerts: Alerts
    store: MemoryStore
    observer: RecordingObserver
    clock: ManualClock
    desk: Desk

    def raised(self) -> list[tuple[str, int]]:
        return [(event.scope, event.percent) for event in self.observer.of(AlertRaised)]

    async def posts(self, count: int) -> list[dict[str, object]]:
        self.desk.wanted = count
        if len(self.desk.posted) < count:
            self.desk.arrived.clear()
            await self.desk.arrived.wait()
        return [json.loads(body) for _, body, _ in self.desk.posted]


@asynccontextmanager
async def world(
    store: MemoryStore | None = None,
    hook: Hook | None = HOOK,
    wallet: WalletTerms | None = None,
    desk: Desk | None = None,
) -> AsyncIterator[World]:
    store, desk = store or MemoryStore(), desk or Desk()
    observer, clock = RecordingObserver(), Rushing()
    await store.open()
    alerts = Alerts(store, clock, observer, desk.post, lambda: hook, lambda: wallet)
    task = asyncio.create_task(alerts.run())  # noqa: TID251 - ended below
    yield World(alerts, store, observer, clock, desk)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def used(percent: int, gone: str, scope: str = "bot:support", limit: Money = LIMIT) -> LimitUsed:
    return LimitUsed("support", scope, percent, limit, from_usd(gone))


async def test_on_a_fleet_whoever_delivers_looks_for_what_others_raised() -> None:
    store, desk, clock = MemoryStore(), Desk(), Rushing()
    await store.open()
    one, two = (
        Alerts(store, clock, RecordingObserver(), desk.post, lambda: HOOK, lambda: None, shared=True)
        for _ in range(2)
    )
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(one.tell_all()), tasks.create_task(two.tell_all())]
        running.append(tasks.create_task(two.deliver_all()))
        two.note(used(50, "2.5"))
        one.note(used(50, "2.6"))
        one.note(used(80, "4"))
        while len(desk.posted) < 2:
            desk.arrived.clear()
            await desk.arrived.wait()
        for task in running:
            task.cancel()
    assert sorted(json.loads(body)["percent"] for _, body, _ in desk.posted) == [50, 80]


async def test_each_percentage_is_told_once() -> None:
    async with world() as one:
        for event in (used(50, "2.5"), used(50, "2.6"), used(80, "4"), used(80, "4.1"), used(100, "5")):
            one.alerts.note(event)
        assert [alert["percent"] for alert in await one.posts(3)] == [50, 80, 100]
        assert one.raised() == [("bot:support", 50), ("bot:support", 80), ("bot:support", 100)]


async def test_a_great_leap_is_one_alert() -> None:
    async with world() as one:
        one.alerts.note(used(100, "5"))
        one.alerts.note(used(50, "2.5"))  # told with it, though it comes later
        one.alerts.note(used(50, "50", limit=from_usd("100")))
        assert [alert["percent"] for alert in await one.posts(2)] == [100, 50]


async def test_a_refusal_is_the_whole_limit_and_told_once() -> None:
    async with world() as one:
        for turn in range(5):
            one.alerts.note(
                SpendRefused("support", f"t{turn}", "bot:support", "limit", LIMIT, from_usd("4.99"))
            )
        one.alerts.note(SpendRefused("support", "t9", "bot:support", "busy", LIMIT, 0))
        one.alerts.note(SpendRefused("support", "t9", "message:t9", "limit", LIMIT, LIMIT))
        one.alerts.note(used(50, "2.5", "bot:other"))
        assert [alert["scope"] for alert in await one.posts(2)] == ["bot:support", "bot:other"]


async def test_a_restart_tells_nothing_twice() -> None:
    store = MemoryStore()
    async with world(store) as one:
        one.alerts.note(used(80, "4"))
        await one.posts(1)
    async with world(store) as one:
        one.alerts.note(used(80, "4"))
        one.alerts.note(used(50, "4"))
        one.alerts.note(used(100, "5"))
        assert [alert["percent"] for alert in await one.posts(1)] == [100]


async def test_what_was_raised_is_delivered_after_a_restart() -> None:
    store = MemoryStore()
    await store.open()
    await store.raise_alert(Alert("bot:support", 80, LIMIT, LIMIT, 0), deliver=True)
    async with world(store) as one:
        assert [alert["scope"] for alert in await one.posts(1)] == ["bot:support"]


async def test_it_is_signed_and_has_the_same_id_each_time() -> None:
    desk = Desk([500, ConnectionRefusedError(), 429])
    async with world(desk=desk) as one:
        one.alerts.note(used(80, "4.10"))
        await one.posts(4)
    assert {body for _, body, _ in desk.posted} == {desk.posted[0][1]}
    url, body, headers = desk.posted[0]
    assert url == "https://alerts.example/hook"
    assert is_signed("key", body, headers["X-Signature-256"])
    assert headers["Idempotency-Key"] == json.loads(body)["id"] == "alert-1"


async def test_a_dead_webhook_is_given_up_and_others_go_on() -> None:
    desk = Desk([500] * MOST_TRIES)
    async with world(desk=desk) as one:
        one.alerts.note(used(80, "4"))
        await one.posts(MOST_TRIES)
        one.alerts.note(used(100, "5"))
        assert (await one.posts(MOST_TRIES + 1))[-1]["percent"] == 100
        assert [fault.why for fault in one.observer.of(Fault)] == [
            f"given up after {MOST_TRIES} tries: HTTP 500"
        ]


async def test_without_a_webhook_it_is_told_all_the_same() -> None:
    async with world(hook=None) as one:
        one.alerts.note(used(80, "4"))
        await one.observer.until(AlertRaised)
        assert await one.store.waiting_alerts(9) == []


async def test_the_wallets_soft_limit() -> None:
    terms = WalletTerms(soft_limit=from_usd("2"))
    async with world(wallet=terms) as one:
        for gone in ("1", "2.99", "3", "3.5"):
            one.alerts.note(LimitUsed("support", "wallet", 0, LIMIT, from_usd(gone)))
        [alert] = await one.posts(1)
        assert (alert["type"], alert["gone"], alert["limit"]) == ("wallet_low", "3.00", "5.00")


async def test_a_model_that_broke_its_bound_is_told() -> None:
    async with world() as one:
        one.alerts.note(BoundBroken("support", "t1-1", "openai", "gpt", Money(1), Money(2)))
        [alert] = await one.posts(1)
        assert "set aside" in str(alert["text"])


@pytest.mark.parametrize(
    ("scope", "text"),
    [
        ("bot:support", "The bot support has used 80 % of 5.00 USD (4.00 USD)."),
        ("bot:support@2026-11", "The bot support in 2026-11 has used 80 % of 5.00 USD (4.00 USD)."),
        (
            "user:support/slack/a@b@2026-11-22",
            "The user slack/a@b of the bot support in 2026-11-22 has used 80 % of 5.00 USD (4.00 USD).",
        ),
        ("wallet", "The wallet has used 80 % of 5.00 USD (4.00 USD)."),
        ("plan:basic@2026-11", "The plan basic in 2026-11 has used 80 % of 5.00 USD (4.00 USD)."),
    ],
)
def test_sentences(scope: str, text: str) -> None:
    assert sentence(Alert(scope, 80, LIMIT, from_usd("4"), 0)) == text


def test_a_limit_is_reached_before_it_is_used_up() -> None:
    alert = Alert("bot:support", 100, LIMIT, from_usd("4.9"), 0)
    assert sentence(alert) == (
        "The bot support has reached the limit of 5.00 USD: 4.90 USD are used, the next call does not fit."
    )


def test_tokens_are_not_dollars() -> None:
    body = json.loads(body_of(WaitingAlert(3, Alert("plan-tokens:basic@2026-11", 50, 1000, 510, 0))))
    assert (body["unit"], body["limit"], body["gone"]) == ("tokens", "1000", "510")


async def test_a_reviewer_is_asked_once_also_over_restarts() -> None:
    store, asked = MemoryStore(), HandoffAsked("shop", "web", "ht12.ask", "rt12")
    async with world(store) as one:
        one.alerts.note(asked)
        one.alerts.note(asked)
        one.alerts.note(HandoffAsked("shop", "web", "ht13.ask", "rt13"))
        first, second = await one.posts(2)
        assert (first["type"], first["bot"], first["handoff"]) == ("handoff", "shop", "ht12.ask")
        assert first["text"] == (
            "The bot shop asks a reviewer to decide the hand-off ht12.ask: on the dashboard's page Hand-offs, or with"
            " botrunner handoff approve ht12.ask."
        )
        assert second["scope"] == "handoff:shop/ht13.ask"
        assert one.raised() == [("handoff:shop/ht12.ask", 0), ("handoff:shop/ht13.ask", 0)]
    async with world(store) as one:
        one.alerts.note(asked)  # told again at each start
        one.alerts.note(used(50, "2.5"))
        assert [alert["type"] for alert in await one.posts(1)] == ["limit"]
