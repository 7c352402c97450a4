"""The official SDK's session as a `Link`. Loaded when the first bot with tool servers is there, not before.

Rules: of two generations of the protocol the newer is tried first, as the SDK's own client does; what a server asks of
its client (a sampled answer, a form for the user) a bot cannot give, and the call says so; results are not checked
against schemas of results, for models read text; the SDK's own log is quiet, for it quotes what servers say. The
session is opened and closed by one task, its calls come from any.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from pydantic import TypeAdapter, ValidationError

import runner
from runner.bots import ToolServer
from runner.clock import Clock
from runner.lean import piecemeal
from runner.ports.tool_servers import ToolAnswer
from runner.tool_servers.child import started
from runner.tool_servers.contents import answer_of
from runner.tool_servers.link import Link, Lost, Place, Signals
from runner.tool_servers.listing import Offered
from runner.tool_servers.pipes import piped
from runner.tool_servers.web import LONGEST_ANSWER, client_of

with piecemeal("mcp"):
    from mcp import types
    from mcp.client import Transport
    from mcp.client.session import ClientSession, IncomingMessage, MessageHandlerFnT
    from mcp.client.streamable_http import streamable_http_client
    from mcp.client.subscriptions import listen
    from mcp.shared.exceptions import MCPError

MOST_PAGES = 50
LONGEST_WORDS = 1000
"""Characters of what a server says of a call that it refused."""
LONGEST_WHY = 200
LISTEN_AGAIN_S = 60.0
CLOSE_S = 10.0
"""For a good-bye over HTTP, which a server may leave without an answer; programs take less to end."""
_CALLERS_FAULT = frozenset({types.INVALID_PARAMS, types.METHOD_NOT_FOUND})
_MAYBE = "it may or may not have taken effect"


@asynccontextmanager
async def connected(server: ToolServer, signals: Signals, place: Place) -> AsyncIterator[Link]:
    """A session with the server, its protocol agreed upon.

    Raises:
        Lost: its program cannot be started.
        Exception: what the SDK, httpx2 and pydantic raise, alone or in groups.
    """
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
    closing = asyncio.timeout(None)
    async with closing, AsyncExitStack() as stack:
        over: Transport
        if server.url is None:
            over = piped(await started(server, place.folder, place.environ), signals)
        else:
            http = await stack.enter_async_context(client_of(server.headers, place.tls))
            over = streamable_http_client(
                server.url.reveal(), http_client=http, max_sse_event_size=LONGEST_ANSWER
            )
        heard, said = await stack.enter_async_context(over)
        about = types.Implementation(name="botrunner", version=runner.__version__)
        session = ClientSession(heard, said, message_handler=_heed(signals), client_info=about)
        await stack.enter_async_context(session)
        await _agree(session)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        name = f"tool server {server.name} listen"
        listening = group.create_task(_listen(session, signals, place.clock), name=name)
        try:
            yield SdkLink(session, signals)
        finally:
            listening.cancel()
            closing.reschedule(asyncio.get_running_loop().time() + CLOSE_S)


def _heed(signals: Signals) -> MessageHandlerFnT:
    async def heed(message: IncomingMessage) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            signals.changed()

    return heed


async def _agree(session: ClientSession) -> None:
    """Agree upon a generation of the protocol. A server that was too slow with the newer one may insist on it later."""
    for last in (False, True):
        with suppress(MCPError, RuntimeError, ValidationError):
            await session.discover()
            return
        try:
            await session.initialize()
        except MCPError as error:
            if last or error.code != types.UNSUPPORTED_PROTOCOL_VERSION:
                raise Lost(_why_lost(error)) from None
        else:
            return


async def _listen(session: ClientSession, signals: Signals, clock: Clock) -> None:
    """Hear of changed tools, where the protocol's newer generation wants to be asked for that."""
    told = session.server_capabilities
    if session.discover_result is None or told is None or told.tools is None or not told.tools.list_changed:
        return
    while True:
        with suppress(MCPError, RuntimeError, TimeoutError):  # RuntimeError: SubscriptionLost among others
            async with listen(session, tools_list_changed=True) as changes:
                async for _ in changes:
                    signals.changed()
        await clock.sleep(LISTEN_AGAIN_S)
        signals.changed()


class SdkLink:
    """A session that is open. A `runner.tool_servers.link.Link`."""

    def __init__(self, session: ClientSession, signals: Signals) -> None:
        self._session = session
        self._signals = signals
        self._result: TypeAdapter[types.CallToolResult | types.InputRequiredResult] = TypeAdapter(
            types.CallToolResult | types.InputRequiredResult
        )

    async def offers(self) -> tuple[Offered, ...]:
        """All its tools, page by page."""
        found: list[Offered] = []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            params = None if cursor is None else types.PaginatedRequestParams(cursor=cursor)
            try:
                page = await self._session.list_tools(params=params)
            except MCPError as error:
                raise Lost(_why_lost(error)) from None
            found += map(_offered, page.tools)
            cursor = page.next_cursor
            if cursor is None:
                return tuple(found)
        raise Lost(f"its list of tools has more than {MOST_PAGES} pages")

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> ToolAnswer:
        """Make one call; whatever the server says is an answer."""
        params = types.CallToolRequestParams(name=tool, arguments=dict(arguments))
        try:
            result = await self._session.send_request(types.CallToolRequest(params=params), self._result)
        except MCPError as error:
            if error.code not in _CALLERS_FAULT:
                self._signals.changed()
            if _is_closed(error):
                return ToolAnswer(ok=False, text=f"The tool server went away during the call; {_MAYBE}.")
            return ToolAnswer(
                ok=False, text=f"The tool server answered with an error: {error.message[:LONGEST_WORDS]}"
            )
        except ValidationError:
            return ToolAnswer(ok=False, text=f"The tool server's answer could not be read; {_MAYBE}.")
        if isinstance(result, types.InputRequiredResult):
            return ToolAnswer(ok=False, text="The tool asks for something that this bot cannot give it.")
        return answer_of(result)


def _offered(tool: types.Tool) -> Offered:
    hints = tool.annotations
    harmless = hints is not None and bool(hints.read_only_hint or hints.idempotent_hint)
    return Offered(tool.name, tool.description or tool.title or "", tool.input_schema, harmless)


def _is_closed(error: MCPError) -> bool:
    """Whether it is the SDK that says so: the code alone is any server's to use."""
    return (error.code, error.message) == (types.CONNECTION_CLOSED, "Connection closed")


def _why_lost(error: MCPError) -> str:
    if _is_closed(error):
        return "the connection was closed"
    return f"it answered with an error: {error.message[:LONGEST_WHY]}"
