"""Promise: on a full disk nothing is acknowledged that could not be stored; with room again it goes on by itself.

The real daemon, with its store, its log and its folder on a small disk that fills up while users write: what
platforms and callers were not told to be taken they bring again; nothing is lost, doubled or paid twice.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from adapters.testing.telegram_server import TelegramServer
from runner.testing.model_server import ModelServer
from tests.faults.daemon_process import Daemon
from tests.faults.failing_disk import Askers, Disk, ShortFiles, SmallDisk, small_disk, why_no_mount
from tests.faults.reckoning import books, check_bill, say_again

pytestmark = pytest.mark.faults

TOKEN = "42:abcdefgh"
LONG = "x" * 3000
CHATS, EACH, CLIENTS = 5, 12, 10
CONFIG = """
server: {{port: 0}}
reload: off
providers: {{house: {{kind: openai, base_url: "{model}/v1", api_key: key}}}}
prices: {{m: {{input: "1", output: "2"}}}}
defaults: {{llm_provider: house, llm_model: m, max_tokens_per_turn: 300, rate_limit_per_minute: null,
  system_prompt: You help.}}
bots:
  chat: {{platform: telegram, platform_config: {{bot_token: "{token}", api_base_url: "{telegram}"}}}}
  shop: {{platform: custom}}
"""


@contextmanager
def a_disk(kind: str, folder: Path) -> Iterator[tuple[Path, Disk]]:
    """A folder and how its disk is filled."""
    if kind == "files that may not grow":
        yield folder, ShortFiles()
        return
    with small_disk(folder / "disk") as small:
        yield small, SmallDisk(small)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("a small disk", marks=pytest.mark.skipif(why_no_mount() != "", reason=why_no_mount())),
        "files that may not grow",
    ],
)
async def test_it_waits_for_room_and_loses_nothing(tmp_path: Path, kind: str) -> None:
    model = ModelServer(standing=say_again)
    async with TelegramServer() as telegram, aiohttp.ClientSession() as session:
        account = telegram.account(TOKEN)
        text = CONFIG.format(model=await model.start(), telegram=telegram.url, token=TOKEN)
        with a_disk(kind, tmp_path) as (folder, disk), Daemon(folder, text) as daemon:
            await daemon.start()
            await daemon.ready()
            askers = Askers(daemon, session)
            account.say(f"{LONG} first")
            await account.replies(1)
            await askers.ask("before")
            await _told(askers, 200)

            disk.fill(daemon)
            for number in range(CHATS * EACH):
                account.say(f"{LONG} n{number}", user_id=number % CHATS + 1)
            async with asyncio.TaskGroup() as tasks:
                for client in range(CLIENTS):
                    tasks.create_task(askers.ask(f"c{client}"))
                tasks.create_task(askers.ask("until it is told"))
                await askers.turned_away()
                await _told(askers, 503)
                assert account.waiting, "Telegram keeps what was not stored"
                assert daemon.alive()
                disk.free(daemon)
                await account.drained()
            await account.replies(1 + CHATS * EACH)
            await _told(askers, 200)
            await daemon.stop()
            rows = await books(daemon)
        await model.stop()
    assert Counter(sent.text for sent in account.sent) == Counter(
        ["re first", *(f"re n{number}" for number in range(CHATS * EACH))]
    )
    for chat in range(CHATS):
        heard = [
            sent.text for sent in account.sent if sent.chat_id == str(chat + 1) and sent.text != "re first"
        ]
        assert heard == [f"re n{chat + CHATS * n}" for n in range(EACH)], "in order"
    assert len(askers.answers) == CLIENTS + 2
    check_bill(rows, model)


async def _told(askers: Askers, status: int) -> None:
    """Wait until the probe says it: it looks again a second later at the latest."""
    while await askers.ready() != status:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.05)
