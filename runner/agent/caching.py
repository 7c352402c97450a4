"""What a provider is asked to cache, by what the bot's own calls were like. Pure but for what it remembers of them.

    after each call   every plan is charged what the call would have cost under it (`what_if`): its tokens, how long ago
                      the same prefix, and the same conversation, were sent before, at the rates of the model's row
    before a call     the plan with the least charge is taken; below the model's smallest prefix nothing is marked

Rules: the figures of all plans come from the same calls, so a plan need not be tried to be known; they fade, so that
what the traffic was like last week counts little; a plan is left only for one that is clearly cheaper, since leaving
it loses what is in the cache. The smallest prefix is learned: what was marked and not cached was too small. What is
remembered is bounded: the bots and conversations that were quiet longest are forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from runner.agent.latest import keep_latest
from runner.bots import Bot, ModelChoice
from runner.clock import UnixMs
from runner.conversations.models import AssistantMessage, Message, ToolMessage, UserMessage
from runner.money.prices import CacheWrites, Price, Rates
from runner.money.usage import Usage
from runner.ports.dialogue import NO_CACHE, CachePlan, ModelRequest

CHARS_PER_TOKEN = 4
"""A middling figure until the bot's own is learned; for choosing, never for a bound."""
DEFAULT_MIN_CACHEABLE = 1024
LADDER = (512, 1024, 2048, 4096, 8192)
"""Smallest prefixes that models have (reference: the providers' pages on prompt caching)."""
FADING = 256
"""A call's weight fades to a third within so many later ones."""
CLEARLY = 97
"""In percent: another plan is taken when it costs less than that of the present one."""
PRIOR_HITS, PRIOR_MISSES = 5, 3
"""What is believed before there is traffic: most calls follow their conversation's last within five minutes."""
MOST_BOTS = 1_000
MOST_CONVERSATIONS = 10_000
ALL = 1024
SMOOTHING = 16
MOST_CALLS = 64
_MINUTES_MS, _HOUR_MS = 5 * 60_000, 60 * 60_000

_N, _M, _H = CacheWrites.NONE, CacheWrites.MINUTES, CacheWrites.HOUR
PLANS: tuple[CachePlan, ...] = (
    CachePlan(_M, _M),
    NO_CACHE,
    CachePlan(_M, _N),
    CachePlan(_H, _N),
    CachePlan(_H, _M),
    CachePlan(_H, _H),
)
"""All that can be chosen; of two that cost the same, the first."""
_LIFE_MS: Mapping[CacheWrites, int] = {_N: -1, _M: _MINUTES_MS, _H: _HOUR_MS}


@dataclass(frozen=True, slots=True)
class Sent:
    """A call's input, in tokens, and what of it was sent before.

    Attributes:
        prefix: tools and system prompt, with which all of the bot's conversations begin.
        total: all of it.
        shared: how much of it is, from its start, what the conversation's last call was: 0 where it is the first.
        prefix_gap_ms: since the bot's last call with this prefix; None: never. `history_gap_ms`: the conversation's.
    """

    prefix: int
    total: int
    shared: int = 0
    prefix_gap_ms: int | None = None
    history_gap_ms: int | None = None


def what_if(plan: CachePlan, sent: Sent, rates: Rates, least: int) -> int:
    """What the input would cost under a plan: pico-dollars x 10^6. `least`: the model's smallest cached prefix."""
    has_prefix = plan.prefix is not _N and sent.prefix >= least
    end = sent.total if plan.history is not _N else sent.prefix if has_prefix else 0
    if end < least:
        return sent.total * rates.input
    found = 0
    if has_prefix and _lives(plan.prefix, sent.prefix_gap_ms):
        found = sent.prefix
    if sent.shared >= least and _lives(plan.history, sent.history_gap_ms):
        found = max(found, min(sent.shared, sent.total))
    by_prefix = max(0, sent.prefix - found) if has_prefix else 0
    by_history = end - max(found, sent.prefix if has_prefix else found)
    return (
        found * _or(rates.cache_read, rates.input)
        + by_prefix * _write_rate(plan.prefix, rates)
        + max(0, by_history) * _write_rate(plan.history, rates)
        + (sent.total - end) * rates.input
    )


