"""A voice message to the real daemon: fetched, written down, answered, on the books, and within the cap."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from adapters.testing.telegram_server import TelegramServer
from adapters.testing.telegram_state import Account
from runner.money.usage import Usage
from runner.ports.books import LedgerFilter
from runner.store.sqlite.reader import reader_of
from runner.testing.model_script import Behaviour, Hang, Say
from runner.testing.model_server import ModelServer
from runner.testing.recordings import opus
from tests.faults.daemon_process import Daemon

pytestmark = pytest.mark.e2e

TOKEN = "42:abcdefgh"
CONFIG = """
server: {{port: 0}}
providers: {{house: {{kind: openai, base_url: "{model}/v1", api_key: key}}}}
prices:
  m: {{input: "1", output: "2"}}
  ear: {{input: "1000", output: "0", limits: {{min_audio_seconds: 1}}}}
bots:
  friend:
    platform: telegram
    platform_config: {{bot_token: "42:abcdefgh", api_base_url: "{telegram}"}}
    llm_provider: house
    llm_model: m
    transcription: house/ear
    max_tokens_per_turn: 300
    spending_cap_cents: 1
    stream_replies: "off"
"""
"""A cent is ten seconds of this ear."""


def _answer(body: Mapping[str, Any]) -> Behaviour:
    if body["model"] == "ear":
        return Say("where is my parcel?")
    return Say(f"re {body['messages'][-1]['content']}", usage=Usage(100, 10))


def speak(account: Account, seconds: float) -> None:
    """Send a voice message."""
    file = f"v{len(account.files)}"
    account.files[file] = (f"voice/{file}.oga", opus(seconds))
    account.push(
        {
            "message": {
                "message_id": 100 + len(account.files),
                "date": 1_800_000_000,
                "chat": {"id": 7, "type": "private"},
                "from": {"id": 7, "is_bot": False, "first_name": "Ada"},
                "voice": {
                    "file_id": file,
                    "file_unique_id": f"u{file}",
                    "duration": 1,
                    "mime_type": "audio/ogg",
                    "file_size": len(account.files[file][1]),
                },
            }
        }
    )


async def test_a_voice_message_is_answered_until_the_cap_is_reached(tmp_path: Path) -> None:
    model = ModelServer(standing=_answer)
    url = await model.start()
    async with TelegramServer() as telegram:
        account = telegram.account(TOKEN)
        with Daemon(tmp_path, CONFIG.format(model=url, telegram=telegram.url)) as daemon:
            await daemon.start()
            await daemon.ready()
            speak(account, 4.5)
            assert (await account.replies(1))[0].text == "re [Voice message] where is my parcel?"
            speak(account, 5)
            assert (await account.replies(2))[1].text == "Bot has reached its spending limit."
            heard = [seen for seen in model.requests if seen.path == "/v1/audio/transcriptions"]
            assert len(heard) == 1, "the second would have cost more than was left"
            assert account.files["v0"][1] in heard[0].raw
            await daemon.stop()
            reader = reader_of(daemon.state / "botrunner.db")
            await reader.open()
            rows = [row async for row in reader.ledger(LedgerFilter())]
            assert [(row.attempt.feature, row.state.value, row.usage.input_tokens) for row in rows] == [
                ("transcribe", "settled", 5),
                ("chat", "settled", 100),
            ]
            assert rows[0].hold == 6 * 10**9, "a second more than was counted"
            assert rows[0].cost == 5 * 10**9
            assert (await reader.counters())["bot:friend"].taken == 5 * 10**9 + 120 * 10**6
            assert await reader.verify_books() == []
            await reader.close()
    await model.stop()


async def test_killed_while_the_model_thinks_it_does_not_listen_again(tmp_path: Path) -> None:
    model = ModelServer(standing=_answer)
    model.script(Say("where is my parcel?"), Hang())
    url = await model.start()
    async with TelegramServer() as telegram:
        account = telegram.account(TOKEN)
        with Daemon(tmp_path, CONFIG.format(model=url, telegram=telegram.url)) as daemon:
            await daemon.start()
            await daemon.ready()
            speak(account, 2)
            async with asyncio.timeout(60):
                await model.wait_for(lambda server: len(server.requests) == 2)
            daemon.kill()
            await daemon.gone()
            await daemon.start()
            assert (await account.replies(1))[0].text == "re [Voice message] where is my parcel?"
            paths = [seen.path.rsplit("/", 1)[1] for seen in model.requests]
            assert paths == ["transcriptions", "completions", "completions"]
            await daemon.stop()
    await model.stop()
