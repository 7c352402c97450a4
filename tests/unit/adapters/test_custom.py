"""The custom platform: what is refused and why, and who gets which answer."""

import asyncio
import itertools
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Delivery, DeliveryState, WebhookRequest, WebhookResponse
from adapters.custom.adapter import CustomAdapter
from adapters.custom.config import Config
from adapters.custom.wire import LONGEST_BODY, Fault, parse
from adapters.http import Shared
from adapters.messages import ChatRef, InboundMessage, OutboundMessage, Sent
from adapters.signatures import sha256_hex
from adapters.testing.timer import QuickTimer

SECRET = "top söcret"
GOOD: dict[str, Any] = {"text": "hi", "user_id": "u1"}
JSON = {"Content-Type": "application/json"}
BEARER = {**JSON, "Authorization": f"Bearer {SECRET}"}


def adapter(
    secret: str | None = SECRET, most_waiting: int = 100, answer_timeout_s: float = 30
) -> CustomAdapter:
    number = itertools.count(1)
    config = Config.model_validate({"secret": secret, "answer_timeout_s": answer_timeout_s})
    return CustomAdapter(config, Shared(QuickTimer(), lambda: f"made-{next(number)}"), most_waiting)


def post(body: object = GOOD, headers: dict[str, str] | None = None, **more: Any) -> WebhookRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return WebhookRequest(**{"method": "POST", "headers": headers or BEARER, "body": raw, **more})


def said(response: WebhookResponse) -> Any:
    return json.loads(response.body)


class Answering:
    """Accepts and answers at once, unless told otherwise."""

    def __init__(self, one: CustomAdapter, delivery: Delivery | None = None, *, mute: bool = False) -> None:
        self.one, self.delivery, self.mute = one, delivery or Delivery(DeliveryState.ACCEPTED), mute
        self.delivered: list[InboundMessage] = []
        self.arrived = asyncio.Event()

    async def __call__(self, message: InboundMessage) -> Delivery:
        self.delivered.append(message)
        self.arrived.set()
        if not self.mute and self.delivery.state in {DeliveryState.ACCEPTED, DeliveryState.DUPLICATE}:
            await self.answer(message)
        return self.delivery

    async def answer(self, message: InboundMessage) -> None:
        report = {"tokens": {"input": 5, "output": 2}, "cost_cents": 0.25, "latency_ms": 12, "route": "x"}
        text = f"re: {message.text}"
        out = OutboundMessage("k", message.chat, text, message.event_id, report=report)
        assert await self.one.send(out) == Sent(message.event_id)


async def test_the_answer_is_the_response() -> None:
    one = adapter()
    response = await one.handle(post({**GOOD, "message_id": "m1"}), Answering(one))
    assert response.status == 200
    assert said(response) == {
        "response": "re: hi",
        "message_id": "m1",
        "tool_calls": [],
        "tokens": {"input": 5, "output": 2},
        "cost_cents": 0.25,
        "latency_ms": 12,
        "route": "x",
    }
    assert not one._waiting


@pytest.mark.parametrize(
    ("body", "headers", "event"),
    [
        ({**GOOD, "message_id": "m1"}, {"Idempotency-Key": "k1"}, "m1"),
        ({**GOOD, "message_id": 17}, {}, "17"),
        (GOOD, {"idempotency-key": "k1"}, "k1"),
        (GOOD, {}, "made-1"),
    ],
)
async def test_which_id_a_message_has(body: dict[str, Any], headers: dict[str, str], event: str) -> None:
    one = adapter()
    answering = Answering(one)
    await one.handle(post(body, {**BEARER, **headers}), answering)
    assert [message.event_id for message in answering.delivered] == [event]


async def test_a_user_without_channel_is_a_channel() -> None:
    one = adapter()
    answering = Answering(one)
    await one.handle(post({"text": "/Help me", "user_id": 5, "user_name": "Ada", "what": 1}), answering)
    await one.handle(post({**GOOD, "channel_id": "c"}), answering)
    first, second = answering.delivered
    assert (first.chat.id, first.sender.id, first.sender.name, first.command) == ("5", "5", "Ada", "help")
    assert (second.chat.id, second.sender.id, second.command) == ("c", "u1", None)


