"""Answers as server-sent events: what comes when, and that nothing stays behind."""

import asyncio
import json
from typing import Any

import pytest

from adapters.contract import Delivery, DeliveryState, WebhookResponse
from adapters.custom import events
from adapters.messages import InboundMessage, OutboundMessage
from tests.unit.adapters.test_custom import BEARER, GOOD, Answering, adapter, post, said

STREAM = {**BEARER, "Accept": "text/event-stream"}
ASKED = {**GOOD, "message_id": "m1"}


def out(message: InboundMessage, text: str) -> OutboundMessage:
    return OutboundMessage("k", message.chat, text, message.event_id, report={"cost_cents": 0.5})


async def pieces(response: WebhookResponse) -> list[tuple[str, Any]]:
    assert response.stream is not None
    told = [piece.decode() async for piece in response.stream]
    await response.stream.aclose()
    found = []
    for piece in told:
        if piece.startswith(":"):
            continue
        name, data = piece.removesuffix("\n\n").split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("text/event-stream", True),
        ("application/json, Text/Event-Stream; q=0.9", True),
        ("*/*", False),
        ("", False),
        ("text/event-streams", False),
    ],
)
async def test_only_who_names_them_gets_events(accept: str, *, wanted: bool) -> None:
    one = adapter()
    answering = Answering(one)
    response = await one.handle(post(ASKED, {**BEARER, "Accept": accept}), answering)
    assert (response.stream is not None) is wanted
    assert answering.delivered[0].live is wanted
    if response.stream is not None:
        await response.stream.aclose()
    assert not one._waiting


async def test_an_answer_grows_and_comes() -> None:
    one = adapter()
    answering = Answering(one, mute=True)
    response = await one.handle(post(ASKED, STREAM), answering)
    (message,) = answering.delivered
    assert (response.status, response.content_type) == (200, "text/event-stream")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.stream is not None
    reading = aiter(response.stream)
    assert b"event: accepted" in await anext(reading)
    for text in ("It is", "It is\nso ✓"):
        await one.draft(out(message, text))
        piece = (await anext(reading)).decode()
        assert piece.count("\n") == 3
        assert json.loads(piece.split("data: ")[1]) == {"message_id": "m1", "response": text}
    await one.send(out(message, "It is so."))
    last = (await anext(reading)).decode()
    assert last.startswith("event: answer\n")
    assert json.loads(last.split("data: ")[1])["response"] == "It is so."
    assert [piece async for piece in reading] == []
    assert len(one._waiting) == 1
    await response.stream.aclose()
    assert not one._waiting


async def test_the_last_event_is_the_json_of_the_200() -> None:
    one = adapter()
    plain = said(await one.handle(post(ASKED), Answering(one)))
    told = await pieces(await one.handle(post(ASKED, STREAM), Answering(one)))
    assert told == [("accepted", {"message_id": "m1"}), ("answer", plain)]


async def test_what_is_not_in_time_is_pending() -> None:
    one = adapter(answer_timeout_s=0.02)
    told = await pieces(await one.handle(post(ASKED, STREAM), Answering(one, mute=True)))
    assert [name for name, _ in told] == ["accepted", "pending"]
    assert not one._waiting


async def test_a_daemon_that_stops_lets_go() -> None:
    one = adapter()
    response = await one.handle(post(ASKED, STREAM), Answering(one, mute=True))
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(pieces(response))
        await one.close()
    assert [name for name, _ in reading.result()] == ["accepted", "pending"]


async def test_a_line_now_and_then_keeps_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "BEAT_S", 0.005)
    one = adapter()
    response = await one.handle(post(ASKED, STREAM), Answering(one, mute=True))
    assert response.stream is not None
    reading = aiter(response.stream)
    told = [await anext(reading) for _ in range(3)]
    await response.stream.aclose()
    assert told[1:] == [b": waiting\n\n"] * 2


async def test_a_stream_that_nobody_reads_leaves_no_trace() -> None:
    one = adapter()
    response = await one.handle(post(ASKED, STREAM), Answering(one, mute=True))
    assert response.stream is not None
    assert len(one._waiting) == 1
    await response.stream.aclose()
    assert not one._waiting


@pytest.mark.parametrize("state", [DeliveryState.LIMITED, DeliveryState.OVERLOADED, DeliveryState.IGNORED])
async def test_what_is_refused_is_no_stream(state: DeliveryState) -> None:
    one = adapter()
    response = await one.handle(post(ASKED, STREAM), Answering(one, Delivery(state)))
    assert response.stream is None
    assert response.status in {403, 429, 503}
    assert not one._waiting
