"""The fake Telegram is as strict as the real one, and can be driven from another process."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.testing.telegram_server import TelegramServer
from adapters.testing.telegram_state import Account

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.fixture
def account(server: TelegramServer) -> Account:
    return server.account("5:token")


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def call(
    session: aiohttp.ClientSession, server: TelegramServer, method: str, token: str = "5:token", **fields: Any
) -> dict[str, Any]:
    async with session.post(f"{server.url}/bot{token}/{method}", json=fields) as response:
        answer: dict[str, Any] = await response.json()
        assert answer["ok"] is (response.status == 200)
        return answer


async def test_an_unknown_token_is_401(session: aiohttp.ClientSession, server: TelegramServer) -> None:
    assert (await call(session, server, "getMe", "6:other"))["error_code"] == 401


async def test_an_update_stays_until_a_later_offset(
    session: aiohttp.ClientSession, server: TelegramServer, account: Account
) -> None:
    first, second = account.say("one"), account.say("two")
    for offset, numbers in (
        (None, [first, second]),
        (first, [first, second]),
        (second, [second]),
        (None, [second]),
    ):
        answer = await call(session, server, "getUpdates", offset=offset)
        assert [update["update_id"] for update in answer["result"]] == numbers


async def test_a_held_poll_ends_with_an_update(
    session: aiohttp.ClientSession, server: TelegramServer, account: Account
) -> None:
    async with asyncio.TaskGroup() as group:
        poll = group.create_task(call(session, server, "getUpdates", timeout=30))
        await account.called("getUpdates")
        account.say("wake up")
    assert poll.result()["result"][0]["message"]["text"] == "wake up"


async def test_a_newer_poll_ends_the_older_with_409(
    session: aiohttp.ClientSession, server: TelegramServer, account: Account
) -> None:
    async with asyncio.TaskGroup() as group:
        older = group.create_task(call(session, server, "getUpdates", timeout=30))
        await account.called("getUpdates")
        newer = group.create_task(call(session, server, "getUpdates", timeout=30))
        await account.called("getUpdates", 2)
        account.say("for the newer")
    assert older.result()["error_code"] == 409
    assert len(newer.result()["result"]) == 1


async def test_a_poll_whose_caller_is_gone_conflicts_with_nobody(
    session: aiohttp.ClientSession, server: TelegramServer, account: Account
) -> None:
    async with asyncio.TaskGroup() as group:
        gone = group.create_task(call(session, server, "getUpdates", timeout=30))
        await account.called("getUpdates")
        gone.cancel()
    account.say("still here")
    assert len((await call(session, server, "getUpdates"))["result"]) == 1


@pytest.mark.parametrize(
    ("fields", "description"),
    [
        ({"chat_id": 1, "text": ""}, "message text is empty"),
        ({"chat_id": 1, "text": "🎉" * 2049}, "message is too long"),
        ({"chat_id": "@nobody", "text": "x"}, "chat not found"),
        ({"text": "x"}, "chat_id is empty"),
    ],
)
async def test_what_is_not_sent(
    session: aiohttp.ClientSession,
    server: TelegramServer,
    account: Account,
    fields: dict[str, Any],
    description: str,
) -> None:
    answer = await call(session, server, "sendMessage", **fields)
    assert answer["description"] == f"Bad Request: {description}"
    assert not account.sent


async def test_a_bot_may_send_thirty_a_second(
    session: aiohttp.ClientSession, server: TelegramServer, account: Account
) -> None:
    account.limits = True
    account._recent.extend([asyncio.get_running_loop().time() + 60] * 30)
    answer = await call(session, server, "sendMessage", chat_id=1, text="x")
    assert (answer["error_code"], answer["parameters"]["retry_after"]) == (429, 61)


async def test_a_webhook_keeps_polls_away(
    session: aiohttp.ClientSession, server: TelegramServer, account: Account
) -> None:
    account.say("x")
    await call(session, server, "setWebhook", url="https://example.org")
    assert (await call(session, server, "getUpdates"))["error_code"] == 409
    await call(session, server, "deleteWebhook", drop_pending_updates=False)
    assert len((await call(session, server, "getUpdates"))["result"]) == 1


async def test_a_process_of_its_own_is_driven_by_http(session: aiohttp.ClientSession) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "adapters.testing.telegram_server",
        "--port",
        "0",
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        assert process.stdout is not None
        url = json.loads(await process.stdout.readline())["url"]
        control = f"{url}/_control"

        async def ask(path: str, body: dict[str, Any] | None = None, want: int = 200) -> Any:
            verb = "GET" if body is None else "POST"
            async with session.request(verb, f"{control}/{path}", json=body) as response:
                assert response.status == want
                return await response.json()

        one = {"token": "9:t"}
        injected = await ask("inject", {**one, "messages": [{"text": "hi", "user_id": 3}]})
        async with session.get(f"{url}/bot9:t/getUpdates") as response:
            (update,) = (await response.json())["result"]
        assert [update["update_id"]] == injected["update_ids"]
        await session.post(f"{url}/bot9:t/sendMessage", data={"chat_id": "3", "text": "hello"})
        sent = (await ask("wait?token=9:t&count=1"))["sent"]
        assert [(message["chat_id"], message["text"]) for message in sent] == [("3", "hello")]
        assert sent[0]["at_s"] >= injected["at_s"]
        assert "error" in await ask("drained?token=9:t&timeout_s=0.01", want=408)
        assert "error" in await ask("inject", {**one, "messages": [{}]}, want=400)
        await ask("fail", {**one, "method": "getMe", "kind": "answer", "status": 500})
        await ask("revoke", one)
        for status in (500, 401):
            async with session.get(f"{url}/bot9:t/getMe") as response:
                assert response.status == status
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize(
    ("method", "fields", "description"),
    [
        ("sendMessage", {"chat_id": 1, "txt": "x"}, "sendMessage has no parameter txt"),
        (
            "sendMessageDraft",
            {"chat_id": "@a", "draft_id": 1, "text": "x"},
            "chat_id of sendMessageDraft is no int",
        ),
        ("sendMessageDraft", {"chat_id": 1, "draft_id": 0, "text": "x"}, "RANDOM_ID_INVALID"),
        ("sendMessageDraft", {"chat_id": -1, "draft_id": 1, "text": "x"}, "TEXTDRAFT_PEER_INVALID"),
        ("editMessageText", {"chat_id": 1, "message_id": 9, "text": "x"}, "message to edit not found"),
        ("setWebhook", {"url": "ftp://x"}, "bad webhook: An HTTPS URL must be provided for webhook"),
        (
            "setWebhook",
            {"url": "https://x", "secret_token": "a b"},
            "secret token contains unallowed characters",
        ),
        ("getFile", {"file_id": "none"}, "wrong file_id or the file is temporarily unavailable"),
    ],
)
async def test_what_is_refused(
    session: aiohttp.ClientSession,
    server: TelegramServer,
    account: Account,
    method: str,
    fields: dict[str, Any],
    description: str,
) -> None:
    assert (await call(session, server, method, **fields))["description"] == f"Bad Request: {description}"
    assert not account.shown


@pytest.mark.parametrize(
    "entities",
    [
        [{"type": "bold", "offset": 0, "length": 4}],
        [{"type": "bold", "offset": 1, "length": 0}],
        [{"type": "bald", "offset": 0, "length": 1}],
        [{"type": "text_link", "offset": 0, "length": 1, "url": "tg://user?id=1"}],
        [{"type": "bold", "offset": 0, "length": 2}, {"type": "italic", "offset": 1, "length": 2}],
        [{"type": "bold", "offset": 0, "length": 3}, {"type": "code", "offset": 1, "length": 1}],
        [{"type": "bold", "offset": 0, "length": 3}, {"type": "bold", "offset": 1, "length": 1}],
    ],
)
async def test_entities_that_are_none(
    session: aiohttp.ClientSession, server: TelegramServer, account: Account, entities: list[dict[str, Any]]
) -> None:
    answer = await call(session, server, "sendMessage", chat_id=1, text="abc", entities=entities)
    assert "can't parse entities" in answer["description"]
    assert not account.sent


async def test_an_edit_has_to_change_something(
    session: aiohttp.ClientSession, server: TelegramServer, account: Account
) -> None:
    sent = (await call(session, server, "sendMessage", chat_id=1, text="abc"))["result"]
    same = {"chat_id": 1, "message_id": sent["message_id"], "text": "abc"}
    assert (
        "message is not modified" in (await call(session, server, "editMessageText", **same))["description"]
    )
    bold = [{"type": "bold", "offset": 0, "length": 1}]
    assert (await call(session, server, "editMessageText", **same, entities=bold))["ok"]
    assert [edit.text for edit in await account.edited(1)] == ["abc"]
