"""No secret of the file is ever in the log, the store, the daemon's sign or an HTTP answer, however things fail.

The real daemon, logging all it can, walks good and failing ways while every server that it talks to throws the
secrets that it was given back at it.
"""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from adapters.testing.telegram_server import TelegramServer
from adapters.testing.telegram_state import Fault as Trouble
from adapters.testing.telegram_state import FaultKind
from runner.clock import SystemClock
from runner.conversations.models import ToolCall
from runner.testing.model_script import At, Behaviour, Drop, Fault, Say
from runner.testing.model_server import ModelServer
from runner.web.auth import make_token
from tests.faults.daemon_process import Daemon
from tests.unit.agent.tool_server import serving

pytestmark = pytest.mark.faults

GOOD = "42:canaryTelegramGood"
DEAD = "43:canaryTelegramDead"
LOST = "44:canaryTelegramLost"
HOUSE = "sk-canaryHouseKey"
OWN = "sk-canaryOwnKey"
SHOP = "canaryShop/secret+?&"
JWT = "canaryJwtSecret-that-is-long-enough"
TOOL = "canaryToolHeader"
SECRETS = (GOOD, DEAD, LOST, HOUSE, OWN, SHOP, JWT, TOOL)

CONFIG = """
server: {{port: 0, jwt_secret: {jwt}}}
providers:
  house: {{kind: openai, base_url: "{model}/v1", api_key: {house}}}
  anthropic: {{base_url: "{model}", api_key: {house}}}
prices: {{m: {{input: "1", output: "2"}}}}
defaults:
  llm_provider: house
  llm_model: m
  max_tokens_per_turn: 300
  spending_cap_cents: 1000
  timeout_ms: 10000
  system_prompt: You help.
bots:
  good:
    platform: telegram
    platform_config: {{bot_token: "{good}", api_base_url: "{telegram}"}}
  dead:
    platform: telegram
    platform_config: {{bot_token: "{dead}", api_base_url: "{telegram}"}}
  lost:
    platform: telegram
    platform_config: {{bot_token: "{lost}", api_base_url: "http://127.0.0.1:9"}}
  shop:
    platform: custom
    platform_config: {{secret: "{shop}"}}
    llm_provider: anthropic
    llm_model: claude-haiku-4-5
    llm_api_key: {own}
    billing_mode: byok
    tools:
      - name: look
        description: looks
        method: GET
        url: "http://127.0.0.1:{tools}/look"
        headers: {{X-Key: {tool}}}
        allow_private: true
"""


def forms(secret: str) -> set[bytes]:
    """A secret as it may be written."""
    word = next(part for part in secret.replace("/", " ").replace(":", " ").split() if "canary" in part)
    return {word.encode(), base64.b64encode(secret.encode()).rstrip(b"=")}


def leaks(where: str, content: bytes) -> list[str]:
    """Which secrets are in there."""
    return [f"{secret} in {where}" for secret in SECRETS if any(form in content for form in forms(secret))]


class Client:
    """Asks, and keeps every answer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: list[tuple[str, int, bytes]] = []

    async def ask(self, method: str, path: str, bearer: str = "", json: Any = None) -> int:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        async with (
            aiohttp.ClientSession(self.url) as session,
            session.request(method, path, json=json, headers=headers) as response,
        ):
            said = b"".join(f"{k}: {v}\n".encode() for k, v in response.headers.items())
            self.answers.append((path, response.status, said + await response.read()))
            return response.status


@asynccontextmanager
async def modelling() -> AsyncIterator[ModelServer]:
    """A model's server until the block is left."""
    model = ModelServer(standing=Say("Fine."))
    await model.start()
    try:
        yield model
    finally:
        await model.stop()


def troubles(key: str) -> tuple[Behaviour, ...]:
    """What a model's server may do to whoever comes with that key."""
    return (
        Fault(401, f"Incorrect API key provided: {key}."),
        Fault(400, f"bad header Authorization: Bearer {key}, x-api-key {key}"),
        Fault(429, f"slow down, {key}", retry_after="0.01"),
        Fault(500, f"crashed on {key}"),
        Drop(),
        Drop(),
        Say("half", cut_at=At.MIDDLE),
        Say("half", error_at=At.MIDDLE),
    )


