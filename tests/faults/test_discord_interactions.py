"""Interactions over HTTP: only Discord is heard, once, and told within its time what is durable."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from adapters.contract import (
    ConnectionState,
    Delivery,
    DeliveryState,
    Pressure,
    WebhookRequest,
    WebhookResponse,
)
from adapters.discord.adapter import DiscordAdapter, build
from adapters.discord.client import Patience
from adapters.discord.config import Config
from adapters.discord.interactions import LATEST_S, LONGEST_BODY, InteractionsAdapter
from adapters.errors import RefusedConnection
from adapters.http import Shared
from adapters.messages import ChatRef, InboundMessage, NotSent, OutboundMessage, Sent
from adapters.testing.discord_parts import EPHEMERAL, Asked
from adapters.testing.discord_server import DiscordServer
from adapters.testing.discord_state import Application
from adapters.testing.timer import QuickTimer

pytestmark = pytest.mark.faults
TOKEN = DiscordServer.token(4242)
ACCEPTED = Delivery(DeliveryState.ACCEPTED)


@dataclass
class Posted:
    server: DiscordServer
    application: Application
    adapter: InteractionsAdapter
    timer: QuickTimer
    delivered: list[InboundMessage] = field(default_factory=list)
    hook: Callable[[InboundMessage], Awaitable[Delivery]] | None = None

    async def deliver(self, message: InboundMessage) -> Delivery:
        self.delivered.append(message)
        return await self.hook(message) if self.hook else ACCEPTED

    async def post(self, raw: Any, **changes: Any) -> WebhookResponse:
        body, headers = self.server.signed(raw, changes.pop("stamp", self.application.now_ms() // 1000))
        request = {"method": "POST", "headers": headers, "body": body, **changes}
        return await self.adapter.handle(WebhookRequest(**request), self.deliver)

    async def asks(self, text: str = "how?") -> tuple[Asked, dict[str, Any]]:
        asked = self.application.ask("ask", text)
        answer = json.loads((await self.post(asked.raw)).body)
        return asked, answer

    async def run(self, report: Callable[..., None] = lambda *_: None) -> None:
        await self.adapter.run(self.deliver, report)


@asynccontextmanager
async def posted(*, interaction_s: float = 20.0, **config: object) -> AsyncIterator[Posted]:
    async with DiscordServer() as server:
        timer = QuickTimer()
        whole = Shared(timer, lambda: "id", chance=lambda: 0.0, public_url="https://bots.example")
        shared = whole.for_bot("support")
        application = server.application(TOKEN)
        application.posts_to = "https://bots.example/api/bots/webhook/discord/support"
        raw = {"bot_token": TOKEN, "api_base_url": f"{server.url}/api/v10", "mode": "interactions"}
        made = Config.model_validate({**raw, "public_key": server.public_key, **config})
        adapter = InteractionsAdapter(made, shared, Patience(interaction_s=interaction_s))
        yield Posted(server, application, adapter, timer)
        await shared.close()


def test_each_mode_has_its_adapter() -> None:
    shared = Shared(QuickTimer(), lambda: "id")
    raw: dict[str, Any] = {"bot_token": TOKEN, "public_key": "00" * 32}
    assert isinstance(build(Config(**raw), shared), DiscordAdapter)
    assert not hasattr(build(Config(**raw), shared), "handle")
    assert isinstance(build(Config(**raw, mode="interactions"), shared), InteractionsAdapter)


async def test_a_ping_is_answered() -> None:
    async with posted() as one:
        response = await one.post({"type": 1, "id": "1", "token": "t"})
        assert (response.status, json.loads(response.body)) == (200, {"type": 1})


async def test_a_command_is_durable_before_it_gets_a_placeholder_and_its_answer() -> None:
    async with posted() as one:
        durable = asyncio.Event()

        async def hook(_: InboundMessage) -> Delivery:
            await asyncio.sleep(0)  # a turn of the loop: an answer that does not wait would be first
            durable.set()
            return ACCEPTED

        one.hook = hook
        asked, answer = await one.asks()
        assert answer == {"type": 5}
        assert durable.is_set()
        (message,) = one.delivered
        assert (message.event_id, message.text, message.account) == (asked.id, "how?", "4242")
        reply = OutboundMessage("k", message.chat, "so", message.event_id, message.details)
        early = await one.adapter.send(reply)  # before Discord has read our response
        assert isinstance(early, NotSent)
        one.application.acknowledge(asked.token, answer)
        assert isinstance(await one.adapter.send(reply), Sent)
        assert [(sent.text, sent.way) for sent in one.application.sent] == [("so", "placeholder")]


async def test_the_same_interaction_again_is_delivered_with_the_same_id() -> None:
    async with posted() as one:
        asked = one.application.ask("reset")
        answers = [await one.post(asked.raw), await one.post(asked.raw)]
        assert [response.status for response in answers] == [200, 200]
        assert [message.event_id for message in one.delivered] == [asked.id] * 2
        assert one.delivered[0].command == "reset"


async def test_forged_signatures_are_refused_and_nothing_is_read() -> None:
    async with posted() as one:
        raw = one.application.ask("ask", "x").raw
        good_body, good = one.server.signed(raw, one.application.now_ms() // 1000)
        other = DiscordServer()
        _, forged = other.signed(raw, one.application.now_ms() // 1000)
        later = {**good, "X-Signature-Timestamp": str(one.application.now_ms() // 1000 + 1)}
        for headers, body in (
            (forged, good_body),
            (later, good_body),
            (good, good_body + b" "),
            ({}, good_body),
            ({**good, "X-Signature-Ed25519": "no hex"}, good_body),
            ({**good, "X-Signature-Ed25519": "é"}, good_body),
            ({**good, "X-Signature-Ed25519": "00" * 63}, good_body),
            ({**good, "X-Signature-Timestamp": "\ud800"}, good_body),
        ):
            assert (await one.post(raw, headers=headers, body=body)).status == 401
        assert one.delivered == []
        lower = {name.lower(): value for name, value in good.items()}
        assert (await one.post(raw, headers=lower, body=good_body)).status == 200


async def test_a_replay_is_refused_by_discords_own_time() -> None:
    async with posted() as one:
        await one.adapter.who_am_i()  # from here on Discord's time is known
        raw = one.application.ask("ask", "x").raw
        now = one.application.now_ms() // 1000
        for stamp in (now - int(LATEST_S) - 5, now + int(LATEST_S) + 5):
            assert (await one.post(raw, stamp=stamp)).status == 401
        assert (await one.post(raw, stamp=now - int(LATEST_S) + 5)).status == 200
        await one.timer.sleep(2 * LATEST_S)
        assert (await one.post(raw, stamp=now)).status == 401
        assert len(one.delivered) == 1


@pytest.mark.parametrize(
    ("raw", "status"),
    [([], 400), ({}, 400), ({"type": 2}, 400), ({"type": 2, "id": "1", "token": "a/b", "data": {}}, 400)],
)
async def test_what_cannot_be_read_is_kept_and_refused(raw: object, status: int) -> None:
    async with posted() as one:
        assert (await one.post(raw)).status == status
        assert one.adapter.unreadable.count == 1


async def test_other_methods_and_large_bodies_are_refused() -> None:
    async with posted() as one:
        response = await one.post({}, method="GET")
        assert (response.status, response.headers["Allow"]) == (405, "POST")
        assert (await one.post({}, body=b" " * (LONGEST_BODY + 1))).status == 413


@pytest.mark.parametrize("state", [DeliveryState.IGNORED, DeliveryState.LIMITED, DeliveryState.OVERLOADED])
async def test_who_is_not_taken_is_told_privately(state: DeliveryState) -> None:
    async with posted() as one:

        async def hook(_: InboundMessage) -> Delivery:
            return Delivery(state, 3.0)

        one.hook = hook
        _, answer = await one.asks()
        assert (answer["type"], answer["data"]["flags"]) == (4, EPHEMERAL)
        assert one.adapter.capabilities.pressure is Pressure.REFUSE


async def test_what_is_not_durable_in_time_gets_no_placeholder() -> None:
    async with posted(interaction_s=0.1) as one:

        async def hook(_: InboundMessage) -> Delivery:
            await asyncio.Event().wait()
            return ACCEPTED

        one.hook = hook
        _, answer = await one.asks()
        assert answer["type"] == 4


async def test_it_is_up_once_discord_knows_the_token_and_has_the_commands() -> None:
    async with posted() as one:
        states: list[ConnectionState] = []
        up = asyncio.Event()

        def report(state: ConnectionState, _: str = "") -> None:
            states.append(state)
            if state is ConnectionState.UP:
                up.set()

        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run(report))
            async with asyncio.timeout(30):
                await up.wait()
            task.cancel()
        assert states == [ConnectionState.CONNECTING, ConnectionState.UP]
        assert sorted(one.application.commands) == ["ask", "help", "reset", "usage"]
        await one.adapter.show_working(ChatRef("700"))
        assert one.application.calls["POST /channels/{id}/typing"] == 0


async def test_a_bad_token_is_refused() -> None:
    async with posted() as one:
        one.application.revoked = True
        with pytest.raises(RefusedConnection):
            await one.run()


async def test_check_says_what_is_missing_in_the_portal() -> None:
    async with posted() as one:
        assert await one.adapter.who_am_i() == "fake-bot (4242)"
        for address in (None, "https://elsewhere.example/hook"):
            one.application.posts_to = address
            with pytest.raises(RefusedConnection, match=r"Endpoint URL.*enter https://bots.example/api/bots"):
                await one.adapter.who_am_i()