@pytest.mark.parametrize(
    ("body", "task"), [({}, ""), ({"task": None}, ""), ({"task": "refund_2"}, "refund_2")]
)
async def test_a_message_may_say_what_it_is_for(body: dict[str, Any], task: str) -> None:
    one = adapter()
    answering = Answering(one)
    await one.handle(post({**GOOD, **body}), answering)
    assert [message.task for message in answering.delivered] == [task]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"{", [""]),
        (b"\xff", [""]),
        (b"[" * 100_000, [""]),
        ([], [""]),
        ({}, ["text", "user_id"]),
        ({"text": " ", "user_id": ""}, ["text", "user_id"]),
        ({"text": 5, "user_id": True, "channel_id": [], "user_name": 5, "message_id": {}},
         ["text", "user_id", "channel_id", "user_name", "message_id"]),
        ({"text": "\ud800", "user_id": "\0"}, ["text", "user_id"]),
        ({"text": "x", "user_id": "u" * 257}, ["user_id"]),
        ({**GOOD, "task": "FAQ"}, ["task"]),
        ({**GOOD, "task": ""}, ["task"]),
        ({**GOOD, "task": 5}, ["task"]),
        ({**GOOD, "task": "t" * 65}, ["task"]),
    ],
)  # fmt: skip
async def test_all_faults_of_a_body_at_once(body: object, fields: list[str]) -> None:
    one = adapter()
    answering = Answering(one)
    response = await one.handle(post(body), answering)
    error = said(response)["error"]
    assert (response.status, error["code"]) == (400, "invalid")
    assert [fault["field"] for fault in error["details"]] == fields
    assert not answering.delivered


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"method": "GET"}, 405),
        ({"headers": JSON}, 401),
        ({"headers": {**JSON, "Authorization": "Bearer wrong"}}, 401),
        ({"headers": {**JSON, "Authorization": f"Basic {SECRET}"}}, 401),
        ({"headers": {**JSON, "Authorization": "Bearer \udcff"}}, 401),
        ({"headers": {**JSON, "X-Signature-256": "sha256=é"}}, 401),
        ({"headers": {**JSON, "X-Signature-256": "sha256=" + sha256_hex(SECRET, b"another body")}}, 401),
        ({"headers": {**BEARER, "Content-Type": "text/plain"}}, 415),
        ({"headers": {**BEARER, "Content-Type": "application/x-www-form-urlencoded"}}, 415),
        ({"body": b" " * (LONGEST_BODY + 1)}, 413),
    ],
)
async def test_what_is_not_even_read(change: dict[str, Any], status: int) -> None:
    one = adapter()
    answering = Answering(one)
    response = await one.handle(replace(post(), **change), answering)
    assert response.status == status
    assert set(said(response)["error"]) == {"code", "message", "details"}
    assert SECRET not in response.body.decode()
    assert not answering.delivered


@pytest.mark.parametrize("name", ["X-Signature-256", "x-hub-signature-256", "X-Signature"])
@pytest.mark.parametrize("prefix", ["sha256=", ""])
async def test_a_signed_body_is_believed(name: str, prefix: str) -> None:
    one = adapter()
    body = json.dumps(GOOD).encode()
    headers = {
        "content-type": "application/json; charset=utf-8",
        name: prefix + sha256_hex(SECRET, body).upper(),
    }
    assert (await one.handle(post(body, headers), Answering(one))).status == 200


@pytest.mark.parametrize(("loopback", "status"), [(True, 200), (False, 403)])
async def test_without_a_secret_only_this_machine_is_served(*, loopback: bool, status: int) -> None:
    one = adapter(secret=None)
    response = await one.handle(post(headers=JSON, peer_is_loopback=loopback), Answering(one))
    assert response.status == status


@pytest.mark.parametrize(
    ("delivery", "status", "retry"),
    [
        (Delivery(DeliveryState.LIMITED, 2.2), 429, "3"),
        (Delivery(DeliveryState.OVERLOADED), 503, "1"),
        (Delivery(DeliveryState.IGNORED), 403, None),
    ],
)
async def test_what_is_not_taken(delivery: Delivery, status: int, retry: str | None) -> None:
    one = adapter()
    response = await one.handle(post(), Answering(one, delivery))
    assert (response.status, response.headers.get("Retry-After")) == (status, retry)
    assert status != 429 or said(response)["error"]["message"] == "Too Many Requests"
    assert not one._waiting


async def test_requests_with_one_id_get_one_answer() -> None:
    one = adapter()
    answering = Answering(one, mute=True)
    body = {**GOOD, "message_id": "same"}
    asked = [asyncio.ensure_future(one.handle(post(body), answering)) for _ in range(3)]  # noqa: TID251 - callers
    while len(answering.delivered) < 3:
        await answering.arrived.wait()
        answering.arrived.clear()
    await answering.answer(answering.delivered[0])
    assert [said(response)["response"] for response in await asyncio.gather(*asked)] == ["re: hi"] * 3
    assert not one._waiting


async def test_an_answer_that_takes_too_long_can_be_asked_for_again() -> None:
    one = adapter(answer_timeout_s=0.01)
    response = await one.handle(post({**GOOD, "message_id": "late"}), Answering(one, mute=True))
    assert (response.status, said(response)["error"]["code"]) == (504, "pending")
    assert "late" in said(response)["error"]["message"]
    again = await one.handle(
        post({**GOOD, "message_id": "late"}), Answering(one, Delivery(DeliveryState.DUPLICATE))
    )
    assert said(again)["response"] == "re: hi"


async def test_too_many_waiting_are_turned_away_and_leave_no_trace() -> None:
    one = adapter(most_waiting=1)
    answering = Answering(one, mute=True)
    first = asyncio.ensure_future(one.handle(post(), answering))  # noqa: TID251 - a caller
    await answering.arrived.wait()
    assert (await one.handle(post(), answering)).status == 503
    await one.close()
    assert (await first).status == 504
    assert (one._waiting._waiters, len(one._waiting)) == ({}, 0)


async def test_a_caller_that_leaves_leaves_no_trace() -> None:
    one = adapter()
    answering = Answering(one, mute=True)
    caller = asyncio.ensure_future(one.handle(post(), answering))  # noqa: TID251 - a caller
    await answering.arrived.wait()
    caller.cancel()
    await asyncio.wait((caller,))
    assert (one._waiting._waiters, len(one._waiting)) == ({}, 0)
    assert await one.send(OutboundMessage("k", ChatRef("u1"), "nobody waits", "made-1")) == Sent("made-1")


@given(
    body=st.binary(max_size=60)
    | st.dictionaries(st.text(), st.integers() | st.text()).map(lambda v: json.dumps(v).encode())
)
def test_no_body_raises(body: bytes) -> None:
    found = parse(body, None, lambda: "id")
    assert isinstance(found, InboundMessage) or all(isinstance(fault, Fault) for fault in found)
