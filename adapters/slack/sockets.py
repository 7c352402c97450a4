"""Socket Mode: envelopes in, acknowledged once durable, over one websocket after another.

    auth.test ─▶ apps.connections.open ─▶ websocket ─▶ hello ─▶ envelopes … ─▶ taken ─▶ ack
        ▲                                    │ disconnect: Slack gives notice; the next one is opened, and this one
        └──────── back-off ◀─────────────────┘ read on until Slack closes it; or it broke, or answers no ping

Rules: the credentials are probed before each socket (the library's own client asks with dead ones for ever). An
envelope that was not taken stays in hand and is tried again; Slack brings it again as well, which is a duplicate. At
most `MOST_IN_HAND` are in hand, more are left to Slack. Where a socket closed before the acknowledgement, the
envelope's next coming is acknowledged.

| what happens                        | state    | what is done                                 |
|-------------------------------------|----------|----------------------------------------------|
| the token is refused                | refused  | the end                                      |
| 429 of the Web API                  | degraded | as long as Slack says                        |
| network, 5xx, no hello, broken      | down     | back-off                                     |
| disconnect: warning, refresh        | up       | the next socket, while this one is read on   |
| disconnect: link_disabled, too many | down     | back-off, then what the probe says           |
| an unreadable envelope              | degraded | counted and kept, up again by the next       |
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp

from adapters.contract import ConnectionState, Deliver
from adapters.errors import RefusedConnection, Unreachable
from adapters.http import Backoff, Shared
from adapters.slack.client import Client, NotConnected, Patience, SlowDown
from adapters.slack.intake import NOT_NOW, OK, Intake, Taken, Unreadable

MOST_IN_HAND = 1000
_PROVEN_S = 60.0
_SHORTEST_WAIT_S = 0.05
_CLOSE_S = 1.0
_GIVES_NOTICE = frozenset({"refresh_requested", "warning"})
_KINDS = frozenset({"events_api", "interactive", "slash_commands"})

Tell = Callable[[ConnectionState, str], None]


class Link:
    """One websocket. `left` is set with the reason when another one is needed."""

    __slots__ = ("left", "proven", "ws")

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.left: str | None = None
        self.proven = False

    async def acknowledge(self, envelope_id: str) -> None:
        """Tell Slack, if it still listens here."""
        try:
            await self.ws.send_str(json.dumps({"envelope_id": envelope_id}))
        except (aiohttp.ClientError, OSError, RuntimeError):
            return


class _Own:
    """The tasks of one life of a connection, which end together."""

    __slots__ = ("_group", "_tasks")

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = self._group.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()


class SocketLoop:
    """One bot's sockets, for one life of its connection."""

    def __init__(
        self,
        client: Client,
        shared: Shared,
        patience: Patience,
        intake: Intake,
        unreadable: Unreadable,
        tell: Tell,
    ) -> None:
        self._client = client
        self._shared = shared
        self._patience = patience
        self._intake = intake
        self._unreadable = unreadable
        self._tell = tell
        self._backoff = Backoff(shared.chance)
        self._attention = asyncio.Event()
        self._doubted = False
        self._in_hand = 0

    def doubt(self) -> None:
        """Somebody heard that the token is dead: probe it."""
        self._doubted = True
        self._attention.set()

    async def run(self, deliver: Deliver) -> None:
        """Hold sockets until cancelled. Raises RefusedConnection, and only that."""
        refused: RefusedConnection | None = None
        async with asyncio.TaskGroup() as group:
            own = _Own(group)
            try:
                while True:
                    await self._one(own, deliver)
            except RefusedConnection as error:
                refused = error  # raised in here it would come out in an exception group
                own.cancel()
        if refused is not None:
            raise refused

    async def _one(self, own: _Own, deliver: Deliver) -> None:
        """One socket, from the probe until another one is needed. Raises RefusedConnection."""
        try:
            link = await self._connect()
        except Unreachable as error:
            await self._failed(error)
            return
        self._tell(ConnectionState.UP, "")
        began = self._shared.timer.monotonic()
        own.start(self._read(link, own, deliver), "slack socket")
        while link.left is None:
            await self._attention.wait()
            self._attention.clear()
            await self._probe_if_doubted()
        if link.proven or self._shared.timer.monotonic() - began > _PROVEN_S:
            self._backoff.reset()
        if link.left not in _GIVES_NOTICE:
            self._tell(ConnectionState.DOWN, link.left)
        await self._shared.timer.sleep(self._backoff.next_s())

    async def _probe_if_doubted(self) -> None:
        if not self._doubted:
            return
        self._doubted = False
        try:
            await self._client.me()
        except Unreachable:
            return  # the next send, or the next socket, will tell

    async def _failed(self, error: Unreachable) -> None:
        if isinstance(error, SlowDown):
            self._tell(ConnectionState.DEGRADED, str(error))
            await self._shared.timer.sleep(max(_SHORTEST_WAIT_S, error.retry_after_s or 0.0))
        else:
            self._tell(ConnectionState.DOWN, str(error))
            await self._shared.timer.sleep(self._backoff.next_s())

    async def _connect(self) -> Link:
        """Probe, open, and wait for hello. Raises RefusedConnection or Unreachable."""
        self._doubted = False
        self._intake.me, _ = await self._client.me()
        url = await self._client.socket_url()
        try:
            async with asyncio.timeout(self._patience.hello_s):
                ws = await self._shared.session.ws_connect(
                    url, heartbeat=self._patience.ping_s, timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_S)
                )
                try:
                    await _hello(ws)
                except BaseException:
                    await ws.close()
                    raise
        except aiohttp.ClientConnectorError as error:
            raise NotConnected(f"no connection to {error.host}") from None
        except TimeoutError:
            raise Unreachable(f"no hello within {self._patience.hello_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError, TypeError) as error:
            raise Unreachable(f"the socket did not open: {type(error).__name__}") from None
        return Link(ws)

    async def _read(self, link: Link, own: _Own, deliver: Deliver) -> None:
        """Read one socket until it ends."""
        try:
            async with asyncio.timeout(None) as limit:
                async for frame in link.ws:
                    if frame.type is aiohttp.WSMsgType.TEXT and self._frame(link, frame.data, own, deliver):
                        limit.reschedule(asyncio.get_running_loop().time() + self._patience.linger_s)
        except TimeoutError:
            pass  # Slack said that it would close this one and did not
        finally:
            self._leave(link, "the socket broke" if link.ws.close_code in {None, 1006} else "Slack closed it")
            await link.ws.close()

    def _leave(self, link: Link, why: str) -> None:
        if link.left is None:
            link.left = why
            self._attention.set()

    def _frame(self, link: Link, text: str, own: _Own, deliver: Deliver) -> bool:
        """Handle one frame; True where Slack gives notice that it will close the socket."""
        raw = _read_json(text)
        kind = raw.get("type") if isinstance(raw, dict) else None
        if kind == "disconnect":
            reason = raw.get("reason")
            self._leave(link, str(reason)[:80])
            return True
        if kind == "hello":
            return False
        envelope_id = raw.get("envelope_id") if isinstance(raw, dict) else None
        if not isinstance(envelope_id, str):
            self._unreadable.note(text)
            self._tell(*_health(Taken(OK, readable=False)))
        elif kind not in _KINDS or self._in_hand >= MOST_IN_HAND:
            return False
        else:
            link.proven = True
            self._in_hand += 1
            own.start(self._envelope(link, envelope_id, raw, deliver), "slack envelope")
        return False

    async def _envelope(self, link: Link, envelope_id: str, raw: dict[str, Any], deliver: Deliver) -> None:
        """Hand one in, again and again where it must be, and acknowledge it."""
        try:
            taken = await self._taken(raw.get("payload"), deliver)
            if link.left is None:
                self._tell(*_health(taken))
            if taken.status == OK:
                await link.acknowledge(envelope_id)
        finally:
            self._in_hand -= 1

    async def _taken(self, payload: object, deliver: Deliver) -> Taken:
        request = self._intake.read("socket_mode", payload, "application/json", deliver)
        if request is None:
            return Taken(OK, readable=False)
        async with self._intake.turn(request):
            while (taken := await self._intake.take(request)).status == NOT_NOW:
                await self._shared.timer.sleep(taken.retry_after_s)
        return taken


def _health(taken: Taken) -> tuple[ConnectionState, str]:
    """What one event says of the connection."""
    if taken.status != OK:
        return ConnectionState.DEGRADED, "an event could not be handled"
    if not taken.readable:
        return ConnectionState.DEGRADED, "an event could not be read"
    return ConnectionState.UP, ""


async def _hello(ws: aiohttp.ClientWebSocketResponse) -> None:
    """Wait for Slack's first word. Raises Unreachable or what aiohttp raises."""
    raw = _read_json(await ws.receive_str())
    kind = raw.get("type") if isinstance(raw, dict) else None
    if kind != "hello":
        reason = raw.get("reason") if isinstance(raw, dict) else None
        raise Unreachable(f"no hello but {str(reason or kind)[:80]}")


def _read_json(text: str) -> Any:  # noqa: ANN401 - whatever the platform sent
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
