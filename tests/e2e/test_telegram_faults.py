"""The real daemon while Telegram, its network or a user's update misbehaves: told, waited out, nobody else harmed."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.testing.telegram_server import TelegramServer
from adapters.testing.telegram_state import Account, Fault, FaultKind
from tests.faults.daemon_process import Daemon

pytestmark = pytest.mark.e2e

GOOD, WRONG = "42:abcdefgh", "43:revoked"
CONFIG = """
server: {{port: 0}}
defaults: {{llm_provider: echo, llm_model: echo, system_prompt: Repeat.}}
bots:
  good: {{platform: telegram, platform_config: {{bot_token: "{good}", api_base_url: "{telegram}"}}}}
  wrong: {{platform: telegram, platform_config: {{bot_token: "{wrong}", api_base_url: "{telegram}"}}}}
  shop: {{platform: custom}}
"""


class Town:
    """The daemon and its Telegram."""

    def __init__(self, daemon: Daemon, telegram: TelegramServer) -> None:
        self.daemon = daemon
        self.telegram = telegram
        self.account: Account = telegram.account(GOOD)

    def states(self, bot: str) -> list[str]:
        """What the log told of the bot's connection, in order."""
        return [str(line["state"]) for line in self.daemon.events("connection") if line["bot"] == bot]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until the log says so."""
        async with asyncio.timeout(60):
            while not holds():  # noqa: ASYNC110 - another process's log rings no bell here
                await asyncio.sleep(0.01)

    async def in_order(self, *texts: str, before: int = 0) -> None:
        """One user writes these; each is answered once, in order."""
        for text in texts:
            self.account.say(text)
        await self.answered(*texts, before=before)

    async def answered(self, *texts: str, before: int = 0) -> None:
        """These have been answered once each, in order."""
        async with asyncio.timeout(60):
            sent = (await self.account.replies(before + len(texts)))[before:]
        assert [text in said.text for text, said in zip(texts, sent, strict=True)] == [True] * len(texts)

    async def shop_answers(self) -> None:
        """The bot beside it is none the worse for it."""
        url = f"{self.daemon.url}/api/bots/webhook/custom/shop"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, json={"text": "hi", "user_id": "u"}) as response,
        ):
            assert response.status == 200, await response.text()
            assert "hi" in (await response.json())["response"]


@asynccontextmanager
async def town(folder: Path, *, network: bool = True) -> AsyncIterator[Town]:
    telegram = TelegramServer()
    await telegram.start()
    if not network:
        await telegram.stop()
    try:
        text = CONFIG.format(telegram=telegram.url, good=GOOD, wrong=WRONG)
        with Daemon(folder, text) as daemon:
            here = Town(daemon, telegram)
            await daemon.start()
            await daemon.ready()
            yield here
            await daemon.stop()
            assert here.daemon.events("stopped")
            assert not here.daemon.events("fault")
    finally:
        await telegram.stop()


async def test_a_wrong_token_stops_that_bot_alone(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        await here.in_order("one", "two", "three")
        await here.shop_answers()
        await here.until(lambda: here.states("wrong") == ["refused"])
        [line] = [line for line in here.daemon.events("connection") if line["bot"] == "wrong"]
        assert "token" in str(line["why"])
        assert WRONG not in json.dumps(line)
        assert here.states("good") == ["up"]


async def test_a_token_that_is_taken_back_mid_run_ends_that_bot_alone(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        await here.in_order("one")
        here.account.revoked = True
        here.account.push({"message": {}})  # ends the poll that is under way
        await here.until(lambda: here.states("good")[-1] == "refused")
        polls = here.account.calls["getUpdates"]
        await here.shop_answers()
        assert here.account.calls["getUpdates"] == polls, "a refused one is not tried again"


async def test_no_network_at_the_start(tmp_path: Path) -> None:
    async with town(tmp_path, network=False) as here:
        await here.until(lambda: "down" in here.states("good"))
        await here.shop_answers()
        for text in ("one", "two"):
            here.account.say(text)
        await here.telegram.start()
        await here.answered("one", "two")
        assert here.states("good")[-1] == "up"
        await here.until(lambda: here.states("wrong")[-1] == "refused")


async def test_no_network_for_a_while_mid_run(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        await here.in_order("one")
        await here.telegram.stop()
        await here.until(lambda: here.states("good")[-1] == "down")
        here.account.say("two")
        here.account.say("three")
        await here.shop_answers()
        await here.telegram.start()
        await here.answered("one", "two", "three")
        await here.until(lambda: here.states("good")[-1] == "up")
        assert len(here.account.sent) == 3


async def test_one_update_that_cannot_be_read_is_stepped_over(tmp_path: Path) -> None:
    odd: list[dict[str, Any]] = [
        {"message": {"message_id": "x", "chat": "nobody", "date": None}},
        {"message": None},
        {"no_such_kind_of_update": {"a": [1, 2, {"b": "c"}]}},
        {"message": {"message_id": 7, "date": 1, "chat": {"id": 1, "type": "private"}, "text": "\ud83d"}},
    ]
    async with town(tmp_path) as here:
        await here.in_order("one")
        for update in odd:
            here.account.push(update)
        await here.in_order("two", before=1)
        await here.account.drained()
        assert "degraded" in here.states("good")
        await here.in_order("three", before=2)
        await here.until(lambda: here.states("good")[-1] == "up")
        assert len(here.account.sent) == 3


async def test_another_process_polls_the_same_token(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        await here.in_order("one")
        async with aiohttp.ClientSession() as session:
            url = f"{here.telegram.url}/bot{GOOD}/getUpdates"
            async with session.get(url, params={"timeout": "1", "offset": "0"}) as response:
                assert response.status in {200, 409}
        await here.until(lambda: "degraded" in here.states("good"))
        why = [str(line["why"]) for line in here.daemon.events("connection") if line["state"] == "degraded"]
        assert "another process polls" in why[0]
        await here.in_order("two", before=1)
        await here.shop_answers()
        assert len(here.account.sent) == 2


async def test_a_webhook_that_was_left_is_taken_back(tmp_path: Path) -> None:
    async with town(tmp_path, network=False) as here:
        here.account.webhook = "https://old.example/hook"
        here.account.say("one")
        await here.telegram.start()
        await here.answered("one")
        assert here.account.webhook is None


@pytest.mark.parametrize("method", ["getUpdates", "sendMessage", "getMe"])
async def test_told_to_slow_down_it_waits_as_long_as_asked(tmp_path: Path, method: str) -> None:
    said = {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests",
        "parameters": {"retry_after": 1},
    }
    async with town(tmp_path, network=False) as here:
        here.account.fail(method, Fault(FaultKind.ANSWER, 429, json.dumps(said)))
        await here.telegram.start()
        here.account.say("one")
        here.account.say("two")
        await here.answered("one", "two")
        await here.shop_answers()
        assert len(here.account.sent) == 2
        assert here.account.calls[method] >= 2
        if method == "sendMessage":
            later = [line for line in here.daemon.events("send") if line["fate"] == "later"]
            assert len(later) == 1
        else:
            assert "degraded" in here.states("good")
