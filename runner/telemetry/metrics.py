"""`/metrics`: what was counted and how the daemon stands, in the formats of Prometheus and OpenMetrics.

    Tally.counted() ─┐
    Probes.standing() ┴─▶ families ─▶ text/plain 0.0.4, or application/openmetrics-text 1.0.0 for who accepts it

Rules: pure, so that it can be done in a thread; a registry of its own for each scrape, nothing global; money is
whole pico-dollars up to here and divided once, each figure by itself. The client library is loaded with this module,
and this module with the first scrape.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

import runner
from adapters.contract import ConnectionState
from runner.money.amounts import PICO_PER_USD
from runner.money.scopes import Period
from runner.ports.mail import OutboxState
from runner.telemetry.metric_names import SPECS
from runner.telemetry.standing import LimitNow, Standing, StoreNow
from runner.telemetry.tally import BOUNDS_MS, Counted, Labels, Times

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_MONEY = frozenset({"spend", "unknown_spend"})
_PERIODS = {Period.LIFETIME: "lifetime", Period.MONTH: "month", Period.DAY: "day"}
_BUCKETS = (*(f"{bound / 1000:g}" for bound in BOUNDS_MS), "+Inf")

Sample = tuple[Labels, float]


def exposition(counted: Counted, standing: Standing, accept: str) -> tuple[bytes, str]:
    """The body and its content type. `accept`: the header of that name."""
    registry = CollectorRegistry()
    registry.register(DaemonCollector(counted, standing))
    ProcessCollector(registry=registry)
    if "application/openmetrics-text" in accept.lower():
        body: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
        return body, OPEN_METRICS
    return generate_latest(registry), TEXT


class DaemonCollector(Collector):
    """Makes families of figures."""

    def __init__(self, counted: Counted, standing: Standing) -> None:
        self._counted = counted
        self._standing = standing

    def collect(self) -> Iterator[Metric]:
        """Each family of `SPECS`, in its order; one without samples too, so that a query finds its name."""
        gauges = gauges_of(self._counted, self._standing)
        for name, spec in SPECS.items():
            match spec.kind:
                case "counter":
                    counter = CounterMetricFamily(name, spec.meaning, labels=spec.labels)
                    divisor = PICO_PER_USD if spec.family in _MONEY else 1
                    # One without labels is there from the start on: nothing is a figure, too.
                    numbers = self._counted.numbers[spec.family] or ({} if spec.labels else {(): 0})
                    for labels, number in numbers.items():
                        counter.add_metric(labels, number / divisor)
                    yield counter
                case "histogram":
                    histogram = HistogramMetricFamily(name, spec.meaning, labels=spec.labels)
                    for labels, times in self._counted.times[spec.family].items():
                        histogram.add_metric(labels, buckets_of(times), times.total_ms / 1000)
                    yield histogram
                case "gauge":
                    gauge = GaugeMetricFamily(name, spec.meaning, labels=spec.labels)
                    for labels, value in gauges.get(name, ()):
                        gauge.add_metric(labels, value)
                    yield gauge


def buckets_of(times: Times) -> list[tuple[str, float]]:
    """Each bound in seconds, with how many were within it."""
    within = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip(_BUCKETS, times.groups, strict=True):
        within += count
        buckets.append((bound, within))
    return buckets


def gauges_of(counted: Counted, standing: Standing) -> dict[str, list[Sample]]:
    """What is read and not counted, by the family's name."""
    gauges: dict[str, list[Sample]] = {
        "botrunner_cache_hit_ratio": hit_ratios(counted.numbers["tokens"]),
        "botrunner_loop_lag_seconds": [((), standing.lag_ms / 1000)],
        "botrunner_store_up": [((), float(standing.store is not None))],
        "botrunner_config_fault": [((), float(standing.config.fault is not None))],
        "botrunner_config_needs_restart": [((), float(len(standing.config.needs_restart)))],
        "botrunner_config_loaded_timestamp_seconds": [((), standing.config.loaded_at / 1000)],
        "botrunner_build_info": [((runner.__version__,), 1.0)],
        "botrunner_lease_held": [((name,), float(held)) for name, held in standing.held.leases.items()],
        **_connections(standing),
    }
    if standing.store is not None:
        bots = {link.bot for link in standing.connections} | {limit.bot for limit in standing.store.limits}
        gauges |= _limits(standing.store.limits) | _wallet(standing.store)
        gauges |= _queues(standing.store, sorted(bots), standing.now_ms) | _fleet(standing.store)
    return gauges


