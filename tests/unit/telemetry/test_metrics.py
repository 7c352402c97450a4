"""Figures as they are told: exact, bounded, and complete."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as families

import runner
from adapters.contract import ConnectionState
from runner.clock import UnixMs
from runner.money.amounts import PICO_PER_USD, Money
from runner.money.budget import Counter
from runner.money.scopes import Period
from runner.money.usage import NO_USAGE, Usage
from runner.ports.observer import (
    AlertRaised,
    BoundBroken,
    CallEnded,
    ConfigRefused,
    ConfigReloaded,
    ConnectionChanged,
    DaemonGone,
    DaemonRenamed,
    ErrandBegun,
    ErrandsOwed,
    Event,
    Fault,
    HandoffAsked,
    HandoffDecided,
    LimitChanged,
    LimitUsed,
    MessageAccepted,
    MessageTurnedAway,
    SendEnded,
    SpendRefused,
    SummaryMissed,
    ToolServerChanged,
    ToolServerSaid,
    TurnFinished,
)
from runner.ports.reloads import ConfigState, Reloaded
from runner.ports.stores import StoreFigures
from runner.telemetry.metric_names import PROCESS, SPECS, told_names
from runner.telemetry.metrics import OPEN_METRICS, TEXT, exposition
from runner.telemetry.standing import FleetNow, Held, LimitNow, Standing, StoreNow, WalletNow
from runner.telemetry.tally import BOUNDS_MS, MOST_MODELS, MOST_SERIES, OTHER, TOKEN_KINDS, Tally, tokens_of

NOW = 1_800_000_000_000
USD = PICO_PER_USD
USAGE = Usage(100, 30, 40, 10, 5, 12)
OWNER = "maria@example.org"
"""Somebody whose name stands in events: in no figure."""


@dataclass
class Telegraph:
    """A connection, as a roster tells it."""

    state: ConnectionState = ConnectionState.UP
    bot: str = "shop"
    channel: str = "telegram"
    platform: str = "telegram"
    why: str = ""
    since_ms: int = NOW - 90_000


@dataclass
class Figures:
    """The told samples, by name and labels."""

    tally: Tally = field(default_factory=Tally)
    standing: Standing = field(
        default_factory=lambda: Standing(
            UnixMs(NOW), UnixMs(NOW - 100_000), 0.0, (), ConfigState(UnixMs(0)), None
        )
    )

    def note(self, *events: Event) -> "Figures":
        for event in events:
            self.tally.note(event)
        return self

    def told(self, accept: str = "") -> str:
        return exposition(self.tally.counted(), self.standing, accept)[0].decode()

    def of(self, name: str) -> dict[tuple[str, ...], float]:
        """Samples of that name: their values by the values of their labels, in the family's order."""
        labels = {told: spec.labels for family, spec in SPECS.items() for told in told_names(family, spec)}[
            name
        ]
        return {
            tuple(sample.labels[label] for label in labels): sample.value
            for family in families(self.told())
            for sample in family.samples
            if sample.name == name
        }


def call(
    state: str = "settled", cost: int = 1, usage: Usage = USAGE, model: str = "m", latency_ms: int = 5
) -> CallEnded:
    return CallEnded("shop", "t1", "a1", "openai", model, state, Money(cost), Money(cost), usage, latency_ms)


def turn(latency_ms: int = 700, stop: str = "answered", tools: int = 0) -> TurnFinished:
    return TurnFinished("shop", "telegram", f"c-{OWNER}", "t1", stop, 1, tools, Money(1), latency_ms)


