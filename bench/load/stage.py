"""The stage of a load round: platforms and a model, made up, in the bench's own process, over real sockets.

Rule: all times are of this process's loop, so that a reply's time less its message's time is its latency; what
the stage itself costs is the same for everybody who plays on it.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiohttp import web

from bench.load.venues import VENUES, Seat
from runner.money.usage import Usage
from runner.testing.model_script import Say
from runner.testing.model_wire import chat_events, chat_usage

ANSWER = Say("On Sunday the shop opens at ten and closes at four. May I help you with anything else?")
USAGE = Usage(input_tokens=40, output_tokens=20)
PATIENCE_S = 60.0


class Model:
    """Chat Completions, streamed or not, as the request asks.

    Attributes:
        latency_s: how long it waits before the first byte.
        took_s: how long the newest requests took in truth, for timers and a busy machine add to it.
    """

    def __init__(self) -> None:
        self.latency_s = 0.0
        self.took_s: deque[float] = deque(maxlen=1000)
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=4096).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        asked = json.loads(await request.read())
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        self.took_s.append(loop.time() - begun)
        if not asked.get("stream"):
            return web.json_response(_whole(asked["model"]))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for _, data in chat_events(ANSWER, USAGE, 512, "chatcmpl-1", asked["model"]):
            await response.write(data)
        await response.write_eof()
        return response


def _whole(model: str) -> dict[str, object]:
    message = {"role": "assistant", "content": ANSWER.text, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [choice],
        "usage": chat_usage(USAGE),
    }


class Stage:
    """A model, and the platforms that a round needs; a context.

    Args:
        platforms: their names.
    """

    def __init__(self, *platforms: str) -> None:
        self.model = Model()
        self._venues = {name: VENUES[name]() for name in platforms}
        self._open = AsyncExitStack()
        self._seats = 0

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opening:
            await self.model.start()
            opening.push_async_callback(self.model.stop)
            for venue in self._venues.values():
                await opening.enter_async_context(venue)
            self._open = opening.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.__aexit__(kind, error, trace)

    def seat(self, platform: str) -> Taken:
        """One more bot's place."""
        self._seats += 1
        return Taken(self._seats, platform, self._venues[platform].seat(self._seats))


@dataclass(frozen=True, slots=True)
class Taken:
    """A seat with its number on this stage, from 1, and its platform."""

    number: int
    platform: str
    seat: Seat


class Crowd:
    """The users of one bot. Each user waits for an answer before the next message.

    Args:
        first_user: the lowest user id; two crowds of one bot must not share any.
    """

    def __init__(self, seat: Seat, first_user: int) -> None:
        self._seat = seat
        self._next_user = first_user
        self._asked: dict[int, float] = {}

    async def all_at_once(self, users: int, messages: int, *, strangers: bool = False) -> list[float]:
        """So many users write whenever they are answered; latencies of all `messages`, seconds.

        With `strangers` each message is a new user's: a conversation of its own.
        """
        latencies: list[float] = []
        for _ in range(min(users, messages)):
            self._ask(self._new_user())
        left = messages - users
        while len(latencies) < messages:
            for user, latency in await self._answered():
                latencies.append(latency)
                if left > 0:
                    left -= 1
                    self._ask(self._new_user() if strangers else user)
        return latencies

    async def one_by_one(self, messages: int, every_s: float) -> list[float]:
        """A new user writes every so often, whether or not the last one was answered."""
        latencies: list[float] = []

        async def ask() -> None:
            for _ in range(messages):
                self._ask(self._new_user())
                await asyncio.sleep(every_s)

        async with asyncio.TaskGroup() as group:
            group.create_task(ask(), name="users")
            while len(latencies) < messages:
                latencies += [latency for _, latency in await self._answered()]
        return latencies

    def _new_user(self) -> int:
        self._next_user += 1
        return self._next_user

    def _ask(self, user: int) -> None:
        self._asked[user] = asyncio.get_running_loop().time()
        self._seat.say(user)

    async def _answered(self) -> list[tuple[int, float]]:
        async with asyncio.timeout(PATIENCE_S):
            fresh = await self._seat.answered()
        return [(user, at_s - self._asked.pop(user)) for user, at_s in fresh]
