"""The fake Discord's gateway: one websocket, one session.

    HELLO ▶  ◀ IDENTIFY: READY, GUILD_CREATE …      ◀ RESUME: what was missed, RESUMED      ◀ HEARTBEAT: ACK

Rules, as on the real one: compressed as one zlib stream where asked; nothing but heartbeats before IDENTIFY or
RESUME (else 4003); a second IDENTIFY is 4005; a wrong token is 4004, an intent that the portal does not allow 4014; a
session that is not known is INVALID_SESSION. Closed with 1000 or 1001, a session is over.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import WSMsgType, web

from adapters.testing.discord_parts import Session
from adapters.testing.discord_state import Application

HEARTBEAT, IDENTIFY, RESUME, RECONNECT, INVALID, HELLO, ACK = 1, 2, 6, 7, 9, 10, 11
_OVER = frozenset({1000, 1001})


class Socket:
    """One connection.

    Args:
        find: the application of a token; None where there is none.
        url: what the session says to resume at.
        heartbeat_ms: what HELLO asks for; None: no HELLO.
    """

    def __init__(self, find: Callable[[str], Application | None], url: str, heartbeat_ms: int | None) -> None:
        self._find = find
        self._heartbeat_ms = heartbeat_ms
        self._url = url
        self._ws = web.WebSocketResponse(compress=False, max_msg_size=2**20)
        self._deflate: Any = None
        self._out: asyncio.Queue[dict[str, Any] | int] = asyncio.Queue()
        self._closing = False
        self.application: Application | None = None
        self.session: Session | None = None

    def push(self, frame: Mapping[str, Any] | int) -> None:
        """Send a frame, after those before it; a number: close with this code."""
        self._out.put_nowait(frame if isinstance(frame, int) else dict(frame))

    def cut(self, request: web.Request) -> None:
        """Cut the connection without a word."""
        if request.transport is not None:
            request.transport.abort()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Until it is closed by either side."""
        await self._ws.prepare(request)
        if request.query.get("compress") == "zlib-stream":
            self._deflate = zlib.compressobj()
        if self._heartbeat_ms is not None:
            self.push({"op": HELLO, "d": {"heartbeat_interval": self._heartbeat_ms}})
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write(), name="fake gateway writer")
                async for message in self._ws:
                    if message.type is WSMsgType.TEXT:
                        self._hear(json.loads(message.data))
                if not self._closing:
                    writer.cancel()
        finally:
            self._leave()
        return self._ws

    async def _write(self) -> None:
        try:
            await self._write_all()
        except ConnectionError:
            return  # the reader sees it too

    async def _write_all(self) -> None:
        while True:
            frame = await self._out.get()
            if isinstance(frame, int):
                self._closing = True
                await self._ws.close(code=frame)
                return
            text = json.dumps(frame).encode()
            if self._deflate is None:
                await self._ws.send_str(text.decode())
            else:
                await self._ws.send_bytes(
                    self._deflate.compress(text) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
                )

    def _leave(self) -> None:
        if self.session is not None and self.session.take == self.push:
            self.session.take = None
            if not self._closing and self._ws.close_code in _OVER and self.application is not None:
                self.application.sessions.pop(self.session.id, None)
        if self.application is not None:
            self.application.bell.ring()

    def _hear(self, frame: Mapping[str, Any]) -> None:
        match frame.get("op"):
            case 1:
                if self.application is None or not self.application.silent:
                    self.push({"op": ACK})
                if self.application is not None:
                    self.application.calls["HEARTBEAT"] += 1
                    self.application.bell.ring()
            case 2:
                self._identify(frame["d"])
            case 6:
                self._resume(frame["d"])
            case _ if self.session is None:
                self.push(4003)
            case _:
                pass

    def _identify(self, asked: Mapping[str, Any]) -> None:
        application = self._known(asked)
        if application is None:
            return
        shard, shards = asked.get("shard") or (0, 1)
        refuse = application.refuse
        if self.session is not None:
            refuse = 4005
        elif asked["intents"] & ~application.allowed:
            refuse = 4014
        elif not 0 <= shard < shards:
            refuse = 4010
        if refuse is not None:
            self.push(refuse)
            return
        application.identified += 1
        application.sessions_left -= 1
        self.session = Session(
            f"session-{application.identified}", shard, shards, asked["intents"], take=self.push
        )
        application.sessions[self.session.id] = self.session
        ready = {
            "v": 10,
            "user": {"id": application.id, "username": application.username, "bot": True},
            "guilds": [{"id": application.guild, "unavailable": True}],
            "session_id": self.session.id,
            "resume_gateway_url": self._url,
            "shard": [shard, shards],
            "application": {"id": application.id, "flags": application.flags},
        }
        self.session.push("READY", ready)
        if shard == (int(application.guild) >> 22) % shards:
            self.session.push("GUILD_CREATE", application.guild_raw())
        application.bell.ring()

    def _resume(self, asked: Mapping[str, Any]) -> None:
        application = self._known(asked)
        if application is None:
            return
        session = application.sessions.get(asked["session_id"])
        if session is None or (session.events and asked["seq"] < session.events[0]["s"] - 1):
            self.push({"op": INVALID, "d": False})
            return
        application.resumed += 1
        self.session, session.take = session, self.push
        for event in session.events:
            if event["s"] > asked["seq"]:
                self.push(event)
        session.push("RESUMED", {})
        application.bell.ring()

    def _known(self, asked: Mapping[str, Any]) -> Application | None:
        application = self._find(asked["token"])
        if application is None or application.revoked:
            self.push(4004)
            return None
        self.application = application
        return application
