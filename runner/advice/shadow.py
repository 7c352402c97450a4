"""What the input of a bot's calls would have cost with another cache or another window: replayed from the ledger. Pure.

    row: moment, conversation, input tokens ─▶ how long ago the bot, and this conversation, called before,
                                               how much of the input was sent then ─▶ `what_if` of each setting

Rules: the ledger has no texts, so two things are guessed: the prompt and tools are as long as the shortest input that
a conversation began with; a call that is no smaller than the one before it begins with that one's bytes. A
window's replay knows no real sizes either: each call adds two messages of the bot's mean size. So only RATIOS of
two replays are used, of what was really paid. Memory is bounded: conversations that were quiet longest are forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner.agent.caching import DEFAULT_MIN_CACHEABLE, Sent, what_if
from runner.agent.latest import keep_latest
from runner.conversations.window import Marks
from runner.money.amounts import Money
from runner.money.prices import CacheWrites, Price
from runner.money.usage import Usage
from runner.ports.dialogue import NO_CACHE, CachePlan

SETTINGS: Mapping[str, CachePlan] = {
    "off": NO_CACHE,
    "5m": CachePlan(CacheWrites.MINUTES, CacheWrites.MINUTES),
    "1h": CachePlan(CacheWrites.HOUR, CacheWrites.HOUR),
}
"""What `prompt_cache` may say, but for `auto`."""
MOST_CONVERSATIONS = 50_000
ADDED = 2
"""Messages that a call adds: what the model says and what it is answered."""


@dataclass(frozen=True, slots=True)
class _Last:
    """A conversation's last call. `messages`: in each window of the replay."""

    at_ms: int
    total: int
    messages: tuple[int, ...]
    totals: tuple[int, ...]


class Replay:
    """Calls of one bot and model, in their order, under each cache setting and each window.

    Attributes:
        input_paid: what their input really cost, at the price in force.
        by_cache: what it would have cost by setting, x 10^6; `by_window`: by the marks given.
    """

    def __init__(self, price: Price, windows: Sequence[Marks], plan: CachePlan) -> None:
        self._price = price
        self._least = price.limits.min_cacheable_tokens or DEFAULT_MIN_CACHEABLE
        self._windows = tuple(windows)
        self._plan = plan
        self._last: OrderedDict[str, _Last] = OrderedDict()
        self._latest_ms: int | None = None
        self._prefix: int | None = None
        self._grown = self._growths = 0
        self.calls = 0
        self.input_tokens = 0
        self.input_paid = Money(0)
        self.by_cache = dict.fromkeys(SETTINGS, 0)
        self.by_window = dict.fromkeys(self._windows, 0)

    @property
    def can_ask(self) -> bool:
        """Whether the provider caches what it is asked to, at prices that are known."""
        rates = self._price.rates
        return (
            rates.cache_read is not None
            and rates.cache_write_5m is not None
            and not self._price.writes_unasked
        )

    def add(self, at_ms: int, conversation: str, usage: Usage) -> None:
        """One call."""
        last, total = self._last.pop(conversation, None), usage.input_tokens
        if last is None:
            self._prefix = total if self._prefix is None else min(self._prefix, total)
        elif total > last.total:
            self._grown += total - last.total
            self._growths += 1
        prefix = total if self._prefix is None else min(self._prefix, total)
        gap = None if self._latest_ms is None else at_ms - self._latest_ms
        goes_on = last is not None and last.total <= total
        sent = Sent(
            prefix,
            total,
            last.total if goes_on and last is not None else 0,
            gap,
            None if last is None else at_ms - last.at_ms,
        )
        rates = self._price.rates_for(total)
        for name, plan in SETTINGS.items():
            self.by_cache[name] += what_if(plan, sent, rates, self._least)
        messages, totals = self._through_windows(sent, last)
        keep_latest(self._last, conversation, _Last(at_ms, total, messages, totals), MOST_CONVERSATIONS)
        self._latest_ms = at_ms
        self.calls += 1
        self.input_tokens += total
        asked = Usage(
            total, 0, usage.cache_read_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens
        )
        self.input_paid = Money(self.input_paid + self._price.cost(asked))

    def _through_windows(self, sent: Sent, last: _Last | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The messages and the tokens that each window would have sent; they are charged for."""
        size = self._grown // (ADDED * self._growths) if self._growths else 0
        counts, totals = [], []
        for at, marks in enumerate(self._windows):
            count = 1 if last is None else last.messages[at] + ADDED
            moved = count > marks.high
            count = min(marks.low, marks.high) if moved else count
            total = sent.prefix + count * size
            before = 0 if last is None or moved else min(last.totals[at], total)
            seen = Sent(sent.prefix, total, before, sent.prefix_gap_ms, sent.history_gap_ms)
            self.by_window[marks] += what_if(self._plan, seen, self._price.rates_for(total), self._least)
            counts.append(count)
            totals.append(total)
        return tuple(counts), tuple(totals)
