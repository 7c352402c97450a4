"""A model's server, made up, over a real socket: Chat Completions, Anthropic Messages, speech, batches of both.

    server = ModelServer()                        base_url of an OpenAI-compatible provider: {url}/v1
    url = await server.start()                    base_url of Anthropic:                     {url}
    server.script(Say("Hi."), Fault(429, retry_after="2"), Hang())
    server.book.looks = 3                         a batch that is made from now on has ended at the third look
    ...
    await server.stop()                           server.bill says what all that would cost

Rules: it keeps its own bill, also for answers that were cut, late, or that nobody waited for, so that a
test can hold another's books against it. It checks each request strictly. It waits by the clock it is given.

As a process of its own, for benches: `python -m runner.testing.model_server --port 0 --latency-ms 800`
prints its URL on a line; then it answers until it is stopped. `GET /bill` tells its sums, as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from runner.clock import Clock, SystemClock
from runner.testing import model_wire
from runner.testing.model_batch_routes import BatchRoutes
from runner.testing.model_batches import BatchBook
from runner.testing.model_script import PLAIN, Behaviour, Billed, Drop, Fault, Hang, Say
from runner.testing.model_ways import AudioWay, ChatWay, MessagesWay, Way
from runner.testing.prompt_cache import Found, PromptCache

MOST_SEEN = 10_000
MOST_BODY = 32 * 1024 * 1024

Pick = Callable[[Mapping[str, Any]], Behaviour]
"""Picks a behaviour by the request's JSON, or by the fields of its form."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came in. Header names are lower case."""

    path: str
    headers: Mapping[str, str]
    raw: bytes
    body: Mapping[str, Any]


