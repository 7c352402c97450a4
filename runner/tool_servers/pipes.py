"""The SDK's messages over a program's pipes, a line each.

    child.lines ──▶ heard ──▶ session        session ──▶ said ──▶ child.write

Why not the SDK's own pipes: they take a line of any length into memory (a server could fill it), hand more of the
daemon's surroundings on, and write the program's standard error into the daemon's. Rules: a line that is no message is
passed over; at the end of the program the session ends too, and whoever keeps the connection is told why; the pipes are
emptied until the program is gone, so that none hangs at its end because nobody listens.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from pydantic import ValidationError

from runner.lean import piecemeal
from runner.tool_servers.child import Child
from runner.tool_servers.link import Lost, Signals

with piecemeal("mcp"):  # without its servers: 18 MiB and half of the import
    from mcp.shared.message import SessionMessage
    from mcp.types import jsonrpc

Streams = tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]
_GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError)


@asynccontextmanager
async def piped(child: Child, signals: Signals) -> AsyncIterator[Streams]:
    """Streams for a session, as long as they are held; afterwards the program is stopped."""
    to_session, heard = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    said, from_session = anyio.create_memory_object_stream[SessionMessage](0)
    name, over = f"tool server {child.pid}", asyncio.Event()
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_hear(child, to_session, signals, over), name=f"{name} hear"),
            group.create_task(_say(child, from_session, signals), name=f"{name} say"),
            group.create_task(_complain(child, signals), name=f"{name} complain"),
        ]
        try:
            yield heard, said
        finally:
            over.set()
            heard.close()
            said.close()
            try:
                await child.stop()
            finally:
                for task in tasks:
                    task.cancel()


async def _hear(
    child: Child,
    to_session: MemoryObjectSendStream[SessionMessage | Exception],
    signals: Signals,
    over: asyncio.Event,
) -> None:
    """Hand on what it says. `over`: it is to end, so that its end is no news."""
    with to_session:
        try:
            async for line in child.lines():
                message = _read(line)
                if message is not None:
                    await _handed_on(message, to_session)
        except Lost as lost:
            why = str(lost)
        else:
            why = await child.epitaph()
        if not over.is_set():
            signals.lost(why)


async def _handed_on(
    message: SessionMessage, to_session: MemoryObjectSendStream[SessionMessage | Exception]
) -> None:
    """Give it to the session; one that has ended needs it no more."""
    try:
        await to_session.send(message)
    except _GONE:
        return


async def _say(
    child: Child, from_session: MemoryObjectReceiveStream[SessionMessage], signals: Signals
) -> None:
    with from_session:
        async for sent in from_session:
            line = sent.message.model_dump_json(by_alias=True, exclude_unset=True)
            try:
                await child.write(line.encode() + b"\n")
            except OSError:
                signals.lost("it closed its input")
                return


async def _complain(child: Child, signals: Signals) -> None:
    async for line in child.complaints():
        signals.said(line)


def _read(line: bytes) -> SessionMessage | None:
    try:
        return SessionMessage(jsonrpc.jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValidationError:
        return None
