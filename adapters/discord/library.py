"""discord.py as what it is best at: the gateway's protocol. Its caches, REST calls and event tasks are left out.

Rules: a `GatewayClient` is the library's Client with our parsers in place of its own, on the process's session;
its websocket does compression, heartbeats on a thread, and the watchdog that closes a silent connection. Whatever
ends a connection, its socket is closed and its thread told to stop before `connection` is left.
"""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from adapters.discord.client import Patience
from adapters.http import Shared

with warnings.catch_warnings():
    # It loads `audioop`, which Python has deprecated, for voices that nobody uses here.
    warnings.simplefilter("ignore", DeprecationWarning)
    from discord import Client, ConnectionClosed, Intents, VoiceClient
    from discord.gateway import DiscordWebSocket, ReconnectWebSocket
    from discord.http import HTTPClient

__all__ = [
    "ConnectionClosed",
    "DiscordWebSocket",
    "GatewayClient",
    "Intents",
    "ReconnectWebSocket",
    "Session",
]

Events = Mapping[str, Callable[[Any], None]]
"""What to do with an event, by its name. It must not raise: the connection would end."""

_CLOSE_S = 2.0
_GOING_AWAY = 4000
"""A code that keeps the session for a while, so that users do not see the bot blink at a restart."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a lost connection is taken up with."""

    id: str
    sequence: int | None
    url: str


class _SharedHttp(HTTPClient):
    """The library's HTTP side, of which nothing is left but opening a socket, on the shared session."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, shared: Shared, patience: Patience, token: str
    ) -> None:
        super().__init__(loop)
        self.token = token
        self._shared = shared
        self._patience = patience

    async def ws_connect(self, url: str, *, compress: int = 0) -> aiohttp.ClientWebSocketResponse:
        """Open a socket within the time for connecting."""
        async with asyncio.timeout(self._patience.connect_s):
            return await self._shared.session.ws_connect(
                url,
                max_msg_size=0,
                timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_S),
                autoclose=False,
                headers={"User-Agent": self.user_agent},
                compress=compress,
            )


class GatewayClient(Client):
    """One shard's client. To be made inside the running loop.

    Attributes:
        ready: whether the connection that is open has said READY or RESUMED.
    """

    def __init__(
        self, shared: Shared, patience: Patience, token: str, intents: Intents, shards: int, events: Events
    ) -> None:
        # At lower levels the library logs whole events, and with them the tokens of interactions.
        logging.getLogger("discord").setLevel(logging.WARNING)
        VoiceClient.warn_nacl = VoiceClient.warn_dave = False  # nobody speaks here
        super().__init__(
            intents=intents, max_messages=None, shard_count=shards, heartbeat_timeout=patience.silence_s
        )
        self.loop = asyncio.get_running_loop()
        self.http = _SharedHttp(self.loop, shared, patience, token)
        self._connection.parsers = {
            **events,
            "READY": self._becomes_ready,
            "RESUMED": self._becomes_ready,
        }
        self._on_ready = events.get("READY")
        # Told of a socket before it says hello: a heartbeat thread must end with whatever ends the connection.
        self._connection._update_references = self._opened  # type: ignore[method-assign,assignment]  # noqa: SLF001
        self._turn: Callable[[], Awaitable[None]] | None = None
        self._socket: DiscordWebSocket | None = None
        self.ready = False

    def dispatch(self, event: str, /, *args: object, **kwargs: object) -> None:
        """Nothing: events go to our parsers, in order, and not into tasks of their own."""

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait for the turn to begin a session."""
        if self._turn is not None:
            await self._turn()

    def session(self) -> Session | None:
        """The session of the last connection, if Discord gave one and has not ended it."""
        if self._socket is None or self._socket.session_id is None:
            return None
        return Session(self._socket.session_id, self._socket.sequence, str(self._socket.gateway))

    @asynccontextmanager
    async def connection(
        self, url: str, shard: int, session: Session | None, turn: Callable[[], Awaitable[None]]
    ) -> AsyncIterator[DiscordWebSocket]:
        """A socket that has identified itself, or asked to resume. Raises what the library raises."""
        self.ready, self._turn, self._socket = False, turn, None
        try:
            yield await DiscordWebSocket.from_client(
                self,
                gateway=URL(url),
                shard_id=shard,
                session=None if session is None else session.id,
                sequence=None if session is None else session.sequence,
                resume=session is not None,
            )
        finally:
            await self._leave()

    async def _leave(self) -> None:
        if self._socket is not None:
            await self._socket.close(_GOING_AWAY)

    def _opened(self, socket: DiscordWebSocket) -> None:
        self._socket = socket

    def _becomes_ready(self, raw: Any) -> None:  # noqa: ANN401 - whatever the platform sent
        self.ready = True
        if self._on_ready is not None and isinstance(raw, dict) and "session_id" in raw:
            self._on_ready(raw)
