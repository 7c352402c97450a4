"""Two real daemons with one bots.yaml on one real PostgreSQL: Telegram polled by one, HTTP answered by both."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from adapters.testing.telegram_server import TelegramServer
from adapters.testing.telegram_state import Account
from runner.app.fleet import DUTIES
from runner.supervisor.connections import lease_name
from runner.testing.model_script import Say
from runner.testing.model_server import ModelServer
from runner.testing.postgres_server import PostgresServer
from tests.faults.daemon_process import Daemon
from tests.faults.fleet_house import Fleet, fleet

pytestmark = pytest.mark.e2e

POLLING = lease_name("polling", "telegram")
PATIENCE = aiohttp.ClientTimeout(total=60)
CONFIG = """
server: {{port: PORT, stop_timeout_s: 5}}
store: {{url: "STORE"}}
providers: {{house: {{kind: openai, base_url: "{model}/v1", api_key: key}}}}
prices: {{m: {{input: "1", output: "2"}}}}
defaults: {{llm_provider: house, llm_model: m, max_tokens_per_turn: 300, system_prompt: Help., timeout_ms: 60000}}
bots:
  desk: {{platform: custom}}
  polling:
    platform: telegram
    platform_config: {{bot_token: "43:abcdefgh", api_base_url: "{telegram}", poll_timeout_s: 1}}
"""


def say_again(body: Mapping[str, Any]) -> Say:
    last = body["messages"][-1]["content"]
    return Say(text=f"re {last if isinstance(last, str) else last[-1]['text']}", latency_s=0.1)


class Stage(NamedTuple):
    house: Fleet
    account: Account
    model: ModelServer
    session: aiohttp.ClientSession

    async def ask(self, daemon: Daemon, text: str, message: str) -> dict[str, Any]:
        body = {"text": text, "user_id": "ada", "message_id": message}
        async with self.session.post(f"{daemon.url}/api/bots/webhook/custom/desk", json=body) as response:
            assert response.status == 200, await response.text()
            answer: dict[str, Any] = await response.json()
            return answer

    async def told(self, text: str) -> None:
        """Say it on Telegram and wait for its answer; what a kill left may be sent twice."""
        self.account.say(text)
        while not any(sent.text == f"re {text}" for sent in self.account.sent):
            await self.account.replies(len(self.account.sent) + 1)

    async def held(self, daemon: Daemon) -> set[str]:
        """What it says that it holds for all."""
        async with self.session.get(f"{daemon.url}/metrics") as response:
            assert response.status == 200
            return set(
                re.findall(r'^botrunner_lease_held\{name="(.+)"\} 1\.0$', await response.text(), re.MULTILINE)
            )

    async def all_held(self, *daemons: Daemon) -> None:
        """Wait until each piece is held by one of them."""
        async with asyncio.timeout(60):
            while True:
                found = [name for daemon in daemons for name in await self.held(daemon)]
                assert len(found) == len(set(found))
                if set(found) == {*DUTIES, POLLING}:
                    return
                await asyncio.sleep(0.05)

    async def holder(self, among: list[Daemon]) -> Daemon:
        """Which of them is the last that said it is connected."""
        async with asyncio.timeout(60):
            while True:
                up = [daemon for daemon in among if daemon.alive() and last_state(daemon) == "up"]
                if up:
                    assert len(up) == 1
                    return up[0]
                await asyncio.sleep(0.01)


def states(daemon: Daemon) -> list[dict[str, object]]:
    return [event for event in daemon.events("connection") if event["bot"] == "polling"]


def last_state(daemon: Daemon) -> object:
    told = states(daemon)
    return told[-1]["state"] if told else None


@asynccontextmanager
async def stage(
    folder: Path, postgres: PostgresServer, say: Callable[[Mapping[str, Any]], Say]
) -> AsyncIterator[Stage]:
    model = ModelServer(standing=say)
    try:
        async with TelegramServer() as telegram, aiohttp.ClientSession(timeout=PATIENCE) as session:
            account = telegram.account("43:abcdefgh")
            config = CONFIG.format(model=await model.start(), telegram=telegram.url)
            async with fleet(folder, postgres, config, 2) as house:
                await house.start()
                yield Stage(house, account, model, session)
                await house.stop()
    finally:
        await model.stop()


async def test_two_daemons_are_one_to_their_users(tmp_path: Path, postgres: PostgresServer) -> None:
    async with stage(tmp_path, postgres, say_again) as place:
        first, second = place.house.daemons
        # each answers what it is asked, and one message that both are asked is answered once
        for daemon, message in ((first, "m1"), (second, "m2")):
            assert (await place.ask(daemon, "hello", message))["response"] == "re hello"
        before = len(place.model.requests)
        both = await asyncio.gather(place.ask(first, "and now?", "m3"), place.ask(second, "and now?", "m3"))
        assert both[0] == both[1]
        assert len(place.model.requests) == before + 1
        # two messages of one person, one to each daemon, are answered one after the other
        one, two = await asyncio.gather(place.ask(first, "one", "m4"), place.ask(second, "two", "m5"))
        assert one["conversation_id"] == two["conversation_id"]
        assert {one["turn_id"], two["turn_id"]} != {one["turn_id"]}
        # one of them polls, whoever it is; when it is killed the other does
        await place.all_held(first, second)
        holder = await place.holder([first, second])
        assert POLLING in await place.held(holder)
        other = second if holder is first else first
        await place.told("hello")
        assert place.account.calls["getMe"] == 1
        assert states(other)[-1:] == [] or last_state(other) == "connecting"
        killed_at = time.monotonic()
        holder.kill()
        await holder.gone()
        await place.told("still there?")
        took = time.monotonic() - killed_at
        print(f"polling moved and answered after {took:.2f} s")
        assert await place.holder([other]) is other
        await place.all_held(other)
        assert other.events("a daemon is gone: what it left was ended")
        # a daemon that comes back waits, until the other stops as it should
        await place.house.again(holder)
        await place.account.drained()
        await other.stop()
        await place.told("and you?")
        assert await place.holder([holder]) is holder
        await place.all_held(holder)
        assert not [
            told for daemon in (first, second) for told in states(daemon) if told["state"] == "degraded"
        ]
        assert not holder.events("fault") + other.events("fault")
