"""The HTTP tools against a real server on a real socket."""

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from runner.agent.http_exchange import MAX_BODY
from runner.agent.tool_sessions import ToolSessions
from runner.agent.tools import HttpToolbox
from runner.bots import HttpTool, Secret
from runner.conversations.models import ToolCall, ToolResult
from tests.unit.agent.tool_server import Server, serving

ANY = {"type": "object", "additionalProperties": True}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        yield made


@pytest.fixture
async def sessions() -> AsyncIterator[ToolSessions]:
    made = ToolSessions()
    yield made
    await made.close()


@pytest.fixture
def run(server: Server, sessions: ToolSessions) -> Callable[..., Any]:
    """Make one call of one tool at the server."""

    async def call(
        arguments: object = "{}",
        *,
        path: str = "/x",
        method: str = "GET",
        cap: int = 16_000,
        timeout_s: float = 30.0,
        left_s: float = 30.0,
        headers: dict[str, str] | None = None,
        parameters: dict[str, Any] | None = None,
        origin: str = "",
    ) -> ToolResult:
        tool = HttpTool(
            name="t",
            description="a tool",
            method=method,
            url=(origin or f"http://127.0.0.1:{server.port}") + path,
            parameters=ANY if parameters is None else parameters,
            headers={name: Secret(value) for name, value in (headers or {}).items()},
            timeout_s=timeout_s,
            allow_private=True,
        )
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        return await HttpToolbox((tool,), sessions, cap).run(ToolCall("c1", "t", text), left_s)

    return call


async def test_arguments_fill_places_and_the_others_join_the_query(run: Any, server: Server) -> None:
    result = await run({"id": "ä b/c", "q": "x&y", "n": [1, True]}, path="/orders/{id}?fixed=1")
    assert result == ToolResult("c1", "t", "fine", ok=True)
    assert server.seen[0][0].raw_path == "/orders/%C3%A4%20b%2Fc?fixed=1&q=x%26y&n=1&n=true"
    assert server.seen[0][1] == ""


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
async def test_methods_without_a_body_have_none(run: Any, server: Server, method: str) -> None:
    assert (await run({"q": 1}, method=method)).ok
    request, body = server.seen[0]
    assert (request.method, request.raw_path, body) == (method, "/x?q=1", "")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_other_methods_send_json(run: Any, server: Server, method: str) -> None:
    assert (await run({"id": "7", "note": "grüß", "deep": {"a": [None]}}, method=method, path="/o/{id}")).ok
    request, body = server.seen[0]
    assert (request.method, request.raw_path) == (method, "/o/7")
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(body) == {"note": "grüß", "deep": {"a": [None]}}


async def test_headers_are_sent_and_an_echo_of_them_is_struck_out(run: Any, server: Server) -> None:
    server.answer = lambda request: web.Response(text=f"you sent {request.headers['Authorization']}, x")
    result = await run(headers={"Authorization": "Bearer sk-very-secret", "Accept": "text/plain"})
    assert server.seen[0][0].headers["Authorization"] == "Bearer sk-very-secret"
    assert server.seen[0][0].headers["Accept"] == "text/plain"
    assert result.text == "you sent ***, x"


async def test_a_failing_status_is_a_failing_result_with_what_the_server_said(
    run: Any, server: Server
) -> None:
    server.answer = lambda _: web.json_response({"error": "no such order"}, status=404)
    result = await run()
    assert not result.ok
    assert result.text == 'HTTP 404: {"error": "no such order"}'


async def test_an_answer_without_content_says_so(run: Any, server: Server) -> None:
    server.answer = lambda _: web.Response(status=204)
    assert (await run(method="DELETE")).text == "HTTP 204, without content"


async def test_redirects_are_not_followed(run: Any, server: Server) -> None:
    server.answer = lambda _: web.Response(status=302, headers={"Location": "/elsewhere"})
    result = await run()
    assert not result.ok
    assert "redirects are not followed" in result.text
    assert [request.path for request, _ in server.seen] == ["/x"]


async def test_a_long_answer_is_capped_and_says_how_long_it_was(run: Any, server: Server) -> None:
    server.answer = lambda _: web.Response(text="é" * 5000)
    result = await run(cap=200)
    assert result.ok
    assert len(result.text) == 200
    assert result.text.endswith("é\n[cut: 5000 characters in all]")


async def test_an_endless_answer_is_given_up_at_the_bound(run: Any, server: Server) -> None:
    gone = asyncio.Event()

    async def pour(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"a" * 65536)
        except ConnectionError:
            gone.set()
            raise

    server.answer = pour
    result = await run(cap=1_000_000)
    assert result.ok
    assert result.text.endswith(f"a\n[cut: more than {MAX_BODY} characters in all]")
    await asyncio.wait_for(gone.wait(), 30)


async def test_a_packed_answer_that_grows_is_read_to_the_bound_only(run: Any, server: Server) -> None:
    packed = gzip.compress(b"0" * 50_000_000)
    server.answer = lambda _: web.Response(body=packed, headers={"Content-Encoding": "gzip"})
    result = await run(cap=300)
    assert len(result.text) == 300
    assert f"more than {MAX_BODY}" in result.text