async def _talk_on_telegram(telegram: TelegramServer, model: ModelServer) -> None:
    account = telegram.account(GOOD)
    account.say("hello")
    await account.replies(1)
    account.push({"message": {"chat": "no chat at all"}})
    for status in (500, 400, 403):
        account.fail("sendMessage", Trouble(FaultKind.ANSWER, status, f"<html>/bot{GOOD}/sendMessage</html>"))
    for kind in (FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER):
        account.fail("getUpdates", Trouble(kind))
        account.fail("sendMessage", Trouble(kind))
    account.fail("getUpdates", Trouble(FaultKind.ANSWER, 502, f"no route to /bot{GOOD}/getUpdates"))
    for number, trouble in enumerate(troubles(HOUSE)):
        model.script(trouble)
        account.say(f"trouble {number}", user_id=100 + number)
    account.say("good again", user_id=99)
    await account.drained()


async def _talk_to_the_shop(client: Client, model: ModelServer) -> None:
    hook = "/api/bots/webhook/custom/shop"
    for bearer in ("", "wrong", GOOD):
        assert await client.ask("POST", hook, bearer, {"text": "x", "user_id": "u"}) == 401
    for number, trouble in enumerate((*troubles(OWN), Say(tools=(ToolCall("c1", "look", "{}"),)))):
        model.script(trouble)
        status = await client.ask("POST", hook, SHOP, {"text": f"say {number}", "user_id": f"u{number}"})
        assert status == 200
    await client.ask("POST", hook, SHOP, {"text": 7})


async def _use_the_api(client: Client, daemon: Daemon) -> None:
    now_s = SystemClock().now_ms() // 1000
    admin, old = make_token(JWT.encode(), "admin", 1, now_s), make_token(JWT.encode(), "admin", 1, 1)
    for path in ("/", "/chat/bots", "/health/live", "/nowhere"):
        await client.ask("GET", path)
    for bearer in (admin, old, JWT):
        for path in ("/api/status", "/api/bots", "/api/bots/shop", "/api/bots/nobody"):
            await client.ask("GET", path, bearer)
    assert await client.ask("POST", "/api/bots/shop/chat", admin, {"message": "hello"}) == 200
    text = daemon.config.read_text()
    for broken in (
        text.replace(f'"{GOOD}"', f'"{GOOD}", bot_tokens: "{GOOD}"'),
        text.replace(f"llm_api_key: {OWN}", f"llm_api_key: [{OWN}]"),
        text.replace(f'secret: "{SHOP}"', f'secret: "{SHOP}'),
    ):
        assert broken != text
        daemon.config.write_text(broken)
        assert await client.ask("PATCH", "/api/bots/shop", admin, {"spending_cap_cents": 5}) in {200, 409}
    daemon.config.write_text(text)
    assert await client.ask("PATCH", "/api/bots/shop", admin, {"spending_cap_cents": 900}) == 200


async def test_no_secret_is_written_down_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOTRUNNER_LOG", "debug")
    monkeypatch.setenv("PYTHONWARNINGS", "always")
    async with TelegramServer() as telegram, serving() as tools, modelling() as model:
        telegram.account(GOOD)
        telegram.account(DEAD).revoked = True
        tools.answer = lambda request: web.Response(status=500, text=f"headers: {dict(request.headers)}")
        secrets = dict(
            zip(("good", "dead", "lost", "house", "own", "shop", "jwt", "tool"), SECRETS, strict=True)
        )
        config = CONFIG.format(model=model.url, telegram=telegram.url, tools=tools.port, **secrets)
        with Daemon(tmp_path, config) as daemon:
            await daemon.start()
            await daemon.ready()
            client = Client(daemon.url)
            async with asyncio.timeout(60):
                await _talk_to_the_shop(client, model)
                await _talk_on_telegram(telegram, model)
                await _use_the_api(client, daemon)
                running = {file.name: file.read_bytes() for file in daemon.state.iterdir()}
                await daemon.stop()
    assert any(name.endswith("-wal") for name in running), "the journal is looked at, too"
    assert tools.seen[0][0].headers["X-Key"] == TOOL, "what must be sent is sent"
    log = daemon.log.read_bytes()
    assert {line["state"] for line in daemon.events("connection")} >= {"up", "down", "refused", "degraded"}
    assert len(daemon.events("call")) > 2 * len(troubles(HOUSE))
    assert {status for _, status, _ in client.answers} >= {200, 400, 401, 404, 409}
    found = leaks("the log", log)
    for name, content in running.items():
        found += leaks(f"{name}, running", content)
    for file in daemon.state.iterdir():
        found += leaks(f"{file.name}, stopped", file.read_bytes())
    for path, status, content in client.answers:
        found += leaks(f"the answer {status} of {path}", content)
    assert found == []
    assert b"canary" not in log
    assert all(line.startswith(b"{") for line in log.splitlines()), "every line is one of ours"
