"""What the same tokens would have cost with cheaper models of the same provider. Pure.

Rules: tokens are repriced as they were counted, cached ones as cached, batches at the batch price; another model
counts its own, answers at another length and caches from another size on, so a figure is what the PRICES save and
nothing more. Quality is not measured, and each advice says so. Free models are left out: they answer at their
host's pleasure. Two are named at most: the nearest that is clearly cheaper, and the cheapest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runner.advice.counsel import Advice, Kind, count, scalar, usd, worth
from runner.advice.saved import BATCH_FEATURE, KEPT_ROUTE
from runner.bots import Bot, ModelChoice, Routing
from runner.money.amounts import Money, ceil_div
from runner.money.prices import TOKENS_PER_RATE, Price, PriceBook
from runner.money.savings import by_batches, by_caching
from runner.money.usage import NO_USAGE, Usage

CLEARLY = 75
"""In percent: a model counts as cheaper where the tokens cost at most that much of what they did."""


@dataclass(frozen=True, slots=True)
class Used:
    """What a bot's calls of one kind took: settled, in the days looked at."""

    choice: ModelChoice
    feature: str
    task: str
    route: str
    calls: int
    cost: Money
    usage: Usage


@dataclass(frozen=True, slots=True)
class _Pile:
    """Some of them together; `batched`: of their usage, what was asked for in batches."""

    calls: int
    cost: Money
    plain: Usage
    batched: Usage

    @classmethod
    def of(cls, used: Iterable[Used]) -> _Pile:
        """All of these, but for answers that were given again."""
        those = [one for one in used if one.route != KEPT_ROUTE]
        return cls(
            sum(one.calls for one in those),
            Money(sum(one.cost for one in those)),
            sum((one.usage for one in those if one.feature != BATCH_FEATURE), NO_USAGE),
            sum((one.usage for one in those if one.feature == BATCH_FEATURE), NO_USAGE),
        )

    @property
    def tokens(self) -> int:
        """All tokens."""
        return self.plain.total_tokens + self.batched.total_tokens

    def at(self, price: Price) -> Money:
        """What it costs at that price, at its base rates."""
        percent = price.batch_percent
        less = 0 if percent is None else by_batches(self.batched, price.rates, percent)
        return Money(_cost(self.plain, price) + _cost(self.batched, price) - less)


@dataclass(frozen=True, slots=True)
class _Place:
    """A model's place in bots.yaml. `line`: what to write there, with `{provider}` and `{model}` in it."""

    choice: ModelChoice
    where: str
    line: str


def model_advice(bot: Bot, used: Sequence[Used], book: PriceBook, spent: Money) -> list[Advice]:
    """Cheaper models for the bot's own model, or for those of its tiers; and for each task that is declared."""
    found = []
    for place in _places(bot):
        pile = _Pile.of(one for one in used if one.choice == place.choice)
        now = book.find(place.choice.provider, place.choice.model)
        others = [] if now is None else _cheaper(pile, now, _beside(now, place.choice, book))
        for other, saved in dict.fromkeys((*others[:1], *others[-1:])):
            if now is not None and worth(saved, spent):
                line = place.line.format(
                    provider=place.choice.provider, model=other.model, scalar=scalar(other.model)
                )
                what = f"answer with {other.model}{_but(other, now)} in place of {now.model}"
                found.append(_advice(Kind.MODEL, bot.id, what, pile, saved, (place.where, line)))
    return found + _task_advice(bot, used, book, spent)


def _places(bot: Bot) -> list[_Place]:
    if bot.routing is None:
        return [_Place(bot.choice, f"bots.{bot.id}", "llm_model: {scalar}")]
    where = f"bots.{bot.id}.routing.tiers"
    return [
        _Place(tier.choice, where, f"{scalar(tier.name)}: {{provider}}/{{model}}")
        for tier in bot.routing.tiers
        if not tier.free
    ]


def _task_advice(bot: Bot, used: Sequence[Used], book: PriceBook, spent: Money) -> list[Advice]:
    """For each task by itself, where not all that was asked is of one task."""
    tasks = {one.task for one in used}
    if len(tasks) < 2:  # noqa: PLR2004 - one of them is what the model's own advice says
        return []
    found = []
    for task in sorted(tasks - {""}):
        mine = [one for one in used if one.task == task]
        better = (
            _new_tier(bot, task, mine, book)
            if bot.routing is None
            else _tier(bot.id, bot.routing, task, mine, book)
        )
        if better is not None and worth(better.saved or 0, spent):
            found.append(better)
    return found


