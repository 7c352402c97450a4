"""What happened since the start, counted: an Observer with nothing but whole numbers in it.

    event ─▶ series[labels] += n          messages, turns, calls, tokens, pico-dollars, refusals, faults, …
          └▶ timings[labels] gets a time  how long turns and model calls took

Rules: labels are of bots, channels, models, states and places, never of users, conversations or texts; providers
and models beyond `MOST_MODELS` are counted as `other`, and so is, whole, what is beyond `MOST_SERIES` of one family:
whoever watches is not flooded by what is watched. Amounts stay pico-dollars; whoever shows them divides, once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field

from runner.money.scopes import kind_of
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

OTHER = "other"
MOST_MODELS = 64
"""Names of providers, and of models, that are told apart."""
MOST_SERIES = 4096
"""Series of one family; more than all bots of a large file make."""
BOUNDS_MS = (50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000)
"""Upper bounds of the groups in which times are counted, milliseconds."""
TOKEN_KINDS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning")

Labels = tuple[str, ...]


@dataclass(slots=True)
class Times:
    """Times in groups by `BOUNDS_MS`, the last group has no bound; `total_ms` is their exact sum."""

    groups: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_MS) + 1))
    total_ms: int = 0

    def add(self, time_ms: int) -> None:
        """One more."""
        self.groups[bisect_left(BOUNDS_MS, time_ms)] += 1
        self.total_ms += time_ms


class Series:
    """Whole numbers by labels."""

    def __init__(self) -> None:
        self._numbers: dict[Labels, int] = {}

    def add(self, labels: Labels, number: int = 1) -> None:
        """So many more; nothing is no series."""
        if number:
            place = bounded(labels, self._numbers)
            self._numbers[place] = self._numbers.get(place, 0) + number

    def copy(self) -> dict[Labels, int]:
        """As it stands."""
        return dict(self._numbers)


class Timings:
    """Times by labels."""

    def __init__(self) -> None:
        self._times: dict[Labels, Times] = {}

    def add(self, labels: Labels, time_ms: int) -> None:
        """One more."""
        self._times.setdefault(bounded(labels, self._times), Times()).add(max(0, time_ms))

    def copy(self) -> dict[Labels, Times]:
        """As it stands."""
        return {labels: Times(list(times.groups), times.total_ms) for labels, times in self._times.items()}


class Names:
    """Names that are told apart, as long as there are not too many."""

    def __init__(self, most: int = MOST_MODELS) -> None:
        self._most = most
        self._known: set[str] = set()

    def of(self, name: str) -> str:
        """The name, or `other`."""
        if name not in self._known:
            if len(self._known) >= self._most:
                return OTHER
            self._known.add(name)
        return name


def bounded(labels: Labels, known: Mapping[Labels, object]) -> Labels:
    """The labels, or as many times `other` where there are too many already."""
    return labels if labels in known or len(known) < MOST_SERIES else (OTHER,) * len(labels)


@dataclass(frozen=True, slots=True)
class Counted:
    """A tally as it stood at one moment, as its attributes: each a family by its labels."""

    numbers: Mapping[str, Mapping[Labels, int]]
    times: Mapping[str, Mapping[Labels, Times]]


class Tally:
    """An Observer that counts.

    Attributes:
        numbers: by family; `Tally.FAMILIES` says by which labels.
    """

    FAMILIES: Mapping[str, Labels] = {
        "messages": ("bot", "channel", "fate"),
        "turns": ("bot", "stop_reason"),
        "tool_calls": ("bot",),
        "calls": ("bot", "provider", "model", "state"),
        "spend": ("bot", "provider", "model"),
        "unknown_spend": ("bot", "provider", "model"),
        "tokens": ("bot", "provider", "model", "kind"),
        "refusals": ("bot", "kind", "scope"),
        "alerts": ("scope", "percent"),
        "bounds_broken": ("provider", "model"),
        "sends": ("bot", "channel", "fate"),
        "connection_changes": ("bot", "channel", "state"),
        "reloads": ("result",),
        "faults": ("place",),
        "buried": (),
    }
    TIMES: Mapping[str, Labels] = {"turn_times": ("bot",), "call_times": ("provider", "model")}

    def __init__(self) -> None:
        self.numbers = {family: Series() for family in self.FAMILIES}
        self.times = {family: Timings() for family in self.TIMES}
        self._providers = Names()
        self._models = Names()

    def counted(self) -> Counted:
        """A copy that no later event changes."""
        return Counted(
            {family: series.copy() for family, series in self.numbers.items()},
            {family: timings.copy() for family, timings in self.times.items()},
        )

    def note(self, event: Event) -> None:  # noqa: C901, PLR0912 - one flat table of events
        """Count one event."""
        add = self._add
        match event:
            case MessageAccepted():
                add("messages", event.bot, event.channel, "accepted" if event.fresh else "duplicate")
            case MessageTurnedAway():
                add("messages", event.bot, event.channel, str(event.why))
            case CallEnded():
                self._call(event)
            case SpendRefused():
                add("refusals", event.bot, event.kind, kind_of(event.scope))
            case AlertRaised():
                add("alerts", kind_of(event.scope), str(event.percent))
            case BoundBroken():
                add("bounds_broken", self._providers.of(event.provider), self._models.of(event.model))
            case TurnFinished():
                add("turns", event.bot, str(event.stop_reason))
                self.numbers["tool_calls"].add((event.bot,), event.tool_calls)
                self.times["turn_times"].add((event.bot,), event.latency_ms)
            case SendEnded():
                add("sends", event.bot, event.channel, str(event.fate))
            case ConnectionChanged():
                add("connection_changes", event.bot, event.channel, str(event.state))
            case ConfigReloaded():
                add("reloads", "taken")
            case ConfigRefused():
                add("reloads", "refused")
            case Fault():
                add("faults", event.where)
            case ErrandsOwed() | ErrandBegun() | HandoffAsked() | HandoffDecided():
                pass  # what waits is counted in the store
            case DaemonGone():
                add("buried")
            case DaemonRenamed():
                pass  # the fleet is asked when it is shown
            case LimitUsed() | LimitChanged() | SummaryMissed() | ToolServerChanged() | ToolServerSaid():
                pass  # limits are read from the store when they are shown; a summary is for the log

    def _add(self, family: str, *labels: str) -> None:
        self.numbers[family].add(labels)

    def _call(self, event: CallEnded) -> None:
        provider, model = self._providers.of(event.provider), self._models.of(event.model)
        whose = (event.bot, provider, model)
        self._add("calls", *whose, str(event.state))
        self.numbers["unknown_spend" if event.state == "unknown" else "spend"].add(whose, event.cost)
        for kind, count in tokens_of(event.usage).items():
            self.numbers["tokens"].add((*whose, kind), count)
        self.times["call_times"].add((provider, model), event.latency_ms)


def tokens_of(usage: Usage) -> dict[str, int]:
    """Tokens by kind, each token once: the kinds add up to all tokens of the call."""
    return {
        "input": usage.plain_input_tokens,
        "cache_read": usage.cache_read_tokens,
        "cache_write_5m": usage.cache_write_5m_tokens,
        "cache_write_1h": usage.cache_write_1h_tokens,
        "output": usage.output_tokens - usage.reasoning_tokens,
        "reasoning": usage.reasoning_tokens,
    }
