"""The fake Slack does as the real one, and can be reached from another process."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.testing.slack_server import SlackServer
from adapters.testing.slack_state import Account

ROOT = Path(__file__).resolve().parents[3]
BOT, APP = "xoxb-one", "xapp-one"


@pytest.fixture
async def server() -> AsyncIterator[SlackServer]:
    async with SlackServer(wall=lambda: 1_780_000_000.0) as server:
        server.account(BOT, APP).retry_s = 0.05
        yield server


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def account(server: SlackServer) -> Account:
    return server.accounts[BOT]


async def call(
    session: aiohttp.ClientSession, server: SlackServer, method: str, token: str = BOT, **fields: Any
) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    async with session.post(f"{server.url}/api/{method}", json=fields, headers=headers) as response:
        answer = await response.json()
        return answer if answer["ok"] else (response.status, answer["error"])


@pytest.mark.parametrize(
    ("method", "token", "fields", "error"),
    [
        ("auth.test", "", {}, "not_authed"),
        ("auth.test", "xoxb-other", {}, "invalid_auth"),
        ("auth.test", APP, {}, "not_allowed_token_type"),
        ("apps.connections.open", BOT, {}, "not_allowed_token_type"),
        ("chat.postMassage", BOT, {}, "unknown_method"),
        ("chat.postMessage", BOT, {"text": "x"}, "channel_not_found"),
        ("chat.postMessage", BOT, {"channel": "C1", "text": " "}, "no_text"),
        ("chat.postMessage", BOT, {"channel": "C1", "text": "x", "thread_ts": "1"}, "invalid_thread_ts"),
        ("chat.postMessage", BOT, {"channel": "C1", "text": "x", "chanel": "C1"}, "invalid_arguments"),
        ("chat.postMessage", BOT, {"channel": "C1", "blocks": [{"type": "text"}]}, "invalid_blocks"),
        ("chat.postMessage", BOT, {"channel": "C1", "text": "x" * 40_001}, "msg_too_long"),
        (
            "chat.postMessage",
            BOT,
            {"channel": "C1", "blocks": [{"type": "markdown", "text": "x" * 12_001}]},
            "msg_blocks_too_long",
        ),
        (
            "chat.postMessage",
            BOT,
            {"channel": "C1", "text": "x", "metadata": {"event_type": "a b", "event_payload": {}}},
            "invalid_metadata_format",
        ),
        ("reactions.add", BOT, {"channel": "C1", "timestamp": "1", "name": "eyes"}, "message_not_found"),
        ("conversations.replies", BOT, {"channel": "C1", "ts": "1"}, "thread_not_found"),
    ],
)
async def test_it_is_strict(
    server: SlackServer,
    session: aiohttp.ClientSession,
    method: str,
    token: str,
    fields: dict[str, Any],
    error: str,
) -> None:
    assert await call(session, server, method, token, **fields) == (200, error)


async def test_a_channel_takes_a_message_a_second(
    server: SlackServer, session: aiohttp.ClientSession
) -> None:
    account(server).limits = True
    assert (await call(session, server, "chat.postMessage", channel="C1", text="one"))["ok"]
    assert await call(session, server, "chat.postMessage", channel="C1", text="two") == (429, "ratelimited")
    assert (await call(session, server, "chat.postMessage", channel="C2", text="one"))["ok"]


async def test_the_history_comes_in_pages_newest_first(
    server: SlackServer, session: aiohttp.ClientSession
) -> None:
    for number in range(5):
        account(server).say(f"{number}", channel="C1")
    first = await call(session, server, "conversations.history", channel="C1", limit=3)
    cursor = first["response_metadata"]["next_cursor"]
    second = await call(session, server, "conversations.history", channel="C1", limit=3, cursor=cursor)
    assert [one["text"] for one in first["messages"] + second["messages"]] == list("43210")
    assert (first["has_more"], second["has_more"]) == (True, False)


async def test_what_is_not_acknowledged_is_brought_again(
    server: SlackServer, session: aiohttp.ClientSession
) -> None:
    account(server).say("hello")
    url = (await call(session, server, "apps.connections.open", APP))["url"]
    async with session.ws_connect(url) as link:
        assert (await link.receive_json())["type"] == "hello"
        first, second = await link.receive_json(), await link.receive_json()
        assert (first["retry_attempt"], second["retry_attempt"]) == (0, 1)
        assert first["payload"] == second["payload"]
        assert first["payload"]["event"]["text"] == "hello"
    async with session.ws_connect(url) as link:
        await link.receive_json()
        third = await link.receive_json()
        assert third["envelope_id"] == first["envelope_id"]
        await link.send_json({"envelope_id": third["envelope_id"]})
        await account(server).drained()
        await server.disconnect(account(server), "warning")
        assert (await link.receive_json())["reason"] == "warning"


async def test_it_runs_on_its_own(session: aiohttp.ClientSession) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "adapters.testing.slack_server", "--port", "0", stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )  # fmt: skip
    try:
        assert process.stdout is not None
        url = json.loads(await process.stdout.readline())["url"]

        async def ask(path: str, body: dict[str, Any] | None = None, want: int = 200) -> Any:
            verb = "GET" if body is None else "POST"
            async with session.request(verb, f"{url}/_control/{path}", json=body) as response:
                assert response.status == want
                return await response.json()

        async def slack(method: str, **fields: str) -> Any:
            headers = {"Authorization": "Bearer xoxb-9"}
            async with session.post(f"{url}/api/{method}", json=fields, headers=headers) as response:
                return await response.json()

        one = {"token": "xoxb-9"}
        assert (await slack("auth.test"))["ok"]
        injected = await ask("inject", {**one, "messages": [{"text": "hi", "user": "U3"}]})
        await slack("chat.postMessage", channel="D3", text="hello")
        told = await ask("wait?token=xoxb-9&count=1")
        assert [(message["channel"], message["text"]) for message in told["sent"]] == [("D3", "hello")]
        assert told["sent"][0]["at_s"] >= injected["at_s"]
        assert told["links"] == 0
        assert "error" in await ask("drained?token=xoxb-9&timeout_s=0.01", want=408)
        assert "error" in await ask("inject", {**one, "messages": [{}]}, want=400)
        await ask("fail", {**one, "method": "auth.test", "kind": "error", "body": "internal_error"})
        await ask("revoke", one)
        assert [(await slack("auth.test"))["error"] for _ in range(2)] == ["internal_error", "invalid_auth"]
        assert await ask("disconnect", one) == {"links": 0}
        await ask("account", {**one, "limits": True, "request_url": "http://127.0.0.1:9/"})
    finally:
        process.kill()
        await process.wait()
