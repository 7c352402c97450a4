"""Ours: a real daemon, its HTTP and its store, whose calendar the bench drives.

Rules: what a user writes comes by the custom webhook and is answered by it; the models' address is the simulated
server's and the tools' that of the workload; all else is as a user's own `bots.yaml` would have it, but for limits
that no trajectory may meet (loops, rates). The daemon's books are read at the end, not believed.
"""

from __future__ import annotations

import gc
import json
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bench.cost.workload import Chat, Turn, Workload
from runner.app.parts import Daemon, Site
from runner.app.running import settings_of
from runner.app.serving import serving
from runner.app.working import working
from runner.money.amounts import Money
from runner.ports.books import LedgerFilter, add_up
from runner.telemetry.logs import Cut
from runner.telemetry.systemd import supervised
from runner.testing.driven_clock import DrivenClock
from runner.testing.observer import RecordingObserver

Lines = Mapping[str, Any]
"""Lines of a bot in bots.yaml."""

GENEROUS: Lines = {
    "platform": "custom",
    "rate_limit_per_minute": None,
    "max_loop_iterations": 100,
    "max_tool_calls": 1000,
    "same_call_limit": 100,
    "failing_calls_limit": 100,
    "timeout_ms": 60_000,
}


class Failed(Exception):
    """The daemon did not answer a message."""


@dataclass(frozen=True, slots=True)
class Booked:
    """What the daemon's own books say at the end."""

    cost: Money
    unknown: Money
    calls: int
    by_feature: Mapping[str, Money]


@dataclass(frozen=True, slots=True)
class OurBot:
    """The daemon's bots, one a persona."""

    workload: Workload
    url: str
    daemon: Daemon

    async def ask(self, session: aiohttp.ClientSession, number: int, chat: Chat, turn: Turn) -> str:
        """One message of a user, to its answer. Raises Failed."""
        said = {"text": turn.text, "user_id": turn.user or f"u{number}", "channel_id": f"ch{number}"}
        if turn.name is not None:
            said["user_name"] = turn.name
        if turn.task:
            said["task"] = turn.task
        url = f"{self.url}/api/bots/webhook/custom/bot{chat.persona}"
        async with session.post(url, json=said) as response:
            told = await response.json()
            if response.status != 200:
                raise Failed(f"{response.status}: {told}")
            return str(told["response"])

    async def books(self) -> Booked:
        """What the ledger says, once all that runs has settled."""
        groups = await self.daemon.store.usage(LedgerFilter(), ("feature",))
        total = add_up(groups)
        by_feature = {group.key[0]: group.cost for group in groups}
        return Booked(total.cost, total.unknown, total.calls, by_feature)


@asynccontextmanager
async def our_bot(
    workload: Workload, model: str, lines: Lines, clock: DrivenClock, *, url: str, tools: str
) -> AsyncIterator[OurBot]:
    """A daemon with the workload's bots; `model` is provider/model, `lines` go into each bot's section."""
    with tempfile.TemporaryDirectory(prefix="botrunner-bench-") as name:
        folder = Path(name)
        file = folder / "bots.yaml"
        file.write_text(
            json.dumps(bots_yaml(workload, model, lines, url, tools), ensure_ascii=False, indent=1),
            encoding="utf-8",
        )
        environ = {"BOTRUNNER_STATE": str(folder / "state")}
        settings, _ = settings_of(file, environ)
        site = Site(file, environ, settings, clock, RecordingObserver(), Cut())
        async with (
            working(site, connect=True) as daemon,
            serving(daemon, supervised(environ, 0, clock).notifier) as address,
        ):
            yield OurBot(workload, address, daemon)
        gc.unfreeze()  # a daemon keeps what it made for good; a bench makes many


def bots_yaml(workload: Workload, model: str, lines: Lines, url: str, tools: str) -> dict[str, Any]:
    """The file, as JSON, which is YAML."""
    provider, _, name = model.partition("/")
    return {
        "server": {"port": 0},
        "reload": "off",
        "providers": {
            "anthropic": {"base_url": url, "api_key": "key"},
            "openai": {"base_url": f"{url}/v1", "api_key": "key"},
        },
        "bots": {
            f"bot{number}": {
                **GENEROUS,
                "llm_provider": provider,
                "llm_model": name,
                "conversation_scope": workload.scope,
                "system_prompt": _plain(persona.system),
                "tools": [
                    {
                        "name": tool.name,
                        "description": _plain(tool.description),
                        "method": "POST",
                        "url": f"{tools}/{tool.name}",
                        "parameters": _plain(tool.parameters),
                        "allow_private": True,
                    }
                    for tool in persona.tools
                ],
                **lines,
            }
            for number, persona in enumerate(workload.personas)
        },
    }


def _plain(value: Any) -> Any:
    """The same with each dollar sign as bots.yaml wants it, so that nothing in it is taken for a variable."""
    match value:
        case str():
            return value.replace("$", "$$")
        case dict():
            return {key: _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case _:
            return value
