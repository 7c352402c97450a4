"""What is posted to us in Slack's name: what is believed, what is answered, and when."""

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from adapters.contract import ConnectionState, Delivery, DeliveryState, WebhookRequest, WebhookResponse
from adapters.messages import InboundMessage
from adapters.slack.adapter import LONGEST_BODY
from adapters.slack.signing import signature
from adapters.testing.slack_state import Fault, FaultKind
from tests.faults.slack_bench import HASTY, NOW, SECRET, Bot, bot

pytestmark = pytest.mark.faults
UP, DOWN, DEGRADED, REFUSED = (
    ConnectionState.UP,
    ConnectionState.DOWN,
    ConnectionState.DEGRADED,
    ConnectionState.REFUSED,
)
EVENT: dict[str, Any] = {
    "type": "event_callback",
    "team_id": "T0FAKE",
    "event_id": "Ev1",
    "event": {
        "type": "message",
        "channel_type": "im",
        "channel": "D7",
        "user": "U7",
        "text": "hello",
        "ts": f"{NOW:.6f}",
    },
}


def post(
    body: object = EVENT,
    *,
    secret: str = SECRET,
    at: str = str(int(NOW)),
    method: str = "POST",
    **headers: str,
) -> WebhookRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signed = {
        "Content-Type": "application/json",
        "X-Slack-Request-Timestamp": at,
        "X-Slack-Signature": signature(secret, at, raw),
    }
    return WebhookRequest(method, {**signed, **{k.replace("_", "-"): v for k, v in headers.items()}}, raw)


async def posted(one: Bot, request: WebhookRequest) -> WebhookResponse:
    return await one.events.handle(request, one.deliver)


async def test_an_event_is_answered_once_it_is_durable() -> None:
    async with bot(events=True) as one:
        await one.reaches(UP)
        go_on = asyncio.Event()

        async def hook(_: InboundMessage) -> Delivery:
            await go_on.wait()
            return Delivery(DeliveryState.ACCEPTED)

        one.hook = hook
        async with asyncio.TaskGroup() as group:
            answer = group.create_task(posted(one, post()))
            await one.hears("hello")
            assert not answer.done()
            go_on.set()
        assert answer.result().status == 200


@pytest.mark.parametrize(
    "request_",
    [
        post(secret="another"),
        post(at=str(int(NOW) - 301)),
        post(at=str(int(NOW) + 301)),
        post(at="now"),
        post(at="\uff11\uff17\uff18"),
        post(at="9" * 400),
        post(at=""),
        post(X_Slack_Signature="v0=é"),
        post(X_Slack_Signature="v0=\udcff"),
        post(X_Slack_Signature=""),
        WebhookRequest("POST", {}, b"{}"),
    ],
)
async def test_what_is_not_signed_by_slack_now_is_not_read(request_: WebhookRequest) -> None:
    async with bot(events=True) as one:
        await one.reaches(UP)
        assert (await posted(one, request_)).status == 401
        assert one.delivered == []


async def test_another_body_under_the_same_signature_is_not_believed() -> None:
    async with bot(events=True) as one:
        good = post()
        assert (await posted(one, WebhookRequest("POST", good.headers, good.body + b" "))).status == 401


@pytest.mark.parametrize("at", [str(int(NOW) - 299), str(int(NOW) + 299)])
async def test_five_minutes_are_allowed(at: str) -> None:
    async with bot(events=True) as one:
        assert (await posted(one, post(at=at))).status == 200


async def test_other_methods_and_large_bodies_are_turned_away() -> None:
    async with bot(events=True) as one:
        assert (await posted(one, post(method="GET"))).status == 405
        assert (await posted(one, post(b" " * (LONGEST_BODY + 1)))).status == 413


async def test_the_challenge_is_answered_even_with_slack_away() -> None:
    async with bot(events=True, up=False) as one:
        answer = await posted(one, post({"type": "url_verification", "challenge": "3eZbrw1aB", "token": "x"}))
        assert (answer.status, json.loads(answer.body)) == (200, {"challenge": "3eZbrw1aB"})


