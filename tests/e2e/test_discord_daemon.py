"""The real daemon on Discord: what was said to it directly while it was dead is found and answered once."""

from pathlib import Path

import pytest

from adapters.testing.discord_server import DiscordServer
from tests.faults.daemon_process import Daemon

pytestmark = pytest.mark.e2e

TOKEN = DiscordServer.token(4242)
CONFIG = """
server: {{port: {port}}}
bots:
  helper:
    platform: discord
    platform_config: {{bot_token: "{token}", api_base_url: "{discord}/api/v10"}}
    llm_provider: echo
    llm_model: echo
    system_prompt: Repeat.
"""


async def test_direct_messages_to_a_dead_daemon_are_answered_once(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    async with DiscordServer() as discord:
        bot = discord.application(TOKEN)
        config = CONFIG.format(port=unused_tcp_port, token=TOKEN, discord=discord.url)
        with Daemon(tmp_path, config) as daemon:
            await daemon.start()
            await bot.until(lambda: discord.connections(TOKEN) == 1)
            bot.say("hello one", user_id=1)
            bot.say("hello two", user_id=2)
            await bot.replies(2)
            daemon.kill()
            await daemon.gone()
            bot.say("missed one", user_id=1)
            bot.say("missed two", user_id=2)
            bot.say("missed too", user_id=2)
            await daemon.start()
            await bot.replies(5)
            bot.say("after that", user_id=1)
            await bot.replies(6)
            await daemon.stop()
    said = {
        "600001": ["hello one", "missed one", "after that"],
        "600002": ["hello two", "missed two", "missed too"],
    }
    for chat, texts in said.items():
        heard = [message.text for message in bot.sent if message.channel == chat]
        assert [[text for text in texts if text in answer] for answer in heard] == [[text] for text in texts]
