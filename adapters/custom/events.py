"""An answer as server-sent events, for a caller that accepts `text/event-stream`.

    event: accepted   {message_id}                    at once: the message is stored
    event: draft      {message_id, response}          all there is so far, where the model's answer is shown growing
    event: answer     the JSON of the 200             the end
    event: pending    {message_id}                    the end: not in time; ask again with the same id

Rules: a line that says nothing is sent each `BEAT_S`, so that no proxy takes the connection for dead and a caller
that left is noticed; whether it is read or not, the request's place is given back.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack

from adapters.contract import WebhookResponse
from adapters.custom.waiting import Waiter
from adapters.custom.wire import facts

BEAT_S = 15.0
CONTENT_TYPE = "text/event-stream"
_BEAT = b": waiting\n\n"


def wanted(accept: str) -> bool:
    """Whether an Accept header names the events."""
    kinds = [kind.partition(";")[0].strip().lower() for kind in accept.split(",")]
    return CONTENT_TYPE in kinds


def response(event_id: str, waiter: Waiter, place: ExitStack, timeout_s: float) -> WebhookResponse:
    """The 200 that goes on until the answer is there.

    Args:
        place: what the request holds; closed with the stream.
    """
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    stream = _Stream(_pieces(event_id, waiter, timeout_s), place)
    return WebhookResponse(200, content_type=CONTENT_TYPE, headers=headers, stream=stream)


class _Stream:
    """The pieces, and what is given back with them."""

    __slots__ = ("_pieces", "_place")

    def __init__(self, pieces: AsyncGenerator[bytes], place: ExitStack) -> None:
        self._pieces = pieces
        self._place = place

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces

    async def aclose(self) -> None:
        """Give the place back, although nothing may have been read."""
        self._place.close()
        await self._pieces.aclose()


async def _pieces(event_id: str, waiter: Waiter, timeout_s: float) -> AsyncGenerator[bytes]:
    known = {"message_id": event_id}
    yield _event("accepted", known)
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout_s
    while not waiter.answer.done() and (left := end - loop.time()) > 0:
        try:
            async with asyncio.timeout(min(left, BEAT_S)):
                await waiter.news.wait()
        except TimeoutError:
            yield _BEAT
            continue
        waiter.news.clear()
        if not waiter.answer.done():
            yield _event("draft", {**known, "response": waiter.draft})
    if waiter.answer.done() and not waiter.answer.cancelled():
        yield _event("answer", facts(event_id, waiter.answer.result()))
    else:
        yield _event("pending", known)


def _event(name: str, data: object) -> bytes:
    """One event. JSON has no bare line breaks, so one `data` line holds it."""
    told = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"event: {name}\ndata: {told}\n\n".encode(errors="replace")
