"""The HTTP sessions of all tools of a process.

Rules: two sessions, each made at its first use inside the running loop: one for tools that may call private
addresses, one for those that may not, so that neither is ever handed a connection that the other opened. In the
second the address is looked at when its socket is made, after all resolving: what is checked is what is
connected to. No cookies, no proxy from the environment.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from runner.agent.addresses import is_public

if TYPE_CHECKING:  # aiohttp is loaded with the first call of a tool
    from ssl import SSLContext

    from aiohappyeyeballs import AddrInfoType
    from aiohttp import ClientSession
    from aiohttp.abc import AbstractResolver

NOT_ALLOWED = "a private address, which this tool may not call"
MAX_CONNECTIONS = 100
MAX_CONNECTIONS_PER_HOST = 20


class ToolSessions:
    """Makes and keeps the two sessions. Closed by who made it.

    Args:
        may_call: whether an address is open to tools without `allow_private`.
        resolver: None: the machine's own.
        tls: the process's TLS context; None: aiohttp's own.
    """

    __slots__ = ("_may_call", "_resolver", "_sessions", "_tls")

    def __init__(
        self,
        may_call: Callable[[str], bool] = is_public,
        resolver: AbstractResolver | None = None,
        tls: SSLContext | None = None,
    ) -> None:
        self._may_call = may_call
        self._resolver = resolver
        self._tls = tls
        self._sessions: dict[bool, ClientSession] = {}

    def session(self, *, allow_private: bool) -> ClientSession:
        """The session for such a tool, made now if need be."""
        session = self._sessions.get(allow_private)
        if session is None:
            session = self._sessions[allow_private] = self._made(allow_private=allow_private)
        return session

    async def close(self) -> None:
        """Close both, as far as they are there."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    def _made(self, *, allow_private: bool) -> ClientSession:
        import aiohttp  # noqa: PLC0415 - a daemon whose bots call no tools need not load it here

        connector = aiohttp.TCPConnector(
            limit=MAX_CONNECTIONS,
            limit_per_host=MAX_CONNECTIONS_PER_HOST,
            ssl=self._tls or True,
            resolver=self._resolver,
            socket_factory=None if allow_private else self._socket,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "botrunner"},
            trust_env=False,
        )

    def _socket(self, where: AddrInfoType) -> socket.socket:
        """A socket for this address, unless it is a private one."""
        family, kind, protocol, _, address = where
        if not self._may_call(str(address[0])):
            raise OSError(NOT_ALLOWED)
        return socket.socket(family, kind, protocol)
