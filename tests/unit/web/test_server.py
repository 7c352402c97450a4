"""The server itself: its address, its faults, who asks nothing, and how it ends."""

import asyncio
import logging

import aiohttp
import pytest

from runner.errors import OperatorError
from runner.ports.observer import Fault
from runner.web import server
from tests.unit.web.web_stage import Stage, bearer

HOOK = "/api/bots/webhook/custom/shop"
HELLO = {"text": "hello", "user_id": "u"}


async def _read(stage: Stage, said: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    try:
        writer.write(said)
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_the_address_has_the_real_port() -> None:
    async with Stage() as stage:
        assert stage.url.startswith("http://127.0.0.1:")
        assert stage.port > 0
        assert (await stage.ask("GET", "/health/live"))[:2] == (200, {"status": "ok"})


async def test_an_address_of_ipv6_is_written_as_urls_write_it() -> None:
    async with Stage(host="::1") as stage:
        assert stage.url.startswith("http://[::1]:")
        status, body, _ = await stage.ask("POST", HOOK, json=HELLO)
        assert (status, body["response"]) == (200, "re hello")


async def test_a_port_that_is_taken_is_told_to_the_operator() -> None:
    async with Stage() as stage:
        other = Stage()
        async with other:
            await other.server.stop_listening()
            with pytest.raises(OperatorError, match=rf"127\.0\.0\.1:{stage.port}.*in use") as told:
                await other.server.start("127.0.0.1", stage.port)
        assert "bots.yaml" in told.value.hint


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
async def test_an_address_of_another_machine_is_told_to_the_operator(host: str) -> None:
    other = Stage(host=host)
    with pytest.raises(OperatorError, match=f"cannot listen on {host}:0"):
        async with other:
            pass
    await other.server.close()


async def test_a_bug_is_a_plain_500_and_told_whole_to_the_log() -> None:
    broken = ValueError("the secret of the house is 42")
    async with Stage(broken=broken) as stage:
        status, body, headers = await stage.ask("POST", HOOK, json=HELLO)
        said = {"code": "internal", "message": "something went wrong here; it is in the log", "details": []}
        assert (status, body) == (500, {"error": said})
        assert headers["X-Content-Type-Options"] == "nosniff"
        [fault] = stage.observer.of(Fault)
        assert fault.error is broken
        assert fault.where == "http /api/bots/webhook/{platform}/{bot_id}"
        stage.broken = None
        assert (await stage.ask("POST", HOOK, json=HELLO))[0] == 200


async def test_no_such_page_and_no_such_method() -> None:
    async with Stage() as stage:
        status, body, _ = await stage.ask("GET", "/nowhere")
        assert (status, body["error"]["code"]) == (404, "not_found")
        status, body, headers = await stage.ask("DELETE", "/api/status", headers=bearer())
        assert (status, body["error"]["code"]) == (405, "method_not_allowed")
        assert set(headers["Allow"].split(",")) == {"GET", "HEAD"}
        assert not stage.observer.of(Fault)


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nBroken header\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_and_does_not_fill_the_log(
    said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with Stage() as stage:
        assert (await _read(stage, said)).startswith(b"HTTP/1.0 400 ")
        assert (await stage.ask("GET", "/health/live"))[0] == 200
        assert not stage.observer.of(Fault)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    "said", [b"", b"GET /health/live HTTP/1.1\r\n", b"GET /health/live HTTP/1.1\r\nHost: a"]
)
async def test_who_asks_nothing_is_shown_out(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEADER_S", 0.05)
    async with Stage() as stage:
        assert await _read(stage, said) == b""


async def test_who_has_asked_may_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEADER_S", 0.05)
    async with Stage() as stage:
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
        ask = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
        for _ in range(3):
            writer.write(ask)
            assert b"200 OK" in await reader.readuntil(b'"ok"}')
            await _read(stage, b"")  # as long as a silent one may stay
        writer.close()
        await writer.wait_closed()


async def test_stopping_shuts_the_door_and_lets_those_inside_finish() -> None:
    async with Stage(answering=False) as stage, asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(stage.ask("POST", HOOK, json=HELLO))
        await stage.heard.wait()
        await stage.server.stop_listening()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", stage.port)
        closing = tasks.create_task(stage.server.close())
        stage.answering = True
        await stage.deliver(*stage.told[0])
        status, body, _ = await asking
        assert (status, body["response"]) == (200, "re hello")
        await closing


async def test_closing_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "FINISH_S", 0.05)

    async def ask(stage: Stage) -> None:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await stage.ask("POST", HOOK, json=HELLO)

    async with Stage(answering=False) as stage, asyncio.TaskGroup() as tasks:
        tasks.create_task(ask(stage))
        await stage.heard.wait()
        async with asyncio.timeout(30):
            await stage.server.close()