EVENTS: tuple[Event, ...] = (
    SummaryMissed("shop", "c1", "no money left"),
    MessageAccepted("shop", "telegram", "t1", fresh=True),
    MessageAccepted("shop", "telegram", "t1", fresh=False),
    MessageTurnedAway("shop", "telegram", "limited"),
    call(cost=3 * USD),
    SpendRefused("shop", "t1", f"user:shop/telegram/{OWNER}@2026-11", "limit"),
    LimitUsed("shop", f"user:shop/telegram/{OWNER}", 80, 10, 8),
    LimitChanged("bot:shop"),
    AlertRaised(f"user:shop/telegram/{OWNER}", 80, 10, 8),
    BoundBroken("shop", "a1", "openai", "m", Money(1), Money(2)),
    turn(tools=2),
    SendEnded("shop", "telegram", 7, "unknown"),
    ConnectionChanged("shop", "telegram", "down", "gone"),
    ToolServerChanged("shop", "orders", "down", 0, "gone", ("shop",)),
    ToolServerSaid("shop", "orders", "bye"),
    ErrandsOwed("shop", "t1", 2),
    ErrandBegun("shop", "telegram", "t2", "rt1"),
    DaemonGone(2, "there/7", 1, 2),
    DaemonRenamed(1, 3),
    HandoffAsked("shop", "telegram", "ht1.ask", "rt1"),
    HandoffDecided("shop", "telegram", "ht1.ask", "approved"),
    ConfigReloaded("file", Reloaded()),
    ConfigRefused(("line 3",)),
    Fault("settle", f"no room for {OWNER}"),
)

COUNTED = [
    (
        "botrunner_messages_total",
        {("shop", "telegram", fate): 1 for fate in ("accepted", "duplicate", "limited")},
    ),
    ("botrunner_model_calls_total", {("shop", "openai", "m", "settled"): 1}),
    ("botrunner_spend_usd_total", {("shop", "openai", "m"): 3}),
    ("botrunner_unknown_spend_usd_total", {}),
    ("botrunner_spend_refusals_total", {("shop", "limit", "user"): 1}),
    ("botrunner_alerts_total", {("user", "80"): 1}),
    ("botrunner_bounds_broken_total", {("openai", "m"): 1}),
    ("botrunner_turns_total", {("shop", "answered"): 1}),
    ("botrunner_tool_calls_total", {("shop",): 2}),
    ("botrunner_turn_seconds_count", {("shop",): 1}),
    ("botrunner_turn_seconds_sum", {("shop",): 0.7}),
    ("botrunner_model_call_seconds_count", {("openai", "m"): 1}),
    ("botrunner_sends_total", {("shop", "telegram", "unknown"): 1}),
    ("botrunner_connection_changes_total", {("shop", "telegram", "down"): 1}),
    ("botrunner_config_reloads_total", {("taken",): 1, ("refused",): 1}),
    ("botrunner_faults_total", {("settle",): 1}),
    ("botrunner_buried_total", {(): 1}),
]


def test_there_is_an_example_of_each_event() -> None:
    assert {type(event) for event in EVENTS} == set(Event.__args__)


@pytest.mark.parametrize(("name", "expected"), COUNTED, ids=[name for name, _ in COUNTED])
def test_an_event_is_counted_where_it_belongs(name: str, expected: dict[tuple[str, ...], float]) -> None:
    assert Figures().note(*EVENTS).of(name) == expected


def test_a_counter_without_labels_is_there_from_the_start() -> None:
    assert Figures().of("botrunner_buried_total") == {(): 0}


def test_each_counter_is_tried() -> None:
    tried = {name for name, _ in COUNTED} | {"botrunner_tokens_total"}
    assert {told_names(name, spec)[-1] for name, spec in SPECS.items() if spec.kind != "gauge"} <= tried


def test_no_user_and_no_conversation_is_in_any_figure() -> None:
    assert OWNER not in Figures().note(*EVENTS).told()


def test_each_token_is_in_one_kind() -> None:
    kinds = tokens_of(USAGE)
    assert tuple(kinds) == TOKEN_KINDS
    assert sum(kinds.values()) == USAGE.total_tokens
    told = Figures().note(call(), call()).of("botrunner_tokens_total")
    assert {kind: value for (*_, kind), value in told.items()} == {
        kind: 2 * kinds[kind] for kind in TOKEN_KINDS
    }


def test_money_stays_whole_until_it_is_told() -> None:
    figures = Figures().note(*(call(cost=1) for _ in range(3)), call(cost=USD))
    assert figures.tally.numbers["spend"].copy() == {("shop", "openai", "m"): USD + 3}
    assert figures.of("botrunner_spend_usd_total") == {("shop", "openai", "m"): (USD + 3) / USD}


def test_what_may_have_been_spent_is_no_spend() -> None:
    figures = Figures().note(call("unknown", 5 * USD), call("released", 0, NO_USAGE))
    assert figures.of("botrunner_spend_usd_total") == {}
    assert figures.of("botrunner_unknown_spend_usd_total") == {("shop", "openai", "m"): 5}


