"""The fake WhatsApp is as strict as the real one, and can be driven from another process."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from adapters.signatures import is_signed
from adapters.testing.whatsapp_server import WhatsAppServer
from adapters.testing.whatsapp_state import Number

ROOT = Path(__file__).resolve().parents[3]
NUMBER, TOKEN, SECRET, VERIFY = "1055", "EAAtoken", "appsecret", "verify"


@pytest.fixture
async def server() -> AsyncIterator[WhatsAppServer]:
    async with WhatsAppServer(retry_s=0.01) as server:
        yield server


@pytest.fixture
def number(server: WhatsAppServer) -> Number:
    return server.number(NUMBER, TOKEN, SECRET, VERIFY)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


class Hook:
    """A webhook that notes what it gets and answers as it is told."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.answers: list[int] = []
        self.url = ""

    async def serve(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            known = request.query["hub.verify_token"] == VERIFY
            return web.Response(status=200 if known else 403, text=request.query["hub.challenge"])
        body = await request.read()
        assert is_signed(SECRET, body, request.headers["X-Hub-Signature-256"])
        self.got.append(json.loads(body))
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    def messages(self) -> list[str]:
        return [
            message["text"]["body"]
            for body in self.got
            for entry in body["entry"]
            for change in entry["changes"]
            for message in change["value"].get("messages", ())
        ]


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    hook = Hook()
    app = web.Application()
    app.router.add_route("*", "/", hook.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield hook
    await runner.cleanup()


async def post(
    session: aiohttp.ClientSession, server: WhatsAppServer, token: str = TOKEN, **fields: Any
) -> dict[str, Any]:
    url, headers = f"{server.url}/v23.0/{NUMBER}/messages", {"Authorization": f"Bearer {token}"}
    body = {"messaging_product": "whatsapp", **fields}
    async with session.post(url, json=body, headers=headers) as response:
        answer: dict[str, Any] = await response.json()
        assert ("error" in answer) is (response.status != 200)
        return answer


TEXT: dict[str, Any] = {"to": "4917012345", "type": "text", "text": {"body": "hi"}}


async def test_a_text_is_taken_and_its_statuses_follow(
    session: aiohttp.ClientSession, server: WhatsAppServer, number: Number, hook: Hook
) -> None:
    await server.subscribe(number, hook.url)
    answer = await post(session, server, **TEXT, biz_opaque_callback_data="k")
    await number.drained()
    statuses = [body["entry"][0]["changes"][0]["value"]["statuses"][0] for body in hook.got]
    assert [status["status"] for status in statuses] == ["sent", "delivered"]
    assert {status["id"] for status in statuses} == {answer["messages"][0]["id"]}
    assert {status["biz_opaque_callback_data"] for status in statuses} == {"k"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"messaging_product": "telegram"}, 100),
        ({"surprise": 1}, 100),
        ({"to": None}, 100),
        ({"to": "Ada"}, 131009),
        ({"recipient_type": "crowd"}, 100),
        ({"type": "image"}, 100),
        ({"text": {"body": ""}}, 100),
        ({"text": {"body": "x" * 4097}}, 100),
        ({"biz_opaque_callback_data": "k" * 257}, 100),
        ({"status": "read", "message_id": "wamid.unknown"}, 131009),
        ({"status": "read", "message_id": "wamid.unknown", "typing_indicator": {"type": "voice"}}, 131009),
    ],
    ids=lambda change: "-".join(change) if isinstance(change, dict) else str(change),
)
async def test_what_is_not_taken(
    session: aiohttp.ClientSession, server: WhatsAppServer, number: Number, change: dict[str, Any], code: int
) -> None:
    answer = await post(session, server, **{**TEXT, **change})
    assert answer["error"]["code"] == code
    assert number.sent == []


async def test_another_token_is_190(
    session: aiohttp.ClientSession, server: WhatsAppServer, number: Number
) -> None:
    assert (await post(session, server, "other", **TEXT))["error"]["code"] == 190
    number.revoked = True
    assert (await post(session, server, **TEXT))["error"]["code"] == 190


