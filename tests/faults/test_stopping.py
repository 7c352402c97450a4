"""Stopping in stages: what is being answered is finished, or parked and answered after the next start."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.testing.telegram_server import TelegramServer
from adapters.testing.telegram_state import Account, Fault, FaultKind
from runner.clock import SystemClock
from runner.ports.mail import OutboxState
from runner.store.sqlite.reader import reader_of
from runner.testing.clock import ManualClock
from runner.testing.model_script import Hang, Say
from runner.testing.model_server import ModelServer
from runner.web.auth import load_secret, make_token
from tests.faults.daemon_process import Daemon

pytestmark = pytest.mark.faults

TOKEN = "42:abcdefgh"
CONFIG = """
server: {{port: 0, stop_timeout_s: {patience}}}
providers: {{house: {{kind: openai, base_url: "{model}/v1", api_key: house-key}}}}
prices: {{m: {{input: "1", output: "2"}}}}
defaults: {{llm_provider: house, llm_model: m, max_tokens_per_turn: 300, timeout_ms: 20000, system_prompt: You help.}}
bots:
  friend: {{platform: telegram, platform_config: {{bot_token: "{token}", api_base_url: "{telegram}"}}}}
  shop: {{platform: custom}}
"""
SLOW_DOWN = """{"ok": false, "error_code": 429, "description": "Too Many Requests: retry after 1",
"parameters": {"retry_after": 1}}"""


class Place:
    """A daemon, the platform and the model around it. The model's time stands still until it is moved on."""

    def __init__(self, daemon: Daemon, account: Account, model: ModelServer, clock: ManualClock) -> None:
        self.daemon = daemon
        self.account = account
        self.model = model
        self.clock = clock

    async def asked(self, count: int) -> None:
        """Wait until the model has been asked that often."""
        await self.model.wait_for(lambda server: len(server.requests) >= count)

    def signal(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Send it; returns when that was, by the loop's clock, which counts no stall."""
        os.kill(self.daemon.pid, number)
        return asyncio.get_running_loop().time()

    async def told(self, event: str) -> None:
        """Wait until the daemon's log says so."""
        async with asyncio.timeout(60):
            while not self.daemon.events(event):  # noqa: ASYNC110 - another process's log rings no bell here
                await asyncio.sleep(0.005)

    async def post(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Ask something by HTTP, with a token where it is the API."""
        token = make_token(load_secret(self.daemon.state, None), "admin", 1, SystemClock().now_ms() // 1000)
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            aiohttp.ClientSession(self.daemon.url) as session,
            session.post(path, json=body, headers=headers) as response,
        ):
            told: dict[str, Any] = await response.json()
            return response.status, told

    async def restart(self) -> None:
        """The next start."""
        await self.daemon.start()
        await self.daemon.ready()


@asynccontextmanager
async def place(folder: Path, patience: int) -> AsyncIterator[Place]:
    clock = ManualClock()
    model = ModelServer(clock=clock)
    url = await model.start()
    try:
        async with TelegramServer() as telegram:
            account = telegram.account(TOKEN)
            text = CONFIG.format(patience=patience, model=url, telegram=telegram.url, token=TOKEN)
            with Daemon(folder, text) as daemon:
                await daemon.start()
                await daemon.ready()
                yield Place(daemon, account, model, clock)
    finally:
        await model.stop()


async def fates(daemon: Daemon) -> dict[str, int]:
    """How many parts of replies are in each state, of a daemon that has stopped."""
    reader = reader_of(daemon.state / "botrunner.db")
    await reader.open()
    found = {str(state): len(await reader.outgoing(state, 100, 0)) for state in OutboxState}
    assert await reader.verify_books() == []
    await reader.close()
    return {state: number for state, number in found.items() if number}


async def test_a_turn_under_way_is_finished_and_sent_before_the_end(tmp_path: Path) -> None:
    async with place(tmp_path, 20) as at:
        at.model.script(Say("in time", latency_s=5), Say("in time too", latency_s=5))
        at.account.say("hello")
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(
                at.post("/api/bots/webhook/custom/shop", {"text": "hi", "user_id": "u", "message_id": "m1"})
            )
            await at.asked(2)
            await at.clock.asleep(2)
            at.signal()
            await at.told("stopping")
            at.account.say("too late for this one")
            at.clock.advance(5)
            status, body = await asking
        await at.daemon.gone()
        texts = {body["response"], *(sent.text for sent in at.account.sent)}
        assert (status, texts, len(at.account.sent)) == (200, {"in time", "in time too"}, 1)
        assert await fates(at.daemon) == {"sent": 2}
        assert at.daemon.events("stopped")
        assert not at.daemon.events("fault")
        await at.restart()
        replies = await at.account.replies(2)
        assert replies[1].text == "Hello from the fake model."
        await at.daemon.stop()
        assert len(at.account.sent) == 2


async def test_a_turn_that_does_not_end_is_parked_and_answered_after_the_next_start(tmp_path: Path) -> None:
    async with place(tmp_path, 1) as at:
        at.model.script(Hang(), Hang(), Hang())
        at.account.say("hello")
        async with asyncio.TaskGroup() as tasks:
            custom = tasks.create_task(
                at.post("/api/bots/webhook/custom/shop", {"text": "hi", "user_id": "u", "message_id": "m1"})
            )
            console = tasks.create_task(at.post("/api/bots/shop/chat", {"message": "hi"}))
            await at.asked(3)
            began = at.signal()
            for asking in (custom, console):
                status, body = await asking
                assert (status, body["error"]["code"]) == (504, "pending")
        await at.daemon.gone()
        assert asyncio.get_running_loop().time() - began < 5, "all stages together, not each of them"
        assert at.account.sent == []
        await at.restart()
        assert [sent.text for sent in await at.account.replies(1)] == ["Hello from the fake model."]
        status, body = await at.post(
            "/api/bots/webhook/custom/shop", {"text": "hi", "user_id": "u", "message_id": "m1"}
        )
        assert (status, body["response"]) == (200, "Hello from the fake model.")
        await at.asked(6)
        await at.daemon.stop()
        assert len(at.daemon.events("ready")) == 2
        assert len(at.account.sent) == 1
        assert await fates(at.daemon) == {"sent": 3}


async def test_a_second_signal_ends_it_on_the_spot_and_loses_nothing(tmp_path: Path) -> None:
    async with place(tmp_path, 60) as at:
        at.model.script(Hang())
        at.account.say("hello")
        await at.asked(1)
        at.signal()
        await at.told("stopping")
        began = at.signal(signal.SIGINT)
        await at.daemon.gone()
        assert asyncio.get_running_loop().time() - began < 30
        assert not at.daemon.events("stopped")
        await at.restart()
        assert [sent.text for sent in await at.account.replies(1)] == ["Hello from the fake model."]
        await at.daemon.stop()
        assert await fates(at.daemon) == {"sent": 1}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_an_idle_daemon_stops_at_once_and_takes_its_sign_with_it(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with place(tmp_path, 60) as at:
        began = at.signal(number)
        await at.daemon.gone()
        assert asyncio.get_running_loop().time() - began < 30
        assert not (at.daemon.state / "daemon.json").exists()
        assert at.daemon.events("stopped")


async def test_what_cannot_be_sent_while_stopping_is_sent_after_the_next_start(tmp_path: Path) -> None:
    async with place(tmp_path, 5) as at:
        at.model.script(Say("later", latency_s=5))
        at.account.say("hello")
        await at.clock.asleep(1)
        at.account.fail("sendMessage", Fault(FaultKind.ANSWER, 429, SLOW_DOWN))
        at.signal()
        await at.told("stopping")
        at.clock.advance(5)
        await at.daemon.gone()
        assert at.account.sent == []
        assert await fates(at.daemon) == {"pending": 1}
        await at.restart()
        assert [sent.text for sent in await at.account.replies(1)] == ["later"]
        await at.daemon.stop()
        assert await fates(at.daemon) == {"sent": 1}
        assert len(at.model.bill) == 1


async def test_a_client_that_talks_very_slowly_does_not_keep_it(tmp_path: Path) -> None:
    async with place(tmp_path, 1) as at:
        port = int(at.daemon.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /api/bots/webhook/custom/shop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
        )
        await writer.drain()
        silent, closing = await asyncio.open_connection("127.0.0.1", port)
        began = at.signal()
        await at.daemon.gone()
        assert asyncio.get_running_loop().time() - began < 9
        await asyncio.gather(reader.read(), silent.read(), return_exceptions=True)
        for each in (writer, closing):
            each.close()