def test_the_hit_rate_is_of_all_input() -> None:
    uncached = call(usage=Usage(300, 1))
    figures = Figures().note(call(usage=Usage(100, 9, cache_read_tokens=100)), uncached)
    assert figures.of("botrunner_cache_hit_ratio") == {("shop", "openai", "m"): 0.25}
    assert Figures().note(call(usage=NO_USAGE)).of("botrunner_cache_hit_ratio") == {}


def test_a_time_is_in_the_group_of_its_bound_and_in_those_above() -> None:
    figures = Figures().note(*(turn(latency_ms=ms) for ms in (0, 50, 51, 300_000, 300_001)))
    samples = [
        sample
        for family in families(figures.told())
        for sample in family.samples
        if sample.name == "botrunner_turn_seconds_bucket"
    ]
    within = {float(sample.labels["le"]): sample.value for sample in samples}
    assert len(within) == len(BOUNDS_MS) + 1
    assert (within[0.05], within[0.1], within[120.0], within[300.0], within[float("inf")]) == (2, 3, 3, 4, 5)
    assert figures.of("botrunner_turn_seconds_sum") == {("shop",): 600.102}


def test_more_models_than_can_be_told_apart_are_others() -> None:
    figures = Figures().note(
        *(call(model=f"m{number}") for number in range(MOST_MODELS + 3)), call(model="m0")
    )
    calls = figures.of("botrunner_model_calls_total")
    assert len(calls) == MOST_MODELS + 1
    assert calls["shop", "openai", OTHER, "settled"] == 3
    assert calls["shop", "openai", "m0", "settled"] == 2


def test_a_family_does_not_grow_for_ever() -> None:
    figures = Figures()
    for number in range(MOST_SERIES + 5):
        figures.note(Fault(f"place {number}", ""))
        figures.note(replace(turn(), bot=f"bot {number}"))
    counted = figures.tally.counted()
    assert len(counted.numbers["faults"]) == len(counted.times["turn_times"]) == MOST_SERIES + 1
    assert counted.numbers["faults"][OTHER,] == 5
    assert sum(counted.times["turn_times"][OTHER,].groups) == 5


def test_a_copy_stands_still() -> None:
    figures = Figures().note(turn())
    copy = figures.tally.counted()
    figures.note(turn())
    assert copy.numbers["turns"] == {("shop", "answered"): 1}
    assert sum(copy.times["turn_times"]["shop",].groups) == 1


# ── what is read ─────────────────────────────────────────────────────────────────────────────────────────


