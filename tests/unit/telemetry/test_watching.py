"""Events become lines: which ones a person has to act on, and what is told once."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from adapters.testing.fake import FakeAdapter
from runner.money.amounts import Money
from runner.money.usage import Usage
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
from runner.ports.reloads import Reloaded
from runner.telemetry.logs import configure
from runner.telemetry.watching import Watching
from runner.testing.clock import ManualClock
from runner.testing.model_script import Fault as Refusal
from runner.testing.model_script import Say
from runner.testing.pipeline import pipeline
from runner.testing.provider import FakeProvider
from runner.testing.scenes import a_bot

USD = Money(10**12)
EXAMPLES: list[tuple[Event, str]] = [
    (MessageAccepted("shop", "web", "t1", fresh=True), "debug"),
    (MessageTurnedAway("shop", "web", "limited"), "debug"),
    (CallEnded("shop", "t1", "a1", "openai", "m", "settled", USD, USD, Usage(3, 4), 5), "debug"),
    (
        CallEnded("shop", "t1", "a1", "openai", "m", "unknown", USD, USD, Usage(3, 4), 5, "it broke"),
        "warning",
    ),
    (SpendRefused("shop", "t1", "bot:shop", "busy"), "debug"),
    (SpendRefused("shop", "t1", "bot:shop", "limit"), "warning"),
    (BoundBroken("shop", "a1", "openai", "m", USD, USD), "error"),
    (TurnFinished("shop", "web", "c1", "t1", "end_turn", 1, 0, USD, 12), "info"),
    (SummaryMissed("shop", "c1", "no money left in bot:shop"), "info"),
    (SendEnded("shop", "web", 7, "sent"), "debug"),
    (SendEnded("shop", "web", 7, "unknown", "timeout"), "warning"),
    (ConnectionChanged("shop", "web", "up", ""), "info"),
    (ConnectionChanged("shop", "web", "refused", "401"), "warning"),
    (ConnectionChanged("shop", "web", "down", "network"), "warning"),
    (ToolServerChanged("shop", "orders", "up", 3, bots=("ada",)), "info"),
    (ToolServerChanged("shop", "orders", "down", 0, "it ended (exit code 1)"), "warning"),
    (ToolServerSaid("shop", "orders", "starting"), "debug"),
    (ErrandsOwed("shop", "t1", 2), "debug"),
    (ErrandBegun("shop", "web", "t2", "rt1"), "debug"),
    (DaemonGone(2, "there/7", 1, 2), "warning"),
    (DaemonGone(2, "there/7", stopped=True), "info"),
    (DaemonRenamed(1, 3), "warning"),
    (HandoffAsked("shop", "web", "ht1.ask", "rt1"), "warning"),
    (HandoffDecided("shop", "web", "ht1.ask", "approved"), "info"),
    (Fault("lanes", "disk full", "shop"), "error"),
    (AlertRaised("bot:shop", 50, USD, USD), "info"),
    (AlertRaised("plan-tokens:starter@2026-11", 100, 5, 5), "warning"),
    (ConfigReloaded("SIGHUP", Reloaded(changed=("shop",))), "info"),
    (ConfigReloaded("SIGHUP", Reloaded(needs_restart=("store.url",))), "warning"),
    (ConfigRefused(("bots.yaml:1: odd",)), "error"),
]


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """A log's stream; the process's logging is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield io.StringIO()
    logging.captureWarnings(capture=False)
    root.handlers = handlers
    root.setLevel(level)


def watching(stream: io.StringIO, level: str = "debug") -> Watching:
    return Watching(configure(level, stream, {}))


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(("event", "level"), EXAMPLES)
def test_an_event_is_a_line(event: Event, level: str, stream: io.StringIO) -> None:
    watching(stream).note(event)
    [line] = lines(stream)
    assert line["level"] == level
    if hasattr(event, "bot"):
        assert line["bot"] == "shop"


def test_there_is_an_example_of_each_event() -> None:
    assert {type(event) for event, _ in EXAMPLES} | {LimitChanged, LimitUsed} == set(get_args(Event))


def test_what_was_reloaded_is_told_by_its_names(stream: io.StringIO) -> None:
    watching(stream).note(
        ConfigReloaded("SIGHUP", Reloaded(added=("shop", "house"), needs_restart=("store.url",)))
    )
    watching(stream).note(ConfigRefused(("bots.yaml:1: odd",)))
    done, refused = lines(stream)
    assert {name: done[name] for name in ("event", "reason", "added", "needs_restart")} == {
        "event": "reloaded",
        "reason": "SIGHUP",
        "added": "shop, house",
        "needs_restart": "store.url",
    }
    assert "removed" not in done
    assert refused["problems"] == "bots.yaml:1: odd"


