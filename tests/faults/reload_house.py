"""A whole daemon in this process, on real sockets, whose bots.yaml a test rewrites while it works."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from adapters.testing.telegram_server import TelegramServer
from runner.app import settings_of
from runner.app.parts import Daemon, Site
from runner.app.reloading import mark_of
from runner.app.serving import serving
from runner.app.working import working
from runner.clock import Clock, SystemClock
from runner.ports.reloads import Reloaded, Unusable
from runner.telemetry.logs import Cut
from runner.telemetry.systemd import NobodyToNotify
from runner.testing.clock import ManualClock
from runner.testing.model_server import ModelServer
from runner.testing.observer import RecordingObserver

ADA, EVE = "41:adas-token", "42:eves-token"
TEXT = """
server: {{port: 0}}
reload: off
providers: {{house: {{kind: openai, base_url: "{model}/v1", api_key: house-key}}}}
prices: {{m: {{input: "1", output: "2"}}}}
defaults: {{llm_provider: house, llm_model: m, max_tokens_per_turn: 300, timeout_ms: 60000,
  rate_limit_per_minute: null}}
bots:
  ada:
    platform: telegram
    platform_config: {{bot_token: "{ada}", api_base_url: "{telegram}"}}
    system_prompt: You are Ada.
  eve:
    enabled: true
    platform: telegram
    platform_config: {{bot_token: "{eve}", api_base_url: "{telegram}"}}
    system_prompt: You are Eve.
  shop:
    platform: custom
    system_prompt: You sell.
"""


@dataclass
class House:
    """The daemon and what is around it. The model's time stands still until it is moved on."""

    daemon: Daemon
    url: str
    file: Path
    telegram: TelegramServer
    model: ModelServer
    time: ManualClock
    observer: RecordingObserver
    http: aiohttp.ClientSession

    def edit(self, old: str, new: str) -> None:
        """Change the file as an editor does: another file takes its place."""
        text = self.file.read_text()
        assert old in text, old
        fresh = self.file.with_suffix(".new")
        fresh.write_text(text.replace(old, new))
        fresh.replace(self.file)

    async def change(self, old: str, new: str) -> Reloaded | Unusable:
        """Change the file and have it read."""
        self.edit(old, new)
        return await self.daemon.reloader.reload("a test")

    async def asked(self, count: int) -> None:
        """Wait until the model was asked that often."""
        await self.model.wait_for(lambda server: len(server.requests) >= count)

    async def ask(self, text: str, user: str = "u", event: str = "") -> tuple[int, Mapping[str, Any]]:
        """Say something to the shop."""
        body = {"text": text, "user_id": user, **({"message_id": event} if event else {})}
        async with self.http.post("/api/bots/webhook/custom/shop", json=body) as response:
            return response.status, await response.json()

    def prompts(self) -> list[str]:
        """What the model was told about itself, in order."""
        return [seen.body["messages"][0]["content"] for seen in self.model.requests]

    def tasks(self) -> list[str]:
        """The names of all tasks that belong to a bot."""
        return sorted(
            task.get_name()
            for task in asyncio.all_tasks()
            if task.get_name().startswith(("connection ", "leaving "))
        )

    def open(self) -> int:
        """Open file descriptors."""
        return psutil.Process(os.getpid()).num_fds()


@asynccontextmanager
async def house(
    folder: Path, text: str = TEXT, clock: Clock | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[House]:
    """The daemon, ready. `host`: the name by which it knows where the platform and the model are."""
    time = ManualClock()
    model = ModelServer(clock=time)
    await model.start()
    async with TelegramServer() as telegram:
        telegram.account(ADA)
        telegram.account(EVE)
        file = folder / "bots.yaml"
        urls = {"model": model.url, "telegram": telegram.url}
        urls = {name: url.replace("127.0.0.1", host) for name, url in urls.items()}
        file.write_text(text.format(**urls, ada=ADA, eve=EVE))
        environ = {"BOTRUNNER_STATE": str(folder / "state")}
        settings, _ = settings_of(file, environ)
        observer = RecordingObserver()
        site = Site(file, environ, settings, clock or SystemClock(), observer, Cut(), mark_of(file))
        try:
            async with (
                working(site, connect=True) as daemon,
                serving(daemon, NobodyToNotify()) as url,
                aiohttp.ClientSession(url) as http,
            ):
                yield House(daemon, url, file, telegram, model, time, observer, http)
        finally:
            await model.stop()