async def test_a_broken_packing_is_told(run: Any, server: Server) -> None:
    server.answer = lambda _: web.Response(body=b"not gzip", headers={"Content-Encoding": "gzip"})
    result = await run()
    assert not result.ok
    assert "could not be read" in result.text


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("grüße".encode("latin-1"), "text/plain; charset=iso-8859-1", "grüße"),
        ("grüße".encode(), "text/plain; charset=no-such-thing", "grüße"),
        (b"gr\xfc", "text/plain", "gr\ufffd"),
        (b"+2D0-", "text/plain; charset=utf-7", "+2D0-"),
        (b"\x89PNG\0\0\0", "image/png", "[image/png: 7 bytes that are no text]"),
    ],
)
async def test_whatever_comes_is_read_as_clean_text(
    run: Any, server: Server, body: bytes, content_type: str, text: str
) -> None:
    server.answer = lambda _: web.Response(body=body, headers={"Content-Type": content_type})
    assert (await run()).text == text


async def test_a_slow_server_is_told(run: Any, server: Server) -> None:
    server.answer = server.hang
    result = await run(timeout_s=0.05)
    assert not result.ok
    assert result.text == "The server did not answer within 0.05 seconds."


async def test_the_message_s_time_counts_too(run: Any, server: Server) -> None:
    server.answer = server.hang
    assert "no time is left" in (await run(left_s=0.0)).text
    assert server.seen == []
    assert "within 0.03 seconds" in (await run(left_s=0.03)).text


async def test_nobody_at_home(run: Any, unused_port: int) -> None:
    result = await run(origin=f"http://127.0.0.1:{unused_port}", path="/?key=s3cr3t")
    assert result == ToolResult("c1", "t", "The server could not be reached.", ok=False)


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_server_without_tls_is_told(run: Any, server: Server) -> None:
    result = await run(origin=f"https://127.0.0.1:{server.port}")
    assert not result.ok
    assert "TLS" in result.text


async def test_a_server_that_speaks_no_http_is_told(run: Any) -> None:
    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        result = await run(origin=f"http://127.0.0.1:{port}")
    assert not result.ok
    assert "could not be read" in result.text


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ("{", "not valid JSON"),
        ('{"n": NaN}', "not valid JSON"),
        ('{"n": 1e999}', "not valid JSON"),
        ('{"s": "\\ud800"}', "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "one JSON object"),
        ("{}", "`id` is missing"),
        ('{"id": 7}', "`id` must be of type string"),
        ('{"id": "7", "n": true}', "`n` must be of type integer or null"),
        ('{"id": "7", "n": 1.5}', "`n` must be of type integer or null"),
        ('{"id": "7", "size": "XL"}', '`size` must be one of ["S", "M"]'),
        ('{"id": "7", "tags": ["a", 1]}', "`tags[1]` must be of type string"),
        ('{"id": "7", "who": {"name": null}}', "`who.name` must be of type string"),
        ('{"id": "7", "admin": true}', "there is no argument `admin`"),
        ('{"id": ""}', "`id` must not be empty"),
        ('{"id": ".."}', "`id` must not hold `.` or `..`"),
        ('{"id": "../../admin"}', "`id` must not hold `.` or `..`"),
        ('{"id": "a\\\\..\\\\b"}', "`id` must not hold `.` or `..`"),
        (json.dumps({"id": "x" * 9000}), "a URL of more than"),
    ],
)
async def test_arguments_that_do_not_fit_are_explained_and_nothing_is_sent(
    run: Any, server: Server, arguments: str, why: str
) -> None:
    schema = {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "n": {"type": ["integer", "null"]},
            "size": {"enum": ["S", "M"]},
            "tags": {"type": "array", "items": {"type": "string"}},
            "who": {"type": "object", "properties": {"name": {"type": "string"}}},
        },
        "required": ["id"],
    }
    result = await run(arguments, path="/o/{id}", parameters=schema)
    assert not result.ok
    assert why in result.text
    assert not server.seen


async def test_arguments_that_fit_pass(run: Any, server: Server) -> None:
    schema = {"properties": {"n": {"type": "integer"}, "big": {"type": "integer"}, "x": {"type": "number"}}}
    assert (await run({"n": 3.0, "big": 10**400, "x": 1}, parameters=schema)).ok
    assert server.seen[0][0].query["big"] == str(10**400)


async def test_two_half_dots_make_no_step_up(run: Any, server: Server) -> None:
    result = await run({"a": ".", "b": "."}, path="/o/{a}{b}/secret")
    assert not result.ok
    assert not server.seen


@pytest.mark.parametrize("host", ["{host}", "api.{host}", "user:{host}@127.0.0.1"])
async def test_no_argument_chooses_the_host(run: Any, server: Server, host: str) -> None:
    result = await run({"host": "127.0.0.1"}, origin=f"http://{host}:{server.port}")
    assert not result.ok
    assert "its host must be fixed" in result.text
    assert not server.seen


@pytest.mark.parametrize(
    "parameters", [{"properties": None}, {"required": None}, {"properties": [], "type": 3}]
)
async def test_a_senseless_schema_breaks_nothing(run: Any, parameters: dict[str, Any]) -> None:
    assert (await run("{}", parameters=parameters)).ok


async def test_cancelling_a_call_gives_its_connection_up(run: Any, server: Server) -> None:
    begun = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        begun.set()
        return await server.hang(request)

    server.answer = hang
    async with asyncio.TaskGroup() as group:
        task = group.create_task(run(), name="call")
        await begun.wait()
        task.cancel()
    assert task.cancelled()
