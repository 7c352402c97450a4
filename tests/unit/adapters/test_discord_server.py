"""The fake Discord is as strict as the real one, and can be driven from another process."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from adapters.testing.discord_server import DiscordServer
from adapters.testing.discord_state import Application

ROOT = Path(__file__).resolve().parents[3]
TOKEN = DiscordServer.token(42)


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    async with DiscordServer() as server:
        yield server


@pytest.fixture
def application(server: DiscordServer) -> Application:
    one = server.application(TOKEN)
    one.channels["700"] = []
    return one


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def post(
    session: aiohttp.ClientSession, server: DiscordServer, body: Any, token: str = TOKEN, channel: str = "700"
) -> tuple[int, dict[str, Any]]:
    url = f"{server.url}/api/v10/channels/{channel}/messages"
    async with session.post(url, json=body, headers={"Authorization": f"Bot {token}"}) as response:
        return response.status, await response.json()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"content": " "}, 400, 50006),
        ({}, 400, 50006),
        ([], 400, 50109),
        ({"content": "x" * 2001}, 400, 50035),
        ({"content": "x", "nonce": "n" * 26}, 400, 50035),
        ({"content": "x", "nonce": 7}, 400, 50035),
    ],
)
async def test_bodies_are_checked(
    session: aiohttp.ClientSession,
    server: DiscordServer,
    application: Application,
    body: object,
    status: int,
    code: int,
) -> None:
    answer = await post(session, server, body)
    assert (answer[0], answer[1]["code"]) == (status, code)
    assert application.sent == []


async def test_unknown_tokens_and_channels(
    session: aiohttp.ClientSession, server: DiscordServer, application: Application
) -> None:
    assert (await post(session, server, {"content": "x"}, token=DiscordServer.token(43)))[0] == 401
    assert (await post(session, server, {"content": "x"}, channel="999"))[1]["code"] == 10003
    application.revoked = True
    assert (await post(session, server, {"content": "x"}))[0] == 401


async def test_a_nonce_makes_one_message_where_that_is_enforced(
    session: aiohttp.ClientSession, server: DiscordServer, application: Application
) -> None:
    enforced = {"content": "x", "nonce": "n", "enforce_nonce": True}
    first, second = await post(session, server, enforced), await post(session, server, enforced)
    assert first == second
    loose = {"content": "x", "nonce": "m"}
    assert await post(session, server, loose) != await post(session, server, loose)
    assert len(application.sent) == 3


async def test_everybody_is_pinged_unless_that_is_forbidden(
    session: aiohttp.ClientSession, server: DiscordServer, application: Application
) -> None:
    forbidding: dict[str, Any] = {"allowed_mentions": {"parse": []}}
    for mentions in ({}, {"allowed_mentions": {"parse": ["everyone"]}}, forbidding):
        await post(session, server, {"content": "@everyone", **mentions})
    assert [sent.pinged for sent in application.sent] == [True, True, False]


async def test_a_channel_takes_five_messages_in_five_seconds(
    session: aiohttp.ClientSession, server: DiscordServer, application: Application
) -> None:
    application.limits = True
    answers = [await post(session, server, {"content": "x"}) for _ in range(6)]
    assert [status for status, _ in answers] == [200] * 5 + [429]
    assert 0 < answers[-1][1]["retry_after"] <= 5


async def test_a_gateway_without_compression_wants_an_identification(
    session: aiohttp.ClientSession, server: DiscordServer, application: Application
) -> None:
    async with session.ws_connect(f"{server.url}/gateway") as socket:
        assert (await socket.receive_json())["op"] == 10
        await socket.send_json({"op": 3, "d": {}})
        assert (await socket.receive()).data == 4003
    async with session.ws_connect(f"{server.url}/gateway") as socket:
        await socket.receive_json()
        identify = {"op": 2, "d": {"token": TOKEN, "intents": 1}}
        await socket.send_json(identify)
        assert [(await socket.receive_json())["t"] for _ in range(2)] == ["READY", "GUILD_CREATE"]
        await socket.send_json({"op": 1, "d": 2})
        assert (await socket.receive_json())["op"] == 11
        await socket.send_json(identify)
        assert (await socket.receive()).data == 4005
    assert application.identified == 1


async def test_another_process_drives_it_by_http(session: aiohttp.ClientSession) -> None:
    command = [sys.executable, "-m", "adapters.testing.discord_server", "--port", "0"]
    with subprocess.Popen(  # noqa: ASYNC220 - nothing else runs yet
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        url, token = told["url"], told["token"]

        async def control(action: str, **body: Any) -> dict[str, Any]:
            async with session.post(f"{url}/_control/{action}", json={"token": token, **body}) as response:
                return {"status": response.status, **await response.json()}

        account = await control("account", limits=False)
        injected = await control("inject", messages=[{"text": "hi", "channel": "700", "mention": True}])
        assert (len(injected["message_ids"]), account["id"]) == (1, "42")
        asked = await control("ask", name="ask", text="how?")
        signed = asked["headers"]["X-Signature-Timestamp"].encode() + asked["body"].encode()
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(account["public_key"]))
        key.verify(bytes.fromhex(asked["headers"]["X-Signature-Ed25519"]), signed)
        headers = {"Authorization": f"Bot {token}"}
        path = f"{url}/api/v10/channels/700/messages"
        await control("fail", route="POST /channels/{id}/messages", kind="answer", status=503, body="away")
        for status in (503, 200):
            async with session.post(path, json={"content": "hello"}, headers=headers) as response:
                assert response.status == status
        async with session.get(f"{url}/_control/wait", params={"token": token, "count": "1"}) as response:
            answer = await response.json()
        assert [sent["text"] for sent in answer["sent"]] == ["hello"]
        assert answer["connections"] == 0
        assert (await control("close"))["closed"] == 0
        assert (await control("nonsense"))["status"] == 400
        process.terminate()
