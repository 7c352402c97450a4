"""The real daemon and Telegram: posts in webhook mode, through a kill -9; an answer in a group that grows."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest

from adapters.testing.telegram_server import TelegramServer
from adapters.testing.telegram_state import Account
from runner.testing.model_script import At, Say
from runner.testing.model_server import ModelServer
from tests.faults.daemon_process import Daemon

pytestmark = pytest.mark.e2e

CONFIG = """
server: {{port: {port}, public_url: "http://127.0.0.1:{port}", stop_timeout_s: 1}}
providers: {{house: {{kind: openai, base_url: "{model}/v1", api_key: key}}}}
prices: {{m: {{input: "1", output: "2"}}}}
defaults: {{llm_provider: house, llm_model: m, max_tokens_per_turn: 300, system_prompt: Help., timeout_ms: 60000}}
bots:
  posted:
    platform: telegram
    platform_config: {{bot_token: "42:abcdefgh", api_base_url: "{telegram}", mode: webhook, webhook_secret: s3cret}}
  polling:
    platform: telegram
    platform_config: {{bot_token: "43:abcdefgh", api_base_url: "{telegram}", poll_timeout_s: 1}}
"""


class Stage(NamedTuple):
    daemon: Daemon
    model: ModelServer
    posted: Account
    polling: Account


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@asynccontextmanager
async def stage(folder: Path, say: Say) -> AsyncIterator[Stage]:
    model = ModelServer(standing=lambda _: say)
    try:
        async with TelegramServer() as telegram:
            posted, polling = (telegram.account(f"{number}:abcdefgh") for number in (42, 43))
            config = CONFIG.format(port=free_port(), model=await model.start(), telegram=telegram.url)
            with Daemon(folder, config) as daemon:
                await daemon.start()
                await daemon.ready()
                yield Stage(daemon, model, posted, polling)
                await daemon.stop()
    finally:
        await model.stop()


async def test_what_telegram_posts_is_answered_once_through_a_kill(tmp_path: Path) -> None:
    async with stage(tmp_path, Say(text="forty-two", latency_s=0.3)) as (daemon, _, posted, _):
        posted.say("before")
        assert [message.text for message in await posted.replies(1)] == ["forty-two"]
        posted.say("during")
        await posted.drained()
        daemon.kill()
        await daemon.gone()
        posted.say("while it was away")
        await posted.post_failures(1)
        await daemon.start()
        await daemon.ready()
        assert len(await posted.replies(3)) == 3
        await posted.drained()
        url, update = f"{daemon.url}/api/bots/webhook/telegram/posted", {"update_id": 1001, "message": {}}
        async with aiohttp.ClientSession() as session:
            for headers, status in (({}, 401), ({"X-Telegram-Bot-Api-Secret-Token": "s3cret"}, 200)):
                async with session.post(url, json=update, headers=headers) as answer:
                    assert answer.status == status
            async with session.post(f"{daemon.url}/api/bots/webhook/telegram/polling", json=update) as answer:
                assert answer.status == 404
        assert len(posted.sent) == 3
        assert posted.calls["getUpdates"] == 0


async def test_in_a_group_an_answer_grows_into_the_whole(tmp_path: Path) -> None:
    half = Say(text="this is a long answer to everything", stall_at=At.MIDDLE)
    async with stage(tmp_path, half) as (_, model, _, polling):
        polling.say(f"@{polling.username} what?", chat_id=-5, chat_type="supergroup")
        async with asyncio.timeout(60):
            (first,) = await polling.replies(1)
            await model.stop()
            (whole,) = await polling.edited(1)
        assert "this is a long answer".startswith(first.text)
        assert first.reply_to is not None
        assert whole.message_id == first.message_id
        assert not whole.text.startswith(first.text)  # the model went away: this says so
        assert len(polling.sent) == 1
