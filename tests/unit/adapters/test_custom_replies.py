"""Answers posted to the caller's own address: signed, and again until they are taken or refused."""

import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from adapters.contract import Delivery, DeliveryState
from adapters.custom.adapter import CustomAdapter
from adapters.custom.config import Config
from adapters.http import Shared
from adapters.messages import ChatRef, NotSent, OutboundMessage, Rejected, SendResult, Sent
from adapters.registry import capabilities
from adapters.signatures import is_signed
from adapters.testing.timer import QuickTimer
from tests.unit.adapters.test_custom import GOOD, Answering, post, said

SECRET = "top söcret"


class Address:
    """The caller's side."""

    def __init__(self) -> None:
        self.answers: list[web.Response | None] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.url = ""
        self.runner: web.AppRunner | None = None

    async def serve(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        answer = self.answers.pop(0) if self.answers else web.Response(status=204)
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return answer


@pytest.fixture
async def address() -> AsyncIterator[Address]:
    address = Address()
    app = web.Application()
    app.router.add_post("/hooks/SEEN", address.serve)
    address.runner = web.AppRunner(app, shutdown_timeout=0.1)
    await address.runner.setup()
    await web.TCPSite(address.runner, "127.0.0.1", 0).start()
    address.url = f"http://127.0.0.1:{address.runner.addresses[0][1]}/hooks/SEEN?key=1"
    yield address
    await address.runner.cleanup()


@pytest.fixture
async def one(address: Address) -> AsyncIterator[CustomAdapter]:
    number = itertools.count(1)
    config = Config.model_validate({"secret": SECRET, "reply_url": address.url})
    shared = Shared(QuickTimer(), lambda: f"made-{next(number)}")
    yield CustomAdapter(config, shared)
    await shared.close()


def out(text: str = "re: hi ✓", **more: Any) -> OutboundMessage:
    report = {"tokens": {"input": 5, "output": 2}, "cost_cents": 0.25}
    return OutboundMessage("t1.1", ChatRef("room"), text, report=report, **{"in_reply_to": "m1", **more})


@pytest.mark.parametrize("state", [DeliveryState.ACCEPTED, DeliveryState.DUPLICATE])
async def test_a_message_is_answered_with_202_at_once(one: CustomAdapter, state: DeliveryState) -> None:
    response = await one.handle(
        post({**GOOD, "message_id": "m1"}), Answering(one, Delivery(state), mute=True)
    )
    assert response.status == 202
    assert said(response) == {"message_id": "m1", "status": "accepted"}
    assert not one._waiting


async def test_what_is_not_stored_is_not_accepted(one: CustomAdapter) -> None:
    late = Delivery(DeliveryState.LIMITED, 2.5)
    response = await one.handle(post(), Answering(one, late))
    assert (response.status, response.headers["Retry-After"]) == (429, "3")


async def test_the_answer_is_the_json_of_the_200_and_signed(one: CustomAdapter, address: Address) -> None:
    assert await one.send(out()) == Sent("m1")
    ((headers, body),) = address.got
    assert is_signed(SECRET, body, headers["X-Signature-256"])
    assert (headers["Idempotency-Key"], headers["Content-Type"]) == ("t1.1", "application/json")
    assert json.loads(body) == {
        "response": "re: hi ✓",
        "message_id": "m1",
        "tool_calls": [],
        "tokens": {"input": 5, "output": 2},
        "cost_cents": 0.25,
        "latency_ms": 0,
        "channel_id": "room",
    }


async def test_what_nobody_asked_for_has_an_id_too(one: CustomAdapter, address: Address) -> None:
    assert await one.send(out(in_reply_to=None)) == Sent("t1.1")
    assert json.loads(address.got[0][1])["message_id"] == "t1.1"


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (web.Response(status=200, text="thanks"), Sent("m1")),
        (web.Response(status=410), Rejected("reply_url answered 410")),
        (web.Response(status=422), Rejected("reply_url answered 422")),
        (web.Response(status=500), NotSent("reply_url answered 500")),
        (web.Response(status=404), NotSent("reply_url answered 404")),
        (web.Response(status=302, headers={"Location": "/elsewhere"}), NotSent("reply_url answered 302")),
        (web.Response(status=429, headers={"Retry-After": "7"}), NotSent("reply_url answered 429", 7.0)),
        (
            web.Response(status=503, headers={"Retry-After": "99999"}),
            NotSent("reply_url answered 503", 3600.0),
        ),
        (web.Response(status=503, headers={"Retry-After": "soon"}), NotSent("reply_url answered 503")),
        (None, NotSent("reply_url cannot be reached: ServerDisconnectedError")),
    ],
    ids=lambda value: str(value.status) if isinstance(value, web.Response) else "",
)
async def test_what_was_not_taken_goes_again_unless_it_was_refused(
    one: CustomAdapter, address: Address, answer: web.Response | None, result: SendResult
) -> None:
    address.answers = [answer]
    assert await one.send(out()) == result
    assert len(address.got) == 1


async def test_an_address_that_is_away_is_told_to_nobody(one: CustomAdapter, address: Address) -> None:
    assert address.runner is not None
    await address.runner.cleanup()
    result = await one.send(out())
    assert isinstance(result, NotSent)
    assert "SEEN" not in result.why
    assert "SEEN" not in f"{one._config!r}"


def test_its_capabilities_are_to_push() -> None:
    config = Config.model_validate({"secret": SECRET, "reply_url": "https://bots.example.com/answers?to=me"})
    can = CustomAdapter(config, Shared(QuickTimer(), lambda: "id")).capabilities
    assert (can.collects, can.reports, can.drafts, can.resends_unknown) == (False, True, False, True)
    assert capabilities("custom").collects


@pytest.mark.parametrize(
    "raw",
    [
        {"reply_url": "https://bots.example.com/SEEN"},
        {"secret": "s", "reply_url": "ftp://bots.example.com/SEEN"},
        {"secret": "s", "reply_url": "https://SEEN:pw@bots.example.com"},
        {"secret": "s", "reply_url": "bots.example.com/SEEN"},
    ],
)
def test_an_address_is_http_and_wants_a_secret(raw: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as caught:
        Config.model_validate(raw)
    assert [error["loc"] for error in caught.value.errors()] == [("reply_url",)]
    assert "SEEN" not in str(caught.value)
