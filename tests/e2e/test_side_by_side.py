"""One file, one process: a Telegram bot, a custom bot and an echo bot, answered side by side, each in order."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.testing.telegram_server import TelegramServer
from runner.clock import SystemClock
from runner.store.sqlite.reader import reader_of
from runner.testing.model_script import Fault, Say
from runner.testing.model_server import ModelServer
from tests.faults.daemon_process import Daemon

pytestmark = pytest.mark.e2e

CONFIG = """
server: {{port: 0}}
providers:
  house: {{kind: openai, base_url: "{model}/v1", api_key: key}}
  anthropic: {{base_url: "{model}", api_key: key}}
prices: {{m: {{input: "1", output: "2"}}}}
bots:
  friend:
    platform: telegram
    platform_config: {{bot_token: "42:abcdefgh", api_base_url: "{telegram}"}}
    llm_provider: house
    llm_model: m
    max_tokens_per_turn: 300
    spending_cap_cents: 500
    system_prompt: You help.
  shop:
    platform: custom
    timeout_ms: 60000
    llm_provider: anthropic
    llm_model: claude-haiku-4-5
    max_tokens_per_turn: 300
    spending_cap_cents: 1
    system_prompt: You sell.
  parrot: {{platform: custom, llm_provider: echo, llm_model: echo, system_prompt: Repeat.}}
  wrong:
    platform: telegram
    platform_config: {{bot_token: "43:revoked", api_base_url: "{telegram}"}}
    llm_provider: echo
    llm_model: echo
    system_prompt: x
"""


def _answer(body: Mapping[str, Any]) -> Say:
    """A user's first message takes long, so order must come from the lane; what begins with b uses all it may."""
    last = body["messages"][-1]["content"]
    text = last if isinstance(last, str) else last[-1]["text"]
    slow = 0.3 if text.endswith("1") else 0.0
    return Say(text=f"re {text}", latency_s=slow, at_bound=text.startswith("b"))


class World:
    """The daemon, its platforms and its models."""

    def __init__(self, daemon: Daemon, telegram: TelegramServer, model: ModelServer) -> None:
        self.daemon = daemon
        self.telegram = telegram
        self.model = model

    async def post(self, bot: str, text: str, user: str = "u") -> dict[str, Any]:
        async with aiohttp.ClientSession() as session:
            url = f"{self.daemon.url}/api/bots/webhook/custom/{bot}"
            async with session.post(url, json={"text": text, "user_id": user}) as response:
                assert response.status == 200, await response.text()
                told: dict[str, Any] = await response.json()
                return told


async def _in_world(tmp_path: Path, run: Any) -> None:
    model = ModelServer(standing=_answer)
    async with TelegramServer() as telegram:
        telegram.account("42:abcdefgh")
        url = await model.start()
        with Daemon(tmp_path, CONFIG.format(model=url, telegram=telegram.url)) as daemon:
            await daemon.start()
            await daemon.ready()
            await run(World(daemon, telegram, model))
        await model.stop()


async def test_three_bots_are_answered_side_by_side_and_in_order(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        account = world.telegram.account("42:abcdefgh")
        for number in range(1, 4):
            for user in (7, 8):
                account.say(f"{user}-{number}", user_id=user)
        shop, parrot, sent = await asyncio.gather(
            world.post("shop", "a1"), world.post("parrot", "hello"), account.replies(6)
        )
        assert shop["response"] == "re a1"
        assert "You said: hello" in parrot["response"]
        for chat in ("7", "8"):
            texts = [message.text for message in sent if message.chat_id == chat]
            assert texts == [f"re {chat}-{number}" for number in range(1, 4)]
        refused = [line for line in world.daemon.events("connection") if line["state"] == "refused"]
        assert [line["bot"] for line in refused] == ["wrong"]
        await world.daemon.stop()
        assert world.daemon.events("stopped")

    await _in_world(tmp_path, story)


async def test_the_cap_is_told_and_no_model_is_called(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        answers = [(await world.post("shop", f"b{n}", user=f"u{n}"))["response"] for n in range(2, 12)]
        assert answers[0].startswith("re b2")
        assert answers[-1] == "Bot has reached its spending limit."
        called = len(world.model.requests)
        told = await world.post("shop", "c2")
        assert told["response"] == "Bot has reached its spending limit."
        assert told["cost_cents"] == 0
        assert len(world.model.requests) == called
        limits = world.daemon.events("limit reached")
        assert len(limits) == 1, "one log event, not one a message"
        await world.daemon.stop()
        reader = reader_of(world.daemon.state / "botrunner.db")
        await reader.open()
        counter = (await reader.counters())["bot:shop"]
        assert 0 < counter.taken <= 10**10
        assert await reader.verify_books() == []
        await reader.close()

    await _in_world(tmp_path, story)


async def test_a_failing_model_ends_in_a_reply_that_says_so(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.model.script(
            Fault(400), Fault(429, retry_after="0.01"), Say("after all"), Fault(500), Fault(500)
        )
        account = world.telegram.account("42:abcdefgh")
        for question, reply in (
            ("x", "I can't reach my language model right now. Please try again later."),
            ("y", "after all"),
            ("z", "I can't reach my language model right now. Please try again later."),
        ):
            count = len(account.sent) + 1
            account.say(question, user_id=9)
            assert (await account.replies(count))[-1].text == reply

    await _in_world(tmp_path, story)


async def test_the_admin_api_needs_a_token_and_changes_the_cap_in_the_file(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        from runner.web.auth import load_secret, make_token  # noqa: PLC0415 - brings jwt in

        secret = load_secret(world.daemon.state, None)
        headers = {
            "Authorization": f"Bearer {make_token(secret, 'admin', 1, SystemClock().now_ms() // 1000)}"
        }
        async with aiohttp.ClientSession(world.daemon.url) as session:
            async with session.patch("/api/bots/shop", json={"spending_cap_cents": 300}) as response:
                assert response.status == 401
            for n in range(2, 12):
                await world.post("shop", f"b{n}")
            assert (await world.post("shop", "c2"))["response"] == "Bot has reached its spending limit."
            body = {"spending_cap_cents": 300}
            async with session.patch("/api/bots/shop", json=body, headers=headers) as response:
                assert response.status == 200, await response.text()
                assert (await response.json())["spending_cap_cents"] == 300
            assert (await world.post("shop", "d2"))["response"] == "re d2"
        assert "spending_cap_cents: 300" in world.daemon.config.read_text()
        assert json.loads((world.daemon.state / "daemon.json").read_text())["url"] == world.daemon.url

    await _in_world(tmp_path, story)


async def test_a_fallback_answers_where_the_first_model_is_down(tmp_path: Path) -> None:
    model = ModelServer(standing=lambda body: Fault(529) if body["model"] == "m" else Say("from the other"))
    url = await model.start()
    text = CONFIG.format(model=url, telegram="http://127.0.0.1:9").split("bots:")[0]
    text += "bots: {one: {platform: custom, fallbacks: [anthropic/claude-haiku-4-5]}}\n"
    text += "defaults: {llm_provider: house, llm_model: m, timeout_ms: 20000, system_prompt: x}\n"
    with Daemon(tmp_path, text) as daemon:
        await daemon.start()
        await daemon.ready()
        told = await World(daemon, TelegramServer(), model).post("one", "hi")
    await model.stop()
    assert told["response"] == "from the other"
    assert told["route"]["route"] == "fallback"
    assert told["route"]["model"] == "claude-haiku-4-5"
    assert "529" in told["route"]["reason"]
