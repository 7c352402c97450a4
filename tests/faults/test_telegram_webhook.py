"""Webhook mode against the fake over real sockets: what is believed, what is acknowledged, what is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from adapters.contract import ConnectionState, Delivery, DeliveryState
from adapters.errors import RefusedConnection
from adapters.http import Shared
from adapters.messages import InboundMessage
from adapters.telegram.adapter import TelegramWebhookAdapter
from adapters.telegram.client import Patience
from adapters.telegram.config import Config
from adapters.testing.telegram_server import TelegramServer
from adapters.testing.telegram_state import Account, Fault, FaultKind
from adapters.testing.timer import QuickTimer
from tests.contract.telegram_webhook_world import Doorway
from tests.faults.telegram_bench import TOKEN, bot

pytestmark = pytest.mark.faults
SECRET = "a-secret_1"
ACCEPTED = Delivery(DeliveryState.ACCEPTED)
UP, DOWN, DEGRADED, REFUSED = (
    ConnectionState.UP,
    ConnectionState.DOWN,
    ConnectionState.DEGRADED,
    ConnectionState.REFUSED,
)


@dataclass
class Hooked:
    account: Account
    adapter: TelegramWebhookAdapter
    doorway: Doorway
    timer: QuickTimer
    session: aiohttp.ClientSession
    reports: list[tuple[ConnectionState, str]] = field(default_factory=list)
    delivered: list[InboundMessage] = field(default_factory=list)
    hook: Callable[[InboundMessage], Awaitable[Delivery]] | None = None
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    def report(self, state: ConnectionState, why: str = "") -> None:
        self.reports.append((state, why))
        self.ring()

    def ring(self) -> None:
        self.bell.set()
        self.bell = asyncio.Event()

    async def deliver(self, message: InboundMessage) -> Delivery:
        self.delivered.append(message)
        self.ring()
        return await self.hook(message) if self.hook else ACCEPTED

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not holds():
                await self.bell.wait()

    async def reaches(self, *states: ConnectionState) -> None:
        def seen() -> bool:
            reported = iter([state for state, _ in self.reports])
            return all(state in reported for state in states)

        await self.until(seen)

    async def post(self, body: bytes, secret: str | None = SECRET, method: str = "POST") -> int:
        headers = {} if secret is None else {"X-Telegram-Bot-Api-Secret-Token": secret}
        url = f"{self.doorway.url}/api/bots/webhook/telegram/shop"
        async with self.session.request(method, url, data=body, headers=headers) as answer:
            return answer.status


def update(number: int, **message: Any) -> bytes:
    said = {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}, "from": {"id": 1}, "text": "hi"}
    return json.dumps({"update_id": number, "message": {**said, **message}}).encode()


@asynccontextmanager
async def hooked(
    *, running: bool = True, public: bool = True, deliver_s: float = 30.0
) -> AsyncIterator[Hooked]:
    doorway, server, timer = Doorway(), TelegramServer(), QuickTimer()
    await doorway.start()
    await server.start()
    shared = Shared(timer, lambda: "id", lambda: 0.0, public_url=doorway.url if public else None)
    raw = {"bot_token": TOKEN, "api_base_url": server.url, "mode": "webhook", "webhook_secret": SECRET}
    patience = Patience(deliver_s=deliver_s)
    adapter = TelegramWebhookAdapter(Config.model_validate(raw), shared.for_bot("shop"), patience)
    one = Hooked(server.account(TOKEN), adapter, doorway, timer, shared.session)
    doorway.adapter, doorway.deliver = adapter, one.deliver
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(adapter.run(one.deliver, one.report)) if running else None
            if running:
                await one.reaches(UP)
            yield one
            if task is not None:
                task.cancel()
    finally:
        for _, why in one.reports:
            assert TOKEN not in why
            assert SECRET not in why
        await shared.close()
        await server.stop()
        await doorway.stop()


async def test_it_tells_telegram_where_it_is() -> None:
    async with hooked() as one:
        assert one.account.webhook == f"{one.doorway.url}/api/bots/webhook/telegram/shop"
        assert one.account.webhook_secret == SECRET
        assert [command["command"] for command in one.account.commands] == ["start", "help", "reset", "new"]
        assert one.account.calls["getUpdates"] == 0
        assert await one.adapter.who_am_i() == (
            f"@{one.account.username} (4242), webhook {one.account.webhook}, 0 updates wait"
        )


async def test_messages_of_a_chat_come_in_order_and_are_acknowledged_when_durable() -> None:
    async with hooked() as one:
        durable = asyncio.Event()

        async def hook(_: InboundMessage) -> Delivery:
            await durable.wait()
            return ACCEPTED

        one.hook = hook
        for text in ("one", "two", "three"):
            one.account.say(text)
        one.account.say("aside", user_id=2)
        await one.until(lambda: len(one.delivered) == 2)
        assert len(one.account.waiting) == 4
        durable.set()
        await one.account.drained()
        assert [m.text for m in one.delivered if m.sender.id == "1"] == ["one", "two", "three"]
        assert one.doorway.statuses == [200] * 4


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET.upper(), "ünï"])
async def test_a_forged_post_is_not_believed(secret: str | None) -> None:
    async with hooked() as one:
        assert await one.post(update(5), secret) == 401
        assert not one.delivered
        assert one.adapter._door.forged == 1


async def test_only_posts_are_heard() -> None:
    async with hooked() as one:
        assert await one.post(b"", method="GET") == 405


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"7", b"\xff", b"[" * 100_000, b'{"update_id": 5, "message": {"chat": "none"}}'],
)
async def test_what_cannot_be_read_is_acknowledged_kept_and_told(body: bytes) -> None:
    async with hooked() as one:
        assert await one.post(body) == 200
        assert one.adapter.unreadable.count == 1
        assert list(one.adapter.unreadable.last) == [body]
        await one.reaches(UP, DEGRADED, UP)
        assert ("1 updates could not be read") in dict(one.reports)[DEGRADED]


async def test_what_is_nothing_for_us_is_acknowledged() -> None:
    async with hooked() as one:
        assert await one.post(b'{"update_id": 5, "edited_message": {}}') == 200
        assert not one.delivered
        assert one.adapter.unreadable.count == 0


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (DeliveryState.ACCEPTED, 200),
        (DeliveryState.DUPLICATE, 200),
        (DeliveryState.IGNORED, 200),
        (DeliveryState.LIMITED, 429),
        (DeliveryState.OVERLOADED, 503),
    ],
)
async def test_only_what_is_taken_is_acknowledged(state: DeliveryState, status: int) -> None:
    async with hooked() as one:

        async def hook(_: InboundMessage) -> Delivery:
            return Delivery(state, 2.5)

        one.hook = hook
        assert await one.post(update(5)) == status


async def test_what_does_not_become_durable_in_time_comes_again() -> None:
    async with hooked(deliver_s=0.2) as one:

        async def hook(_: InboundMessage) -> Delivery:
            if len(one.delivered) == 1:
                await asyncio.Event().wait()
            return ACCEPTED

        one.hook = hook
        one.account.say("slow store")
        await one.account.drained()
        assert one.doorway.statuses == [503, 200]
        assert [message.event_id for message in one.delivered] == ["1001", "1001"]


async def test_before_it_knows_itself_telegram_is_asked_to_come_again() -> None:
    async with hooked(running=False) as one:
        assert await one.post(update(5)) == 503
        assert not one.delivered


async def test_without_a_public_address_a_person_must_act() -> None:
    async with hooked(running=False, public=False) as one:
        with pytest.raises(RefusedConnection, match="public_url"):
            await one.adapter.run(one.deliver, one.report)
        assert one.reports[-1][0] is REFUSED
        assert not one.account.calls


async def test_a_bad_token_is_refused_after_one_try() -> None:
    async with hooked(running=False) as one:
        one.account.revoked = True
        with pytest.raises(RefusedConnection):
            await one.adapter.run(one.deliver, one.report)
        assert one.account.calls == {"getMe": 1}


async def test_an_address_that_telegram_will_not_have_is_tried_again_and_told() -> None:
    async with hooked() as one:
        one.account.webhook = "https://elsewhere.example/"
        refusal = '{"ok": false, "description": "Bad Request: bad webhook: Failed to resolve host"}'
        one.account.fail("setWebhook", Fault(FaultKind.ANSWER, 400, refusal))
        await one.reaches(UP, DEGRADED, DOWN, UP)
        assert "ailed to resolve host" in dict(one.reports)[DOWN]
        assert one.account.webhook == f"{one.doorway.url}/api/bots/webhook/telegram/shop"


async def test_what_telegram_could_not_deliver_is_told_until_it_is_over() -> None:
    async with hooked() as one:
        one.account.post_failed("Connection timed out")
        await one.reaches(UP, DEGRADED, UP)
        assert "Connection timed out" in dict(one.reports)[DEGRADED]
        count = len(one.reports)
        await one.account.called("getWebhookInfo", one.account.calls["getWebhookInfo"] + 3)
        assert len(one.reports) == count


@pytest.mark.parametrize(
    "fault", [Fault(FaultKind.DROP_BEFORE), Fault(FaultKind.ANSWER, 200, '{"ok": true}')]
)
async def test_a_look_that_fails_pauses_and_recovers(fault: Fault) -> None:
    async with hooked() as one:
        one.account.fail("getWebhookInfo", fault, times=2)
        await one.reaches(UP, DOWN, UP)


async def test_leaving_the_mode_takes_the_webhook_back_and_loses_nothing() -> None:
    async with hooked() as one:
        url = one.account.webhook
        assert url is not None
    async with bot(running=False) as two:
        two.account.webhook = url
        two.account.say("sent while nobody listened")
        async with asyncio.TaskGroup() as group:
            task = group.create_task(two.run())
            await two.hears("sent while nobody listened")
            task.cancel()
        assert two.account.webhook is None


def test_without_a_secret_of_ones_own_there_is_one_all_the_same() -> None:
    first, second = (Config.model_validate({"bot_token": token}) for token in ("42:AAsecret", "43:AAsecret"))
    assert first.secret_token != second.secret_token
    assert "AAsecret" not in first.secret_token
    assert first.secret_token == Config.model_validate({"bot_token": "42:AAsecret"}).secret_token
