"""The real daemon and Slack: an answer in a thread is a stream, one in a direct chat is edited; each ends whole."""

import asyncio
from pathlib import Path

import pytest

from adapters.testing.slack_server import SlackServer
from runner.testing.model_script import At, Say
from runner.testing.model_server import ModelServer
from tests.faults.daemon_process import Daemon

pytestmark = pytest.mark.e2e

CONFIG = """
server: {{port: {port}, stop_timeout_s: 1}}
providers: {{house: {{kind: openai, base_url: "{model}/v1", api_key: key}}}}
prices: {{m: {{input: "1", output: "2"}}}}
defaults: {{llm_provider: house, llm_model: m, max_tokens_per_turn: 300, system_prompt: Help., timeout_ms: 60000}}
bots:
  support:
    platform: slack
    platform_config: {{bot_token: xoxb-one, app_token: xapp-one, api_base_url: "{slack}/api/"}}
"""


async def test_answers_grow_into_the_whole(tmp_path: Path, unused_tcp_port: int) -> None:
    half = Say(text="this is a long answer to everything", stall_at=At.MIDDLE)
    model = ModelServer(standing=lambda _: half)
    try:
        async with SlackServer() as slack:
            account = slack.account("xoxb-one", "xapp-one")
            config = CONFIG.format(port=unused_tcp_port, model=await model.start(), slack=slack.url)
            with Daemon(tmp_path, config) as daemon:
                await daemon.start()
                await daemon.ready()
                asked = account.say("<@U0BOT> what?", channel="C1")
                account.say("what?")
                async with asyncio.timeout(60):
                    shown = {message.channel: message for message in await account.replies(2)}
                    await model.stop()
                    whole = {message.channel: message for message in await account.answers(2)}
                    await daemon.stop()
    finally:
        await model.stop()
    assert shown.keys() == whole.keys() == {"C1", "D7"}
    for channel, first in shown.items():
        assert "this is a long answer".startswith(first.text)
        assert whole[channel].ts == first.ts
        assert not whole[channel].text.startswith(first.text)  # the model went away: this says so
    assert (shown["C1"].streaming, shown["C1"].thread, shown["D7"].streaming) == (True, asked, False)
    assert len(account.sent) == 2
    assert not any(message.streaming for message in account.sent)
    assert account.reactions == set()
