"""Webhooks: who is from here, which bodies are read, and that nobody else's trouble is ours."""

import asyncio
import gzip
import io
import json
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from adapters.custom import wire
from runner.bots import Channel
from runner.ports.observer import Fault
from runner.testing.scenes import a_bot
from runner.web import bodies, hooks
from tests.unit.web.web_stage import CUSTOM, GUARDED, Stage

HOOK = "/api/bots/webhook/custom/shop"
HELLO = {"text": "hello", "user_id": "u"}
JSON = {"Content-Type": "application/json"}


class _Transport:
    """A connection's other end."""

    def __init__(self, peer: Any) -> None:
        self._peer = peer

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._peer if name == "peername" else default


def asked(host: str, peer: Any = ("127.0.0.1", 5000), **headers: str) -> web.Request:
    given = {"Host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return make_mocked_request("POST", HOOK, headers=given, transport=_Transport(peer))


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8080", "LocalHost:8080", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:8080"],
)
@pytest.mark.parametrize("peer", [("127.0.0.1", 5000), ("127.9.9.9", 5000), ("::1", 5000, 0, 0)])
def test_from_here_by_peer_and_by_name(host: str, peer: Any) -> None:
    assert hooks.is_from_here(asked(host, peer))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example:8080",
        "localhost@evil.example",
        "bots.example.com",
        "0.0.0.0:8080",
        "192.168.1.5:8080",
        "[::1].evil.example",
        "[fe80::1]:8080",
        "localhost.:8080",
        "",
        ":8080",
        "::1",
    ],
)
def test_a_name_that_is_not_this_machines_is_from_elsewhere(host: str) -> None:
    assert not hooks.is_from_here(asked(host))


@pytest.mark.parametrize(
    "peer",
    [("192.168.1.5", 5000), ("203.0.113.9", 5000), ("fe80::1%eth0", 5000, 0, 2), ("", 0), None, ("gate", 1)],
)
def test_a_peer_elsewhere_is_from_elsewhere_whatever_it_asks_for(peer: Any) -> None:
    assert not hooks.is_from_here(asked("localhost:8080", peer))


@pytest.mark.parametrize(
    "name",
    [
        "X-Forwarded-For",
        "x-forwarded-for",
        "X-FORWARDED-FOR",
        "Forwarded",
        "forwarded",
        "X-Real-IP",
        "x-real-ip",
        "X-Forwarded-Host",
        "x-forwarded-proto",
        "Via",
        "CF-Connecting-IP",
    ],
)
def test_what_came_through_a_proxy_is_from_elsewhere(name: str) -> None:
    assert not hooks.is_from_here(asked("localhost:8080", **{name: "127.0.0.1"}))


async def test_a_bot_without_a_secret_answers_this_machine_only() -> None:
    async with Stage() as stage:
        status, body, _ = await stage.ask("POST", HOOK, json=HELLO)
        assert (status, body["response"]) == (200, "re hello")
        for headers in ({"Host": "evil.example"}, {"x-forwarded-for": "203.0.113.9"}):
            status, body, _ = await stage.ask("POST", HOOK, json=HELLO, headers=headers)
            assert (status, body["error"]["code"]) == (403, "loopback_only")
        assert len(stage.told) == 1


async def test_a_bot_with_a_secret_answers_who_knows_it() -> None:
    async with Stage((a_bot("shop", channels=(GUARDED,)),)) as stage:
        elsewhere = {"Host": "bots.example.com"}
        status, _, headers = await stage.ask("POST", HOOK, json=HELLO, headers=elsewhere)
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
        knows = {**elsewhere, "Authorization": "Bearer s3cret-of-the-shop"}
        status, body, _ = await stage.ask("POST", HOOK, json=HELLO, headers=knows)
        assert (status, body["response"]) == (200, "re hello")