async def test_a_user_id_in_to_is_taken_and_lost(
    session: aiohttp.ClientSession, server: WhatsAppServer, number: Number
) -> None:
    assert "error" not in await post(session, server, **{**TEXT, "to": "DE.123abc"})
    assert (len(number.lost), number.sent) == (1, [])


async def test_a_user_takes_a_message_in_six_seconds(
    session: aiohttp.ClientSession, server: WhatsAppServer, number: Number
) -> None:
    number.limits = True
    await post(session, server, **TEXT)
    assert (await post(session, server, **TEXT))["error"]["code"] == 131056
    assert "error" not in await post(session, server, **{**TEXT, "to": "4917099999"})


async def test_a_webhook_comes_until_it_is_taken_and_in_order(
    server: WhatsAppServer, number: Number, hook: Hook
) -> None:
    hook.answers = [503, 500, 200]
    await server.subscribe(number, hook.url)
    number.say("one")
    number.say("two")
    await number.drained()
    assert hook.messages() == ["one", "one", "one", "two"]
    assert [status for _, status in number.posts] == [503, 500, 200, 200]


async def test_one_webhook_may_have_several_entries_changes_and_messages(
    server: WhatsAppServer, number: Number, hook: Hook
) -> None:
    number.batch = 5
    for text in ("one", "two", "three"):
        number.say(text)
    number.push({"statuses": []})
    number.push({"statuses": []})
    await server.subscribe(number, hook.url)
    await number.drained()
    (body,) = hook.got
    assert [len(entry["changes"]) for entry in body["entry"]] == [1, 3]
    assert [len(entry["changes"][0]["value"]["messages"]) for entry in body["entry"]] == [1, 2]
    assert hook.messages() == ["one", "two", "three"]


async def test_what_was_not_taken_may_be_overtaken(
    server: WhatsAppServer, number: Number, hook: Hook
) -> None:
    hook.answers = [503]
    number.overtaken = True
    number.say("one")
    number.say("two")
    await server.subscribe(number, hook.url)
    await number.drained()
    assert hook.messages() == ["one", "two", "one"]


async def test_an_address_that_fails_the_challenge_is_not_taken(
    server: WhatsAppServer, number: Number, hook: Hook
) -> None:
    number.verify_token = "another"
    with pytest.raises(ValueError, match="couldn't be validated"):
        await server.subscribe(number, hook.url)
    assert number.callback_url is None


async def test_it_is_driven_from_another_process(hook: Hook, session: aiohttp.ClientSession) -> None:
    command = [sys.executable, "-m", "adapters.testing.whatsapp_server", "--port", "0"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    try:
        url = json.loads(await process.stdout.readline())["url"]

        async def control(action: str, **body: Any) -> tuple[int, dict[str, Any]]:
            async with session.post(f"{url}/_control/{action}", json=body) as response:
                return response.status, await response.json()

        known = {
            "phone_number_id": NUMBER,
            "access_token": TOKEN,
            "app_secret": SECRET,
            "verify_token": VERIFY,
        }
        assert await control("account", **known, batch=2) == (200, {})
        assert await control("subscribe", phone_number_id=NUMBER, callback_url=hook.url) == (200, {})
        status, told = await control("inject", phone_number_id=NUMBER, messages=[{"text": "hello"}])
        assert (status, len(told["message_ids"])) == (200, 1)
        async with session.get(f"{url}/_control/drained?phone_number_id={NUMBER}") as response:
            assert (await response.json())["sent"] == []
        assert hook.messages() == ["hello"]
        headers = {"Authorization": f"Bearer {TOKEN}"}
        body = {"messaging_product": "whatsapp", **TEXT}
        await session.post(f"{url}/v23.0/{NUMBER}/messages", json=body, headers=headers)
        async with session.get(f"{url}/_control/wait?phone_number_id={NUMBER}&count=1") as response:
            assert [message["text"] for message in (await response.json())["sent"]] == ["hi"]
        assert (await control("revoke", phone_number_id=NUMBER))[0] == 200
        assert (await control("fail", phone_number_id=NUMBER, call="message", kind="hang"))[0] == 200
        assert (await control("subscribe", phone_number_id="none", callback_url=hook.url))[0] == 400
        assert (await control("dance", phone_number_id=NUMBER))[0] == 400
    finally:
        process.terminate()
        await process.wait()