class ModelServer:
    """The server.

    Attributes:
        bill: a line for each request that would cost something, in order; for a batch, one for each of its lines.
        book: the batches, and what is to become of them.
        requests: the newest requests, as they came.
        url: where it is, once started.
        peers: how many connections were ever opened.
        gone: how many callers went away before their answer was whole.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        standing: Behaviour | Pick = PLAIN,
        key: str | None = None,
        cache: PromptCache | None = None,
    ) -> None:
        """`standing` is what it does when no script is left; `key`, if given, is the only one it takes.

        With a `cache` it counts the input as that tells, unless a behaviour says what it uses; without one nothing
        is ever cached.
        """
        self.bill: list[Billed] = []
        self.requests: deque[Seen] = deque(maxlen=MOST_SEEN)
        self.url = ""
        self.gone = 0
        self._clock = clock or SystemClock()
        self._standing = standing
        self._key = key
        self._cache = cache
        self._script: deque[Behaviour] = deque()
        self._peers: set[tuple[str, int]] = set()
        self._count = 0
        self._changed = asyncio.Condition()
        self._stopping = asyncio.Event()
        self.book = BatchBook(self._clock, self.bill, standing if isinstance(standing, Say) else PLAIN)
        self._runner: web.AppRunner | None = None

    @property
    def peers(self) -> int:
        """How many connections were ever opened."""
        return len(self._peers)

    async def start(self, port: int = 0) -> str:
        """Listen on the loopback; returns the URL."""
        app = web.Application(client_max_size=MOST_BODY)
        for path in ("/v1/chat/completions", "/chat/completions"):
            app.router.add_post(path, self._chat)
        app.router.add_post("/v1/messages", self._messages)
        app.router.add_post("/v1/audio/transcriptions", self._audio)
        app.router.add_get("/bill", self._sums)
        BatchRoutes(self.book, self, self._stopping).add_to(app.router)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, backlog=4096)
        await site.start()
        host, bound = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{bound}"
        return self.url

    async def stop(self) -> None:
        """Stop listening, and let hanging requests go."""
        self._stopping.set()
        for _ in range(
            3
        ):  # connections that were made but not yet accepted: let them in, to be closed with the rest
            await SystemClock().sleep(0)
        if self._runner is not None:
            await self._runner.cleanup()

    def script(self, *behaviours: Behaviour) -> None:
        """Do these next, one a request."""
        self._script.extend(behaviours)

    async def wait_for(self, ready: Callable[[ModelServer], bool]) -> None:
        """Wait until `ready` says so, asked after each request that comes or goes."""
        async with self._changed:
            await self._changed.wait_for(lambda: ready(self))

    async def admit(self, request: web.Request) -> tuple[bytes, bool]:
        """Remember a request about batches; its body, and whether it brought the right key."""
        self._count += 1
        raw = await request.read()
        self.requests.append(Seen(request.path, _lower(request.headers), raw, {}))
        self._meet(request)
        await self._tell()
        return raw, self._key is None or self._key in _keys(request)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, ChatWay())

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, MessagesWay())

    async def _audio(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, AudioWay())

    async def _sums(self, request: web.Request) -> web.Response:
        rows = self.bill
        return web.json_response(
            {
                "requests": self._count,
                "billed": len(rows),
                "answered": sum(row.answered for row in rows),
                "batch_lines": sum(row.batch for row in rows),
                "input_tokens": sum(row.usage.input_tokens for row in rows),
                "output_tokens": sum(row.usage.output_tokens for row in rows),
            }
        )

    async def _answer(self, request: web.Request, way: Way) -> web.StreamResponse:
        self._count += 1
        request_id = f"{way.prefix}_{self._count}"
        raw = await request.read()
        try:
            body, limit = way.read(raw, request.headers.get("Content-Type", ""))
        except (ValueError, KeyError, TypeError, AttributeError) as fault:
            return _refuse(Fault(400, f"{type(fault).__name__}: {fault}"), request_id, way)
        self.requests.append(Seen(request.path, _lower(request.headers), raw, body))
        self._meet(request)
        await self._tell()
        if self._key is not None and self._key not in _keys(request):
            return _refuse(Fault(401, "this is not the key"), request_id, way)
        behaviour = self._next(body)
        row = None
        usage = way.usage(behaviour, len(raw), limit) if isinstance(behaviour, Say) else behaviour.usage
        found = self._found(behaviour, way, body)
        if found is not None and usage is not None:
            usage = replace(found.usage, output_tokens=usage.output_tokens)
        if usage is not None:
            row = self._charge(Billed(request_id, body["model"], usage, limit, answered=False))
        try:
            return await self._act(request, behaviour, row, request_id, way, found)
        except (asyncio.CancelledError, ConnectionError):
            self.gone += 1
            await asyncio.shield(self._tell())
            raise

    def _found(self, behaviour: Behaviour, way: Way, body: Mapping[str, Any]) -> Found | None:
        """What the request finds in the cache, where there is one and the behaviour does not say what it uses."""
        if self._cache is None or not isinstance(behaviour, Say) or behaviour.usage or behaviour.at_bound:
            return None
        return way.found(self._cache, body, self._clock.now_ms())

    def _meet(self, request: web.Request) -> None:
        if request.transport is not None:
            self._peers.add(request.transport.get_extra_info("peername")[:2])

    def _next(self, body: Mapping[str, Any]) -> Behaviour:
        if self._script:
            return self._script.popleft()
        return self._standing(body) if callable(self._standing) else self._standing

    def _charge(self, line: Billed) -> int:
        """Write the bill before anything is said; returns the line's index."""
        self.bill.append(line)
        return len(self.bill) - 1

    async def _act(
        self,
        request: web.Request,
        behaviour: Behaviour,
        row: int | None,
        request_id: str,
        way: Way,
        found: Found | None,
    ) -> web.StreamResponse:
        match behaviour:
            case Say():
                if behaviour.latency_s:
                    await self._clock.sleep(behaviour.latency_s)
                if self._cache is not None and found is not None:
                    self._cache.keep(found, self._clock.now_ms())
                return await self._say(request, behaviour, row, request_id, way)
            case Fault():
                if behaviour.latency_s:
                    await self._clock.sleep(behaviour.latency_s)
                return _refuse(behaviour, request_id, way)
            case Hang():
                await self._stopping.wait()
            case Drop():
                pass
        _close(request)
        return web.Response(status=500)

    async def _say(
        self, request: web.Request, said: Say, row: int | None, request_id: str, way: Way
    ) -> web.StreamResponse:
        billed = self.bill[row if row is not None else -1]
        events = way.events(said, billed.usage, billed.limit, request_id, billed.model)
        response = web.StreamResponse(headers={"Content-Type": way.content_type, way.header: request_id})
        await response.prepare(request)
        broken = said.cut_at or said.error_at or said.stall_at
        if broken is None:
            for _, data in events:
                await response.write(data)
            if row is not None:
                self.bill[row] = replace(billed, answered=True)
            await response.write_eof()
            return response
        for data in model_wire.up_to(events, broken):
            await response.write(data)
        if said.error_at:
            await response.write(way.error_event("the fake model broke down"))
            await response.write_eof()
            return response
        if said.stall_at:
            await self._stopping.wait()
        _close(request)
        return response

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _keys(request: web.Request) -> tuple[str, str]:
    return request.headers.get("Authorization", "").removeprefix("Bearer "), request.headers.get(
        "X-Api-Key", ""
    )


def _refuse(fault: Fault, request_id: str, way: Way) -> web.Response:
    headers = {way.header: request_id}
    if fault.retry_after is not None:
        headers["retry-after"] = fault.retry_after
    if fault.location is not None:
        headers["location"] = fault.location
    return web.json_response(way.error(fault.message, fault.status), status=fault.status, headers=headers)


def _close(request: web.Request) -> None:
    """Close the connection after what was written, without the end that HTTP promised."""
    if request.transport is not None:
        request.transport.close()


async def _serve(port: int, standing: Say) -> None:
    server = ModelServer(standing=standing)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    print(await server.start(port), flush=True)  # noqa: T201 - what a bench reads
    await stop.wait()
    await server.stop()


def main() -> None:
    """Run it as a process of its own."""
    parser = argparse.ArgumentParser(
        prog="runner.testing.model_server", description="A made-up model server."
    )
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--latency-ms", type=int, default=0, help="until the first byte of an answer")
    parser.add_argument("--text", default=PLAIN.text, help="what it answers")
    parser.add_argument("--pieces", type=int, default=PLAIN.pieces, help="in how many events")
    parser.add_argument("--at-bound", action="store_true", help="use the most that a request allows")
    given = parser.parse_args()
    latency_s = given.latency_ms / 1000
    said = Say(given.text, latency_s=latency_s, pieces=given.pieces, at_bound=given.at_bound)
    asyncio.run(_serve(given.port, said))


if __name__ == "__main__":
    main()