def standing(**changes: object) -> Standing:
    limits = (
        LimitNow("shop", Period.LIFETIME, Money(10 * USD), Counter(4 * USD, 1 * USD, 2 * USD)),
        LimitNow("shop", Period.DAY, Money(0), Counter()),
        LimitNow("desk", Period.LIFETIME, None, Counter(USD)),
    )
    figures = StoreFigures({"shop": 3}, {"unknown": 2, "pending": 1}, 4, {"shop": NOW - 12_000})
    wallet = WalletNow(Money(20 * USD), Counter(5 * USD, USD, 3 * USD))
    whole = Standing(
        now_ms=UnixMs(NOW),
        started_ms=UnixMs(NOW - 100_000),
        lag_ms=250.0,
        connections=(
            Telegraph(),
            Telegraph(ConnectionState.DOWN, channel="slack", platform="slack", since_ms=0),
        ),
        config=ConfigState(UnixMs(NOW - 5_000), ("line 3",), ("server.port",)),
        store=StoreNow(figures, limits, wallet, FleetNow(alive=2, gone=1)),
        held=Held({"work upkeep": True, "connection shop/telegram": False}),
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


STANDS = [
    ("botrunner_limit_usd", {("shop", "lifetime"): 10, ("shop", "day"): 0}),
    ("botrunner_limit_settled_usd", {("shop", "lifetime"): 4, ("shop", "day"): 0, ("desk", "lifetime"): 1}),
    ("botrunner_limit_unknown_usd", {("shop", "lifetime"): 1, ("shop", "day"): 0, ("desk", "lifetime"): 0}),
    ("botrunner_limit_held_usd", {("shop", "lifetime"): 2, ("shop", "day"): 0, ("desk", "lifetime"): 0}),
    ("botrunner_limit_used_ratio", {("shop", "lifetime"): 0.5, ("shop", "day"): 1}),
    ("botrunner_wallet_purchased_usd", {(): 20}),
    ("botrunner_wallet_balance_usd", {(): 14}),
    ("botrunner_wallet_held_usd", {(): 3}),
    ("botrunner_waiting_messages", {("shop",): 3, ("desk",): 0}),
    ("botrunner_oldest_waiting_seconds", {("shop",): 12, ("desk",): 0}),
    ("botrunner_outbox_parts", {("pending",): 1, ("sending",): 0, ("unknown",): 2, ("rejected",): 0}),
    ("botrunner_sends_unknown", {(): 2}),
    ("botrunner_possibly_doubled", {(): 4}),
    (
        "botrunner_connection",
        {
            (*place, state.value): float(state is its)
            for place, its in (
                (("shop", "telegram", "telegram"), ConnectionState.UP),
                (("shop", "slack", "slack"), ConnectionState.DOWN),
            )
            for state in ConnectionState
        },
    ),
    (
        "botrunner_connection_age_seconds",
        {("shop", "telegram", "telegram"): 90, ("shop", "slack", "slack"): 100},
    ),
    ("botrunner_fleet_daemons", {("alive",): 2, ("gone",): 1}),
    ("botrunner_lease_held", {("work upkeep",): 1, ("connection shop/telegram",): 0}),
    ("botrunner_loop_lag_seconds", {(): 0.25}),
    ("botrunner_store_up", {(): 1}),
    ("botrunner_config_fault", {(): 1}),
    ("botrunner_config_needs_restart", {(): 1}),
    ("botrunner_config_loaded_timestamp_seconds", {(): (NOW - 5_000) / 1000}),
    ("botrunner_build_info", {(runner.__version__,): 1}),
]


@pytest.mark.parametrize(("name", "expected"), STANDS, ids=[name for name, _ in STANDS])
def test_how_it_stands(name: str, expected: dict[tuple[str, ...], float]) -> None:
    assert Figures(standing=standing()).of(name) == expected


def test_each_gauge_is_tried() -> None:
    tried = {name for name, _ in STANDS} | {"botrunner_cache_hit_ratio"}
    assert {name for name, spec in SPECS.items() if spec.kind == "gauge"} == tried


def test_a_store_that_cannot_be_read_takes_only_its_own_figures_with_it() -> None:
    figures = Figures(standing=standing(store=None)).note(*EVENTS)
    assert figures.of("botrunner_store_up") == {(): 0}
    assert figures.of("botrunner_limit_usd") == {}
    assert figures.of("botrunner_loop_lag_seconds") == {(): 0.25}
    assert figures.of("botrunner_spend_usd_total") == {("shop", "openai", "m"): 3}


def names(text: str, parse: str) -> set[str]:
    found = open_families(text) if parse == "open" else families(text)  # type: ignore[no-untyped-call]
    return {family.name for family in found}


@pytest.mark.parametrize(
    ("accept", "told", "parse"),
    [
        ("", TEXT, "text"),
        ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", TEXT, "text"),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", OPEN_METRICS, "open"),
        ("application/openmetrics-text; version=nonsense", OPEN_METRICS, "open"),
    ],
)
def test_both_formats_tell_every_family(accept: str, told: str, parse: str) -> None:
    figures = Figures(standing=standing()).note(*EVENTS)
    body, content_type = exposition(figures.tally.counted(), figures.standing, accept)
    assert content_type == told
    assert names(body.decode(), parse) == set(SPECS) | (
        set(PROCESS) if Path("/proc/self/stat").exists() else set()
    )


def test_names_are_as_the_format_wants_them() -> None:
    for name, spec in SPECS.items():
        assert re.fullmatch(r"botrunner_[a-z_]+", name)
        assert not name.endswith("_total")
        assert spec.meaning.endswith(".")
        counted = {**Tally.FAMILIES, **Tally.TIMES}
        assert (spec.family == "") == (spec.kind == "gauge")
        if spec.family:
            assert counted[spec.family] == spec.labels
    families_told: Iterable[str] = [spec.family for spec in SPECS.values() if spec.family]
    assert sorted(families_told) == sorted({**Tally.FAMILIES, **Tally.TIMES})