def hit_ratios(tokens: Mapping[Labels, int]) -> list[Sample]:
    """Tokens that came from a cache, as part of all input, by (bot, provider, model)."""
    read: dict[Labels, int] = {}
    whole: dict[Labels, int] = {}
    for (*whose, kind), count in tokens.items():
        key = tuple(whose)
        if kind not in {"output", "reasoning"}:
            whole[key] = whole.get(key, 0) + count
        if kind == "cache_read":
            read[key] = read.get(key, 0) + count
    return [(key, read.get(key, 0) / count) for key, count in whole.items()]


def _connections(standing: Standing) -> dict[str, list[Sample]]:
    states: list[Sample] = []
    ages: list[Sample] = []
    for link in standing.connections:
        labels = (link.bot, link.channel, link.platform)
        states += [((*labels, state.value), float(link.state is state)) for state in ConnectionState]
        since = link.since_ms or standing.started_ms
        ages.append((labels, max(0, standing.now_ms - since) / 1000))
    return {"botrunner_connection": states, "botrunner_connection_age_seconds": ages}


def _limits(limits: Iterable[LimitNow]) -> dict[str, list[Sample]]:
    told: dict[str, list[Sample]] = {
        name: [] for name in ("usd", "settled_usd", "unknown_usd", "held_usd", "used_ratio")
    }
    for limit in limits:
        labels, counter = (limit.bot, _PERIODS[limit.period]), limit.counter
        told["settled_usd"].append((labels, counter.settled / PICO_PER_USD))
        told["unknown_usd"].append((labels, counter.unknown / PICO_PER_USD))
        told["held_usd"].append((labels, counter.held / PICO_PER_USD))
        if limit.limit is not None:
            told["usd"].append((labels, limit.limit / PICO_PER_USD))
            told["used_ratio"].append((labels, counter.gone / limit.limit if limit.limit else 1.0))
    return {f"botrunner_limit_{name}": samples for name, samples in told.items()}


def _wallet(store: StoreNow) -> dict[str, list[Sample]]:
    wallet = store.wallet
    if wallet is None:
        return {}
    return {
        "botrunner_wallet_purchased_usd": [((), wallet.purchased / PICO_PER_USD)],
        "botrunner_wallet_balance_usd": [((), wallet.balance / PICO_PER_USD)],
        "botrunner_wallet_held_usd": [((), wallet.counter.held / PICO_PER_USD)],
    }


def _fleet(store: StoreNow) -> dict[str, list[Sample]]:
    fleet = store.fleet
    if fleet is None:
        return {}
    return {"botrunner_fleet_daemons": [(("alive",), float(fleet.alive)), (("gone",), float(fleet.gone))]}


def _queues(store: StoreNow, bots: Iterable[str], now_ms: int) -> dict[str, list[Sample]]:
    figures = store.figures
    return {
        "botrunner_waiting_messages": [((bot,), float(figures.waiting.get(bot, 0))) for bot in bots],
        "botrunner_oldest_waiting_seconds": [
            ((bot,), max(0, now_ms - figures.oldest_ms.get(bot, now_ms)) / 1000) for bot in bots
        ],
        "botrunner_outbox_parts": [
            ((state.value,), float(figures.outbox.get(state, 0)))
            for state in OutboxState
            if state is not OutboxState.SENT
        ],
        "botrunner_sends_unknown": [((), float(figures.outbox.get(OutboxState.UNKNOWN, 0)))],
        "botrunner_possibly_doubled": [((), float(figures.possibly_doubled))],
    }