def _lives(writes: CacheWrites, gap_ms: int | None) -> bool:
    return gap_ms is not None and gap_ms <= _LIFE_MS[writes]


def _write_rate(writes: CacheWrites, rates: Rates) -> int:
    if writes is _N:
        return rates.input
    five = _or(rates.cache_write_5m, rates.input)
    return five if writes is _M else _or(rates.cache_write_1h, five)


def _or(rate: int | None, otherwise: int) -> int:
    return otherwise if rate is None else rate


@dataclass(slots=True)
class _Habit:
    """What one bot's calls of one model were like. `charges`: by plan, fading."""

    least: int
    present: CachePlan = PLANS[0]
    charges: dict[CachePlan, int] = field(default_factory=dict)
    chars: int = 0
    tokens: int = 0
    prefix_hash: int = 0
    prefix_at: UnixMs | None = None

    def tokens_of(self, size: int) -> int:
        """About how many tokens so many characters are."""
        return size * self.tokens // self.chars if self.chars else size // CHARS_PER_TOKEN

    def learn(self, sent: Sent, size: int, rates: Rates) -> None:
        """Charge every plan for one call."""
        self.chars += size - self.chars // FADING
        self.tokens += sent.total - self.tokens // FADING
        if not self.charges:
            again = Sent(sent.prefix, sent.total, sent.total * 3 // 4, 0, 0)
            first = Sent(sent.prefix, sent.total)
            self.charges = {
                plan: PRIOR_HITS * what_if(plan, again, rates, self.least)
                + PRIOR_MISSES * what_if(plan, first, rates, self.least)
                for plan in PLANS
            }
        for plan in PLANS:
            self.charges[plan] += what_if(plan, sent, rates, self.least) - self.charges[plan] // FADING
        best = min(PLANS, key=lambda plan: self.charges[plan])
        if self.charges[best] * 100 < self.charges[self.present] * CLEARLY:
            self.present = best

    def learn_least(self, plan: CachePlan, sent: Sent, usage: Usage) -> None:
        """What the model caches at least, by what came of a request with marks."""
        cached = usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
        marked = sent.total if plan.history is not _N else sent.prefix if plan.prefix is not _N else 0
        if cached:
            self.least = min(self.least, cached)
        elif marked >= self.least:
            self.least = next((step for step in LADDER if step > marked), marked + 1)


@dataclass(frozen=True, slots=True)
class _Last:
    """A conversation's last call: when, how many tokens, and with which message its window began."""

    at: UnixMs
    total: int
    first: int


@dataclass(frozen=True, slots=True)
class Habits:
    """What a bot's latest calls were like, for choosing its window.

    Attributes:
        choice: the model that was called.
        least: the smallest prefix that it caches, in tokens.
        plan: what it is asked to cache.
        prefix: tokens of tools and system prompt; `message`: of a message, on average.
        hits: of 1024 turns, how many follow their conversation's last call while that is in the cache.
        calls: a turn's calls, on average, in 1024ths.
    """

    choice: ModelChoice
    least: int
    plan: CachePlan
    prefix: int
    message: int
    hits: int
    calls: int = ALL


class Traffic:
    """What bots' calls were like, and what follows for the next."""

    def __init__(self) -> None:
        self._habits: OrderedDict[tuple[str, ModelChoice], _Habit] = OrderedDict()
        self._last: OrderedDict[str, _Last] = OrderedDict()
        self._latest: OrderedDict[str, Habits] = OrderedDict()

    def plan(self, bot: Bot, request: ModelRequest, price: Price | None) -> CachePlan:
        """What to ask the provider to cache of this request; nothing where the row has no price for it."""
        if bot.prompt_cache == "off" or price is None or price.rates.cache_write_5m is None:
            return NO_CACHE
        if bot.prompt_cache != "auto":
            asked = CacheWrites(bot.prompt_cache)
            return CachePlan(asked, asked)
        habit = self._habit(bot, request.choice, price)
        prefix, size = sizes_of(request)
        total = habit.tokens_of(size)
        plan = habit.present
        if (total if plan.history is not _N else habit.tokens_of(prefix)) < habit.least:
            return NO_CACHE
        return plan

    def note(
        self,
        bot: Bot,
        conversation: str,
        request: ModelRequest,
        price: Price | None,
        usage: Usage,
        now: UnixMs,
    ) -> None:
        """A call of this bot has been answered."""
        if price is None or usage.input_tokens == 0:
            return
        habit = self._habit(bot, request.choice, price)
        prefix_size, size = sizes_of(request)
        prefix_hash = hash((request.system, prefix_size, *(tool.name for tool in request.tools)))
        total = usage.input_tokens
        last = self._last.get(conversation)
        first = hash(request.messages[0]) if request.messages else 0
        prefix = total * prefix_size // size if size else 0
        goes_on = last is not None and last.first == first and last.total <= total
        sent = Sent(
            prefix=prefix,
            total=total,
            shared=last.total if goes_on and last is not None else 0,
            prefix_gap_ms=None
            if habit.prefix_at is None or habit.prefix_hash != prefix_hash
            else max(0, now - habit.prefix_at),
            history_gap_ms=None if last is None else max(0, now - last.at),
        )
        habit.learn(sent, size, price.rates)
        habit.learn_least(request.cache, sent, usage)
        habit.prefix_hash, habit.prefix_at = prefix_hash, now
        keep_latest(self._last, conversation, _Last(now, total, first), MOST_CONVERSATIONS)
        self._describe(bot, habit, request, sent)

    def habits(self, bot: str) -> Habits | None:
        """What the bot's latest calls were like; None: it made none yet."""
        return self._latest.get(bot)

    def charges(self, bot: str, choice: ModelChoice) -> dict[CachePlan, int]:
        """What the bot's latest calls would have cost under each plan: only their ratios mean something."""
        habit = self._habits.get((bot, choice))
        return {} if habit is None else dict(habit.charges)

    def _habit(self, bot: Bot, choice: ModelChoice, price: Price) -> _Habit:
        key = (bot.id, choice)
        habit = self._habits.get(key)
        if habit is None:
            habit = _Habit(price.limits.min_cacheable_tokens or DEFAULT_MIN_CACHEABLE)
        keep_latest(self._habits, key, habit, MOST_BOTS)
        return habit

    def _describe(self, bot: Bot, habit: _Habit, request: ModelRequest, sent: Sent) -> None:
        """Average what the window is chosen by."""
        message = (sent.total - sent.prefix) // max(1, len(request.messages))
        plan = habit.present
        begins = not request.messages or isinstance(request.messages[-1], UserMessage)
        hit = ALL if _lives(_M if plan.history is _N else plan.history, sent.history_gap_ms) else 0
        was = self._latest.get(bot.id)
        if was is None or was.choice != request.choice:
            hits, calls = ALL * PRIOR_HITS // (PRIOR_HITS + PRIOR_MISSES), ALL
        else:
            hits = was.hits + (hit - was.hits) // SMOOTHING if begins else was.hits
            firsts = ALL * ALL // was.calls
            firsts += ((ALL if begins else 0) - firsts) // SMOOTHING
            calls = ALL * ALL // max(firsts, ALL // MOST_CALLS)
            message = was.message + (message - was.message) // SMOOTHING
        now = Habits(request.choice, habit.least, plan, sent.prefix, message, hits, calls)
        keep_latest(self._latest, bot.id, now, MOST_BOTS)


def sizes_of(request: ModelRequest) -> tuple[int, int]:
    """How many characters tools and system prompt have, and all of the request."""
    prefix = len(request.system)
    prefix += sum(
        len(tool.name) + len(tool.description) + len(str(tool.parameters)) for tool in request.tools
    )
    return prefix, prefix + sum(map(_chars, request.messages))


def _chars(message: Message) -> int:
    match message:
        case UserMessage():
            return len(message.text)
        case AssistantMessage():
            return len(message.text) + sum(
                len(call.name) + len(call.arguments) for call in message.tool_calls
            )
        case ToolMessage():
            return sum(len(result.text) for result in message.results)
