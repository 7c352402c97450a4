"""One shard's connection to the gateway: hello, identify or resume, heartbeats, and again after each loss.

             ┌────────────── resume, as long as Discord keeps the session ──────────────┐
    connect ─┴▶ HELLO ─▶ IDENTIFY or RESUME ─▶ READY or RESUMED ─▶ events … ─▶ lost ────┴─▶ back-off

Rules: the library speaks the protocol (compression, heartbeats, their watchdog); when to connect is decided here,
by our own clock. No connection follows another without a pause, and the pauses grow until one has held for
`_STABLE_S`. Before each new session Discord is asked how many it still allows: a thousand a day, then it changes
the token. Close codes 4004 and 4010 to 4014 mean that a person must act; nothing else ends the loop.
"""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass

import aiohttp

from adapters.contract import ConnectionState, Timer
from adapters.discord import library
from adapters.discord.client import Client, Patience, Refused, SlowDown
from adapters.discord.health import Health
from adapters.errors import RefusedConnection, Unreachable
from adapters.http import Backoff, Shared

_STABLE_S = 60.0
_IDENTIFY_EVERY_S = 5.0
_LONGEST_REST_S = 3600.0
_TRIES_TO_RESUME = 3
_FATAL = {
    4004: "Discord does not accept the bot token",
    4010: "Discord does not accept this number of shards",
    4011: "the bot is in too many servers for its shards: leave `shards` out or raise it",
    4012: "Discord does not serve this version of its gateway any more",
    4013: "Discord does not know these intents",
    4014: (
        "the Message Content intent is not allowed: turn it on in the developer portal, page Bot, "
        "or set `message_content: false`"
    ),
}
_LOST = (
    OSError,
    TimeoutError,
    ValueError,
    KeyError,
    TypeError,
    RuntimeError,
    zlib.error,
    aiohttp.ClientError,
)
"""A connection that broke, or said what nobody can read."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where to connect. `sessions`: how many may still be begun; else after `rest_s` seconds."""

    url: str
    shards: int
    sessions: int
    rest_s: float


class Turns:
    """Lets one shard after another begin a session, with the pause that Discord asks for."""

    __slots__ = ("_free_at", "_lock", "_timer")

    def __init__(self, timer: Timer) -> None:
        self._timer = timer
        self._lock = asyncio.Lock()
        self._free_at = timer.monotonic()

    async def take(self) -> None:
        """Wait for the turn."""
        async with self._lock:
            wait = self._free_at - self._timer.monotonic()
            if wait > 0:
                await self._timer.sleep(wait)
            self._free_at = self._timer.monotonic() + _IDENTIFY_EVERY_S


async def where_to_connect(client: Client) -> Start:
    """Ask Discord for its gateway. Raises RefusedConnection, Refused, SlowDown or Unreachable."""
    raw = await client.get("/gateway/bot")
    try:
        limit = raw["session_start_limit"]
        return Start(
            str(raw["url"]), int(raw["shards"]), int(limit["remaining"]), limit["reset_after"] / 1000
        )
    except (KeyError, TypeError, ValueError):
        raise Unreachable("Discord does not say where its gateway is") from None


class Shard:
    """One connection, for one life of the bot's adapter.

    Args:
        number: which of the `library_client`'s shards.
    """

    def __init__(
        self,
        client: Client,
        library_client: library.GatewayClient,
        shared: Shared,
        patience: Patience,
        health: Health,
        turns: Turns,
        number: int,
    ) -> None:
        self._client = client
        self._library = library_client
        self._timer = shared.timer
        self._chance = shared.chance
        self._patience = patience
        self._health = health
        self._turns = turns
        self._number = number
        self._backoff = Backoff(shared.chance)
        self._session: library.Session | None = None
        self._failed_resumes = 0
        self._up_at: float | None = None

    async def run(self) -> None:
        """Stay connected until cancelled. Raises RefusedConnection, and only that."""
        self._tell(ConnectionState.CONNECTING)
        while True:
            try:
                url = await self._where()
                await self._connection(url)
            except library.ConnectionClosed as closed:
                self._end_session_of(closed)
                why = f"the gateway closed the connection with {closed.code}"
            except library.ReconnectWebSocket as asked:
                self._keep_session(resume=asked.resume)
                why = "the gateway asked to connect again" if self._library.ready else "the gateway ended it"
            except SlowDown as slow:
                self._tell(ConnectionState.DEGRADED, str(slow))
                await self._timer.sleep(max(self._backoff.next_s(), slow.retry_after_s or 0.0))
                continue
            except (Unreachable, Refused) as error:
                why = str(error)
            except _LOST as error:
                self._keep_session(resume=True)
                why = f"the connection broke: {type(error).__name__}"
            await self._pause(why)

    async def _where(self) -> str:
        if self._session is not None:
            return self._session.url
        start = await where_to_connect(self._client)
        if start.sessions <= 0:
            rest = min(_LONGEST_REST_S, start.rest_s)
            raise SlowDown(
                f"no more sessions today: Discord allows the next in {start.rest_s:g} s", rest, whole_bot=True
            )
        return start.url

    async def _connection(self, url: str) -> None:
        """Connect and read until it is over; always raises."""
        connection = self._library.connection(url, self._number, self._session, self._turns.take)
        async with connection as socket:
            async with asyncio.timeout(self._patience.ready_s):
                while not self._library.ready:
                    await socket.poll_event()
            self._failed_resumes = 0
            self._up_at = self._timer.monotonic()
            self._tell(ConnectionState.UP)
            while True:
                await socket.poll_event()

    def _end_session_of(self, closed: library.ConnectionClosed) -> None:
        self._session = None
        fatal = _FATAL.get(closed.code)
        if fatal is not None:
            why = f"{fatal} (close code {closed.code})"
            self._tell(ConnectionState.REFUSED, why)
            raise RefusedConnection(why) from None

    def _keep_session(self, *, resume: bool) -> None:
        """Resume next time, unless Discord ended the session or would not take it back."""
        if not self._library.ready:
            self._failed_resumes += self._session is not None
        self._session = self._library.session() or self._session
        if not resume or self._failed_resumes >= _TRIES_TO_RESUME:
            self._session = None
            self._failed_resumes = 0

    async def _pause(self, why: str) -> None:
        now = self._timer.monotonic()
        if self._up_at is not None and now - self._up_at >= _STABLE_S:
            self._backoff.reset()
        self._up_at = None
        self._tell(ConnectionState.DOWN, why)
        await self._timer.sleep(self._backoff.next_s())

    def _tell(self, state: ConnectionState, why: str = "") -> None:
        self._health.tell(state, why, self._number)