def _new_tier(bot: Bot, task: str, used: Sequence[Used], book: PriceBook) -> Advice | None:
    """The task on a small tier of its own, where the bot has no tiers yet."""
    own = bot.choice
    pile = _Pile.of(one for one in used if one.choice == own)
    now = book.find(own.provider, own.model)
    others = [] if now is None else _cheaper(pile, now, _beside(now, own, book))
    if not others:
        return None
    other, saved = others[0]
    line = (
        f"routing: {{tiers: {{small: {own.provider}/{other.model}, standard: {own.provider}/{own.model}}}, "
        f"default: standard, tasks: {{{scalar(task)}: small}}}}"
    )
    what = f"answer the task {task} with {other.model}{'' if now is None else _but(other, now)}"
    return _advice(Kind.TASK, bot.id, what, pile, saved, (f"bots.{bot.id}", line))


def _tier(bot: str, routing: Routing, task: str, used: Sequence[Used], book: PriceBook) -> Advice | None:
    """The task on a cheaper one of the bot's tiers, where it has no tier yet."""
    default = routing.tier(routing.default)
    if task in routing.tasks or default is None:
        return None
    pile = _Pile.of(one for one in used if one.choice == default.choice)
    now = book.find(default.choice.provider, default.choice.model)
    rows = {
        tier.name: price
        for tier in routing.tiers
        if not tier.free and (price := book.find(tier.choice.provider, tier.choice.model)) is not None
    }
    others = [] if now is None else _cheaper(pile, now, list(rows.values()))
    if not others:
        return None
    other, saved = others[0]
    name = next(name for name, price in rows.items() if price is other)
    what = f"answer the task {task} with the tier {name} ({other.model})"
    where, line = f"bots.{bot}.routing", f"{scalar(task)}: {scalar(name)}"
    write = (f"{where}.tasks", line) if routing.tasks else (where, f"tasks: {{{line}}}")
    return _advice(Kind.TASK, bot, what, pile, saved, write)


def _beside(now: Price, choice: ModelChoice, book: PriceBook) -> list[Price]:
    """Rows of that provider; where the model's own row is the operator's for any provider, such rows too."""
    return [other for other in book.models() if other.provider in {choice.provider, now.provider}]


def _cheaper(pile: _Pile, now: Price, others: Iterable[Price]) -> list[tuple[Price, Money]]:
    """Those that are clearly cheaper with what each would have saved, the nearest first."""
    if not pile.calls:
        return []
    paid = min(pile.cost, pile.at(now))
    mean = (pile.plain.input_tokens + pile.batched.input_tokens) // pile.calls
    costs = [(other, pile.at(other)) for other in others if other is not now and _could(other, now, mean)]
    found = [(other, Money(paid - cost)) for other, cost in costs if cost * 100 <= paid * CLEARLY]
    return sorted(found, key=lambda one: (one[1], one[0].model))


def _could(other: Price, now: Price, input_tokens: int) -> bool:
    """Whether it could do the same work: none that writes speech down or is too small."""
    limits = other.limits
    hears = limits.min_audio_seconds is not None or now.limits.min_audio_seconds is not None
    fits = limits.context_tokens is None or input_tokens < limits.context_tokens
    return not hears and fits and not other.is_free


def _but(other: Price, now: Price) -> str:
    """What is known to be different, beside the price."""
    blind = now.limits.image_tokens is not None and other.limits.image_tokens is None
    thinks = other.limits.thinks and not now.limits.thinks
    notes = [*(["takes no pictures"] if blind else []), *(["thinks, so writes more"] if thinks else [])]
    return f" ({'; '.join(notes)})" if notes else ""


def _cost(usage: Usage, price: Price) -> int:
    rates = price.rates
    plain = usage.input_tokens * rates.input + usage.output_tokens * rates.output
    return ceil_div(plain, TOKENS_PER_RATE) - by_caching(usage, rates)


def _advice(kind: Kind, bot: str, what: str, pile: _Pile, saved: Money, write: tuple[str, str]) -> Advice:
    paid, then = usd(pile.cost), usd(Money(pile.cost - saved))
    took = f"{count(pile.calls, 'call')} with {count(pile.tokens, 'token')} cost {paid}, at its prices {then}"
    return Advice(
        kind,
        bot,
        f"{what}; quality is not measured: try it with real questions first",
        took,
        saved,
        *write,
        calls=pile.calls,
        tokens=pile.tokens,
    )