@pytest.mark.parametrize(
    "path",
    [
        "/api/bots/webhook/custom/nobody",
        "/api/bots/webhook/telegram/shop",
        "/api/bots/webhook/polled/poller",
        "/api/bots/webhook/console/shop",
        "/api/bots/webhook/custom/%ff%00",
        "/api/bots/webhook/custom/..%2fshop",
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_there_is_no_such_bot(path: str, method: str) -> None:
    bots = (*Stage().bots, a_bot("poller", channels=(Channel("polled", "polled", None),)))
    async with Stage(bots) as stage:
        status, body, _ = await stage.ask(method, path)
        assert (status, body["error"]["code"]) == (404, "not_found")
        assert not stage.told
        assert not stage.observer.of(Fault)


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_may_have_a_mebibyte(*, chunked: bool) -> None:
    async with Stage() as stage:
        head, tail = b'{"user_id":"u","text":"', b'"}'
        fits = head + b"x" * (bodies.MAX_BODY - len(head) - len(tail)) + tail

        async def pieces(whole: bytes) -> Any:
            for at in range(0, len(whole), 65_536):
                yield whole[at : at + 65_536]

        for body, status in ((fits, 200), (fits + b" ", 413)):
            data = pieces(body) if chunked else io.BytesIO(body)
            told, answer, headers = await stage.ask("POST", HOOK, data=data, headers=JSON)
            assert told == status
            assert headers["Content-Type"].startswith("application/json")
        assert answer["error"]["code"] == "too_large"
        assert len(stage.told) == 1


async def test_no_platforms_body_is_larger_than_metas_largest() -> None:
    async with Stage() as stage:
        for length, most in ((bodies.MAX_HOOK, wire.LONGEST_BODY), (bodies.MAX_HOOK + 1, bodies.MAX_HOOK)):
            status, body, _ = await stage.ask("POST", HOOK, data=io.BytesIO(b" " * length), headers=JSON)
            assert (status, body["error"]["code"]) == (413, "too_large")
            assert str(most) in body["error"]["message"]
        assert not stage.told


@pytest.mark.parametrize("packing", ["gzip", "deflate", "br", "GZIP"])
async def test_a_packed_body_is_not_unpacked(packing: str) -> None:
    async with Stage() as stage:
        packed = gzip.compress(b" " * (8 * bodies.MAX_BODY))
        headers = {**JSON, "Content-Encoding": packing}
        status, body, _ = await stage.ask("POST", HOOK, data=packed, headers=headers)
        assert (status, body["error"]["code"]) == (415, "packed")
        status, body, _ = await stage.ask("POST", HOOK, json=HELLO, headers={"Content-Encoding": "identity"})
        assert status == 200


async def _raw(stage: Stage, head: str, body: bytes = b"", *, leave: bool = False) -> bytes:
    """Say something by hand; what comes back until the other side closes, or nothing where we leave first."""
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    try:
        writer.write(head.replace("\n", "\r\n").encode() + body)
        await writer.drain()
        if leave:
            return b""
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


def _head(length: int, more: str = "") -> str:
    lines = (
        f"POST {HOOK} HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: {length}\n"
    )
    return f"{lines}Connection: close\n{more}\n"


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_S", 0.05)
    async with Stage() as stage:
        status, _, said = (await _raw(stage, _head(100), b'{"text":')).partition(b"\r\n")
        assert status == b"HTTP/1.1 408 Request Timeout"
        assert json.loads(said.partition(b"\r\n\r\n")[2])["error"]["code"] == "too_slow"
        assert not stage.told


async def test_who_leaves_in_the_middle_of_a_body_is_no_fault_of_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Stage() as stage:
        for _ in range(3):
            await _raw(stage, _head(100), b'{"text":', leave=True)
        status, body, _ = await stage.ask("POST", HOOK, json=HELLO)
        assert (status, body["response"]) == (200, "re hello")
        await stage.http.close()
        await stage.server.close()
        assert not stage.observer.of(Fault)
    assert not caplog.records


async def test_a_body_against_the_rules_of_http_is_the_senders_fault(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Stage() as stage:
        head = _head(0).replace("Content-Length: 0", "Transfer-Encoding: chunked")
        status = (await _raw(stage, head, b"5\r\nhello\r\nnone\r\n")).partition(b"\r\n")[0]
        assert b" 400 " in status
        assert not stage.told
        assert not stage.observer.of(Fault)
    assert not caplog.records


async def test_what_an_adapter_says_comes_back_with_headers_that_browsers_heed() -> None:
    async with Stage() as stage:
        status, _, headers = await stage.ask("GET", HOOK)
        assert (status, headers["Allow"]) == (405, "POST")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


async def test_each_channel_of_a_bot_has_an_address_of_its_own() -> None:
    other = Channel("custom2", "custom", GUARDED.config)
    knows = {"Authorization": "Bearer s3cret-of-the-shop"}
    async with Stage((a_bot("shop", channels=(CUSTOM, other)),)) as stage:
        assert (await stage.ask("POST", HOOK, json=HELLO))[0] == 200
        for address in (f"{HOOK}/custom2", f"{HOOK}?channel=custom2"):
            assert (await stage.ask("POST", address, json=HELLO))[0] == 401
            assert (await stage.ask("POST", address, json=HELLO, headers=knows))[0] == 200
        assert (await stage.ask("POST", f"{HOOK}/custom", json=HELLO))[0] == 200
        assert [channel for _, channel, _ in stage.told] == ["custom", "custom2", "custom2", "custom"]
        for address in (f"{HOOK}/custom3", f"{HOOK}?channel=telegram", f"{HOOK}/custom/custom"):
            assert (await stage.ask("POST", address, json=HELLO))[0] == 404
