"""A tool server from a package (mcp-server-time) over both transports."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from runner.bots import Secret, ToolServer
from runner.ports.observer import ToolServerChanged
from runner.tool_servers.sdk import LISTEN_AGAIN_S
from tests.unit.tool_servers.tool_stage import a_program, an_address, having, staged

OVER_HTTP = """
import asyncio, socket, uvicorn
from mcp_server_time.server import create_server

class KeyAsked:
    def __init__(self, app): self.app = app
    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and (b"x-key", b"hush-hush") not in scope["headers"]:
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self.app(scope, receive, send)

app = create_server("UTC").streamable_http_app()
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
server = uvicorn.Server(uvicorn.Config(KeyAsked(app), log_level="error"))
asyncio.run(server.serve(sockets=[listening]))
"""


@asynccontextmanager
async def over_http() -> AsyncIterator[str]:
    """The package's server over streamable HTTP; yields its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OVER_HTTP, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        port = int(await process.stdout.readline())
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        await process.wait()


async def tried(server: ToolServer) -> None:
    bot = having(server)
    async with staged(bot) as stage:
        (change,) = await stage.changes(1)
        assert (change.state, change.why, change.tools) == ("up", "", 2)
        box = stage.box(bot)
        assert [spec.name for spec in box.specs] == ["shop__convert_time", "shop__get_current_time"]
        assert box.is_repeatable("shop__convert_time")
        wanted = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}
        result = await stage.run(bot, "convert_time", json.dumps(wanted))
        refused = await stage.run(bot, "convert_time", json.dumps(wanted | {"target_timezone": "Nowhere"}))
    assert result.ok
    assert json.loads(result.text)["time_difference"] == "+9.0h"
    assert not refused.ok
    assert "Nowhere" in refused.text


async def test_as_a_program() -> None:
    await tried(a_program(command=(sys.executable, "-m", "mcp_server_time", "--local-timezone", "UTC")))


async def test_over_http() -> None:
    async with over_http() as url:
        async with staged(having(an_address(url))) as stage:
            (kept_out,) = await stage.changes(1)
        await tried(an_address(url, headers={"X-Key": Secret("hush-hush")}))
    assert (kept_out.state, kept_out.why) == ("down", "it does not let this bot in (HTTP 401)")


LEARNS = """
from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("learns")
learnt = []

@server.tool()
async def learn(ctx: Context) -> str:
    learnt.append(f"learnt{len(learnt)}")
    server.add_tool(lambda: "yes", name=learnt[-1])
    await ctx.notify_tools_changed()
    return "learnt"

server.run()
"""


async def test_the_newer_generation_tells_of_other_tools() -> None:
    """The SDK's own server; who listens is told over a subscription, which may begin after the tools are there."""
    bot = having(a_program(command=(sys.executable, "-c", LEARNS)))
    async with staged(bot) as stage:
        await stage.changes(1)
        while len(changes := stage.observer.of(ToolServerChanged)) == 1:
            assert (await stage.run(bot, "learn")).text == "learnt"
            if stage.clock.sleeping == 2:  # it was told, and waits a second before it reads the list again
                stage.clock.advance(1)
        assert LISTEN_AGAIN_S not in stage.clock.sleeps
    assert (changes[1].state, changes[1].tools > 1) == ("up", True)