async def test_while_nobody_knows_who_we_are_nothing_is_taken_nor_dropped() -> None:
    async with bot(events=True, running=False) as one:
        one.account.fail(
            "auth.test", Fault(FaultKind.ANSWER, 200, '{"ok": false, "error": "internal_error"}')
        )
        answer = await posted(one, post())
        assert (answer.status, answer.headers) == (503, {"Retry-After": "1"})
        assert one.delivered == []
        assert (await posted(one, post())).status == 200
        await one.hears("hello")


async def test_what_takes_too_long_comes_again() -> None:
    async with bot(patience=HASTY, events=True) as one:
        await one.reaches(UP)

        async def hook(_: InboundMessage) -> Delivery:
            await asyncio.Event().wait()
            raise AssertionError

        one.hook = hook
        assert (await posted(one, post())).status == 503
        one.hook = None
        again = post(X_Slack_Retry_Num="1", X_Slack_Retry_Reason="http_timeout")
        assert (await posted(one, again)).status == 200
        assert [message.event_id for message in one.delivered] == [f"D7:{NOW:.6f}"] * 2


@pytest.mark.parametrize(
    ("delivery", "status", "retry"),
    [
        (Delivery(DeliveryState.OVERLOADED, 2.2), 503, "3"),
        (Delivery(DeliveryState.LIMITED), 503, "1"),
        (Delivery(DeliveryState.DUPLICATE), 200, None),
        (Delivery(DeliveryState.IGNORED), 200, None),
    ],
)
async def test_what_the_daemon_says_is_told(delivery: Delivery, status: int, retry: str | None) -> None:
    async with bot(events=True) as one:

        async def hook(_: InboundMessage) -> Delivery:
            return delivery

        one.hook = hook
        answer = await posted(one, post())
        assert (answer.status, answer.headers.get("Retry-After")) == (status, retry)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"\xff\xfe", b'{"event": 7}', b'{"type": "x", "authorizations": 5}']
)
async def test_what_cannot_be_read_is_kept_and_taken(body: bytes) -> None:
    async with bot(events=True) as one:
        await one.reaches(UP)
        assert (await posted(one, post(body))).status == 200
        assert one.adapter.unreadable.count == 1
        await one.reaches(UP, DEGRADED)
        assert (await posted(one, post())).status == 200
        await one.reaches(UP, DEGRADED, UP)


async def test_a_slash_command_comes_as_a_form() -> None:
    async with bot(events=True) as one:
        fields = {"command": "/reset", "text": "", "channel_id": "C1", "user_id": "U7", "trigger_id": "1.2.x"}
        form = post(urlencode(fields).encode(), Content_Type="application/x-www-form-urlencoded")
        answer = await posted(one, form)
        assert (answer.status, answer.body) == (200, b"")
        assert [(message.command, message.event_id) for message in one.delivered] == [
            ("reset", "slash:1.2.x")
        ]


async def test_messages_of_one_channel_are_handed_in_one_after_the_other() -> None:
    async with bot(events=True) as one:
        await one.reaches(UP)
        go_on, under_way = asyncio.Event(), 0

        async def hook(_: InboundMessage) -> Delivery:
            nonlocal under_way
            under_way += 1
            assert under_way == 1
            await go_on.wait()
            under_way -= 1
            return Delivery(DeliveryState.ACCEPTED)

        one.hook = hook
        bodies = [
            {**EVENT, "event": {**EVENT["event"], "text": f"{n}", "ts": f"{NOW + n:.6f}"}} for n in range(5)
        ]
        async with asyncio.TaskGroup() as group:
            for body in bodies:
                group.create_task(posted(one, post(body)))
            await one.hears("0")
            go_on.set()
        assert [message.text for message in one.delivered] == list("01234")


async def test_a_bad_token_is_refused_and_a_good_one_waits_for_the_network() -> None:
    async with bot(events=True, up=False) as one:
        await one.reaches(DOWN)
        await one.timer.waits(4)
        assert one.timer.slept[:4] == [0.25, 0.5, 1, 2]
        await one.server.start()
        await one.reaches(DOWN, UP)
        one.account.revoked = True
        await posted(one, post({**EVENT, "event": {"type": "app_uninstalled"}}))
        await one.until(lambda: one.refused is not None)
        assert one.states[-1] is REFUSED


async def test_a_socket_bot_takes_no_posts() -> None:
    async with bot(running=False) as one:
        assert not hasattr(one.adapter, "handle")
