"""One model, three ways: a real daemon answers every customer by each of its bots, over HTTP.

Rules: each interaction is a customer of its own, so no way gains or loses by what was said before. The bill is the
simulated provider's, priced by the daemon's book, and the daemon's ledger must say the same to the pico-dollar; each
answer must be the one that the customer was to get, and each order must have been looked up, or there are no figures.
"""

from __future__ import annotations

import gc
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bench.cost.trial import Rows, Unsound
from bench.workflow.bots import file_of
from bench.workflow.shop import Interaction, Shop, order_server
from runner.app.parts import Daemon, Site
from runner.app.running import settings_of
from runner.app.serving import serving
from runner.app.working import working
from runner.money.amounts import Money
from runner.money.prices import PriceBook
from runner.money.usage import NO_USAGE, Usage
from runner.ports.books import LedgerFilter, add_up
from runner.telemetry.logs import Cut
from runner.telemetry.systemd import supervised
from runner.testing.driven_clock import DrivenClock
from runner.testing.model_server import ModelServer
from runner.testing.observer import RecordingObserver
from runner.testing.prompt_cache import PromptCache

WAYS = {"agent": "agent loop", "workflow": "workflow", "small_first": "workflow, a small model classifies"}
"""The bots, and what each is."""
APART_S = 600.0
"""Between two customers: no cache is warm by chance."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What all interactions came to, one way."""

    bot: str
    model: str
    interactions: int
    calls: int
    usage: Usage
    cost: Money

    @property
    def usd_per_1000(self) -> float:
        """US dollars for a thousand interactions."""
        return self.cost / self.interactions / 1e9


def ways_of(model: str, small: str) -> tuple[str, ...]:
    """Those that differ: a small model that is the same is no other way."""
    return tuple(bot for bot in WAYS if bot != "small_first" or small != model)


async def play(
    made: Sequence[Interaction], model: str, small: str, book: PriceBook, told: Callable[[], None]
) -> list[Figures]:
    """All ways that differ, in the order of `WAYS`. `told` is called after each interaction. Raises Unsound."""
    clock, rows, shop = DrivenClock(), Rows(book), Shop.of(made)
    server = ModelServer(clock=clock, standing=shop.pick, cache=PromptCache(rows.smallest, rows.bills_writes))
    models = await server.start()
    found = []
    try:
        async with (
            order_server(shop) as orders,
            _daemon(json.dumps(file_of(model, small=small, models=models, orders=orders)), clock) as (
                url,
                daemon,
            ),
            aiohttp.ClientSession() as session,
        ):
            for bot in ways_of(model, small):
                server.bill.clear()
                shop.looked_up.clear()
                for one in made:
                    clock.advance(APART_S)
                    await _interact(session, f"{url}/api/bots/webhook/custom/{bot}", one)
                    told()
                figures = Figures(
                    bot,
                    model,
                    len(made),
                    len(server.bill),
                    sum((line.usage for line in server.bill), NO_USAGE),
                    rows.cost_of(server),
                )
                await _check(figures, made, shop, daemon)
                found.append(figures)
    finally:
        await server.stop()
    return found


async def _interact(session: aiohttp.ClientSession, url: str, one: Interaction) -> None:
    said = {"text": one.message, "user_id": f"u{one.number}", "channel_id": one.number}
    async with session.post(url, json=said) as response:
        told = await response.json()
    if response.status != 200 or told["response"] != one.answer:
        raise Unsound(f"{url}: {response.status}: {told}")


async def _check(figures: Figures, made: Sequence[Interaction], shop: Shop, daemon: Daemon) -> None:
    """Whether the run proves anything."""
    booked = add_up(await daemon.store.usage(LedgerFilter(bot=figures.bot), ("feature",)))
    if (booked.cost, booked.unknown, booked.calls) != (figures.cost, 0, figures.calls):
        raise Unsound(f"{figures.bot}: the ledger says {booked}, the bill {figures.cost}")
    if sorted(shop.looked_up) != sorted(one.number for one in made):
        raise Unsound(f"{figures.bot}: {len(shop.looked_up)} orders were looked up, not {len(made)}")
    if shop.strange:
        raise Unsound(f"{figures.bot}: the model did not understand {shop.strange[0]!r}")


@asynccontextmanager
async def _daemon(text: str, clock: DrivenClock) -> AsyncIterator[tuple[str, Daemon]]:
    """A daemon of this bots.yaml; its address."""
    with tempfile.TemporaryDirectory(prefix="botrunner-bench-") as name:
        folder = Path(name)
        file = folder / "bots.yaml"
        file.write_text(text, encoding="utf-8")
        environ = {"BOTRUNNER_STATE": str(folder / "state")}
        settings, _ = settings_of(file, environ)
        site = Site(file, environ, settings, clock, RecordingObserver(), Cut())
        async with (
            working(site, connect=True) as daemon,
            serving(daemon, supervised(environ, 0, clock).notifier) as address,
        ):
            yield address, daemon
        gc.unfreeze()  # a daemon keeps what it made for good; a bench makes many
