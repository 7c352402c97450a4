"""The box of a bot's tools: what it tells of them, and which addresses it never calls."""

from collections.abc import AsyncIterator

import pytest

from runner.agent.tool_sessions import ToolSessions
from runner.agent.tools import EmptyToolbox, HttpToolbox
from runner.bots import HttpTool
from runner.conversations.models import ToolCall, ToolResult
from tests.unit.agent.tool_server import Names, Server, serving


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        yield made


@pytest.fixture
async def sessions() -> AsyncIterator[ToolSessions]:
    made = ToolSessions()
    yield made
    await made.close()


def guarded(url: str) -> HttpTool:
    return HttpTool("t", "a tool", "GET", url)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "0x7f.1", "0177.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"],
)
async def test_this_machine_is_not_called_in_any_notation(
    server: Server, sessions: ToolSessions, host: str
) -> None:
    box = HttpToolbox((guarded(f"http://{host}:{server.port}/"),), sessions, 1000)
    result = await box.run(ToolCall("c", "t", ""), 5)
    assert not result.ok
    assert not server.seen


async def test_the_address_that_counts_is_the_one_connected_to(server: Server) -> None:
    """A name that looked public when somebody checked it may be private a moment later."""
    sessions = ToolSessions(resolver=Names("127.0.0.1"))
    box = HttpToolbox((guarded(f"http://public.example:{server.port}/"),), sessions, 1000)
    result = await box.run(ToolCall("c", "t", ""), 5)
    await sessions.close()
    assert result.text == "The server has a private address, which this tool may not call."
    assert not server.seen


async def test_a_public_address_is_called(server: Server) -> None:
    """The loopback stands for a public address: what is tried is the way, not the list."""
    names = Names("127.0.0.1")
    sessions = ToolSessions(may_call=lambda address: address == "127.0.0.1", resolver=names)
    box = HttpToolbox((guarded(f"http://public.example:{server.port}/a"),), sessions, 1000)
    result = await box.run(ToolCall("c", "t", ""), 5)
    await sessions.close()
    assert result.ok
    assert names.asked == ["public.example"]
    assert server.seen[0][0].host == f"public.example:{server.port}"


async def test_an_open_connection_of_another_tool_is_no_way_in(
    server: Server, sessions: ToolSessions
) -> None:
    url = f"http://127.0.0.1:{server.port}/"
    trusted = HttpTool("t", "a tool", "GET", url, allow_private=True)
    assert (await HttpToolbox((trusted,), sessions, 1000).run(ToolCall("c", "t", ""), 5)).ok
    assert not (await HttpToolbox((guarded(url),), sessions, 1000).run(ToolCall("c", "t", ""), 5)).ok
    assert len(server.seen) == 1


async def test_an_unknown_name_is_told() -> None:
    sessions = ToolSessions(resolver=Names(""))
    box = HttpToolbox((guarded("http://nowhere.invalid/"),), sessions, 1000)
    result = await box.run(ToolCall("c", "t", ""), 5)
    await sessions.close()
    assert result == ToolResult("c", "t", "The server's name could not be resolved.", ok=False)


# ── the box ──────────────────────────────────────────────────────────────────────────────────────────────
def test_specs_are_sorted_and_name_every_place(sessions: ToolSessions) -> None:
    tools = (
        HttpTool("b", "second", "GET", "http://h/{id}", {"type": "object", "properties": {"q": {}}}),
        HttpTool("a", "first", "POST", "http://h/"),
    )
    specs = HttpToolbox(tools, sessions, 1000).specs
    assert [(spec.name, spec.description) for spec in specs] == [("a", "first"), ("b", "second")]
    assert specs[1].parameters == {
        "type": "object",
        "properties": {"q": {}, "id": {"type": "string"}},
        "required": ["id"],
    }


def test_only_reading_is_repeatable(sessions: ToolSessions) -> None:
    methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
    box = HttpToolbox(tuple(HttpTool(m, m, m, "http://h/") for m in methods), sessions, 1000)
    assert [m for m in methods if box.is_repeatable(m)] == ["GET", "HEAD"]


async def test_a_tool_that_is_not_there(sessions: ToolSessions) -> None:
    expected = ToolResult("c", "rm", "There is no such tool: rm", ok=False)
    for box in (EmptyToolbox(), HttpToolbox((), sessions, 1000)):
        assert await box.run(ToolCall("c", "rm", "{}"), 1) == expected
        assert box.specs == ()
        assert box.is_repeatable("rm")
