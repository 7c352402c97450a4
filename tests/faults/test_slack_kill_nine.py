"""Slack users, of a bot by Socket Mode and of one by the Events API, while the daemon is killed and sockets are cut.

Each message is answered, and once: an answer that an earlier life may have posted is
looked for in the history before it is posted again. $BOTRUNNER_KILLS sets how often.
"""

import asyncio
import os
import random
from collections import defaultdict
from pathlib import Path

import pytest

from adapters.testing.slack_server import SlackServer
from adapters.testing.slack_state import Account, direct_chat
from runner.testing.model_server import ModelServer
from tests.faults.daemon_process import Daemon
from tests.faults.reckoning import AHEAD, say_again, until_answered

KILLS = int(os.environ.get("BOTRUNNER_KILLS", "6"))
SEED = int(os.environ.get("BOTRUNNER_SEED", "1"))
USERS = 5
SAY_EVERY_S = 0.03
SECRET = "kill-nine-secret"

CONFIG = """
server: {{port: {port}}}
providers: {{house: {{kind: openai, base_url: "{model}/v1", api_key: key}}}}
prices: {{m: {{input: "1", output: "2"}}}}
defaults:
  llm_provider: house
  llm_model: m
  max_tokens_per_turn: 300
  spending_cap_cents: 100000
  rate_limit_per_minute: null
  platform: slack
bots:
  by-socket: {{platform_config: {{bot_token: xoxb-socket, app_token: xapp-socket, api_base_url: "{slack}/api/"}}}}
  by-post: {{platform_config: {{bot_token: xoxb-posted, signing_secret: {secret}, api_base_url: "{slack}/api/"}}}}
"""


class Users:
    """They write all the time, to one bot."""

    def __init__(self, name: str, account: Account, rng: random.Random) -> None:
        self.name = name
        self.account = account
        self.rng = rng
        self.said: dict[str, list[str]] = defaultdict(list)
        self.over = False

    async def write(self) -> None:
        number = 0
        while not self.over:
            await asyncio.sleep(SAY_EVERY_S)
            if number - len(self.account.sent) >= AHEAD:
                continue
            number += 1
            user, text = f"U{self.rng.randint(1, USERS)}", f"{self.name}{number}"
            self.account.say(text, user=user)
            self.said[direct_chat(user)].append(f"re {text}")

    async def answered(self, daemon: Daemon) -> set[str]:
        """Wait for all answers; returns those that were given up and are listed."""
        said = {text for texts in self.said.values() for text in texts}
        lost = await until_answered(daemon, lambda: said - {message.text for message in self.account.sent})
        await self.account.drained()
        return lost

    def heard(self) -> dict[str, list[str]]:
        heard: dict[str, list[str]] = defaultdict(list)
        for message in self.account.sent:
            heard[message.channel].append(message.text)
        return heard


@pytest.mark.faults
@pytest.mark.timeout(100 + KILLS * 4)
async def test_each_message_is_answered_once(tmp_path: Path, unused_tcp_port: int) -> None:
    rng = random.Random(SEED)
    model = ModelServer(standing=say_again)
    async with SlackServer() as slack:
        by_socket = Users("s", slack.account("xoxb-socket", "xapp-socket"), rng)
        by_post = Users("p", slack.account("xoxb-posted", signing_secret=SECRET), rng)
        by_post.account.request_url = f"http://127.0.0.1:{unused_tcp_port}/api/bots/webhook/slack/by-post"
        by_socket.account.retry_s = by_post.account.retry_s = 0.5
        url = await model.start()
        text = CONFIG.format(port=unused_tcp_port, model=url, slack=slack.url, secret=SECRET)
        with Daemon(tmp_path, text) as daemon:
            await daemon.start()
            await daemon.ready()
            async with asyncio.TaskGroup() as group:
                group.create_task(by_socket.write())
                group.create_task(by_post.write())
                for _ in range(KILLS):
                    await asyncio.sleep(rng.uniform(0.0, 0.5))
                    slack.cut(by_socket.account)
                    await asyncio.sleep(rng.uniform(0.0, 0.5))
                    daemon.kill()
                    await daemon.gone()
                    await daemon.start()
                    await daemon.ready()
                by_socket.over = by_post.over = True
            lost = [await users.answered(daemon) for users in (by_socket, by_post)]
            await daemon.stop()
        await model.stop()
    for users, left in zip((by_socket, by_post), lost, strict=True):
        heard = users.heard()
        print(
            f"kills {KILLS}, {sum(map(len, heard.values()))} answered once, given up and listed {len(left)}"
        )
        assert {channel: sorted(texts) for channel, texts in heard.items()} == {
            channel: sorted(text for text in texts if text not in left)
            for channel, texts in users.said.items()
        }