def test_money_is_told_in_whole_digits(stream: io.StringIO) -> None:
    watching(stream).note(TurnFinished("shop", "web", "c1", "t1", "end_turn", 1, 0, Money(1), 12, "why"))
    [line] = lines(stream)
    assert (line["cost_usd"], line["why"]) == ("0.000000000001", "why")


def test_a_limit_is_told_once_until_it_is_changed(stream: io.StringIO) -> None:
    watch = watching(stream)
    shop = SpendRefused("shop", "t1", "bot:shop", "limit")
    for _ in range(5):
        watch.note(shop)
        watch.note(SpendRefused("other", "t1", "bot:other", "limit"))
        watch.note(SpendRefused("shop", "t2", "message:t2", "limit"))
        watch.note(SpendRefused("shop", "t3", "message:t3", "limit"))
    told = [(line["bot"], line["scope"]) for line in lines(stream) if line["level"] == "warning"]
    assert told == [("shop", "bot:shop"), ("other", "bot:other"), ("shop", "message:t2")]
    watch.note(LimitChanged("bot:shop"))
    watch.note(SpendRefused("other", "t1", "bot:other", "limit"))
    watch.note(shop)
    watch.note(shop)
    told = [(line["bot"], line["scope"]) for line in lines(stream) if line["level"] == "warning"]
    assert told[3:] == [("shop", "bot:shop")]


def test_what_is_waited_for_is_no_limit_that_is_reached(stream: io.StringIO) -> None:
    watch = watching(stream, "info")
    watch.note(SpendRefused("shop", "t1", "bot:shop", "busy"))
    assert not lines(stream)
    watch.note(SpendRefused("shop", "t1", "bot:shop", "limit"))
    assert len(lines(stream)) == 1


def test_a_fault_has_its_traceback(stream: io.StringIO) -> None:
    try:
        json.loads("{")
    except ValueError as error:
        watching(stream).note(Fault("turn", repr(error), "shop", "t1", error))
    [line] = lines(stream)
    assert "Traceback" in line["exception"]
    assert line["exception"].splitlines()[-1].startswith("json.decoder.JSONDecodeError: ")


CANARY = "what-the-user-wrote-b1e6"
ANSWER = "what-the-model-said-77c0"


@pytest.mark.parametrize(
    "behaviour",
    [Say(f"{ANSWER} {CANARY}"), Refusal(400, f"cannot read: {CANARY}"), Refusal(500, f"failed on {CANARY}")],
    ids=["answered", "refused", "unknown"],
)
async def test_nobodys_words_are_told_above_debug(behaviour: Say | Refusal, stream: io.StringIO) -> None:
    clock = ManualClock(instant_s=1.0)
    provider = FakeProvider(clock)
    provider.script(behaviour, behaviour, behaviour, behaviour)
    adapter = FakeAdapter()
    async with pipeline(a_bot(), adapter=adapter, provider=provider, clock=clock) as walk:
        await adapter.say(f"hello {CANARY}", user="ada")
        await adapter.replies(1)
        await walk.observer.until(SendEnded)
        events = walk.observer.events
    watch = watching(stream, "info")
    for event in events:
        watch.note(event)
    assert [line["event"] for line in lines(stream)].count("turn") == 1
    assert CANARY not in stream.getvalue()
    assert ANSWER not in stream.getvalue()


@pytest.mark.parametrize(
    ("why", "told"),
    [
        ("HTTP 401: Incorrect API key provided: sk-***", True),
        ("HTTP 404: the model `m` does not exist", True),
        ("HTTP 429: slow down; no time left to try again", True),
        ("no answer in time", True),
        ("HTTP 400: 'hello' is no word", False),
        ("HTTP 500: failed on\nhello", False),
    ],
)
def test_what_a_provider_said_is_told_where_it_cannot_be_a_users_words(
    why: str,
    stream: io.StringIO,
    *,
    told: bool,
) -> None:
    watch = watching(stream, "debug")
    watch.note(CallEnded("shop", "t1", "a1", "openai", "m", "released", USD, USD, Usage(3, 4), 5, why))
    watch.note(TurnFinished("shop", "web", "c1", "t1", "provider_error", 1, 0, USD, 12, why))
    above = [line["why"] for line in lines(stream) if line["level"] != "debug"]
    assert len(above) == 2
    assert [line == why for line in above] == [told, told]
    assert why in [line.get("why") for line in lines(stream)], "debug has all of it"
    if not told:
        assert all(line.startswith(why[:8]) for line in above)
