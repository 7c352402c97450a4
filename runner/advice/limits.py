"""What other limits, another window or another cache setting would have saved, by what rows told. Pure.

Rules: a limit is lowered to where a hundredth of the answers or messages would have met it, and the advice says how
many that are; a replay gives a ratio, taken of what the input really cost, so nothing saved is more than was paid.
With few calls nothing is said. What is bought with quality (a shorter window, a lower limit) says so.
"""

from __future__ import annotations

from collections.abc import Iterator

from runner.advice.counsel import Advice, Kind, count, usd, worth
from runner.advice.rows import BotRows
from runner.advice.shadow import SETTINGS, Replay
from runner.bots import Bot
from runner.conversations.window import Marks, plain_marks
from runner.money.amounts import Money, ceil_div
from runner.money.prices import TOKENS_PER_RATE

LEAST_CALLS = 50
RARE = 1
"""Percent."""
STEP = 256
"""Output limits are multiples of it."""
AUTO_MISSED = 10
"""Percent of the input's cost that the automatic setting must have missed, by the replay, before one is set by hand."""


def row_advice(bot: Bot, rows: BotRows, spent: Money) -> list[Advice]:
    """All that these rows say of that bot, which spent so much."""
    return [
        one
        for rule in (_cache, _window, _max_tokens, _loops, _repeats)
        for one in rule(bot, rows)
        if one.saved is not None and worth(one.saved, spent) and one.saved <= spent
    ] + list(_unknown(bot, rows))


def _cache(bot: Bot, rows: BotRows) -> Iterator[Advice]:
    """Another `prompt_cache`, for the models whose cache can be asked for."""
    replays = [one for one in rows.replays.values() if one.can_ask]
    calls, paid = sum(one.calls for one in replays), sum(one.input_paid for one in replays)
    if calls < LEAST_CALLS or not paid:
        return
    costs = {name: sum(one.by_cache[name] for one in replays) for name in SETTINGS}
    best = min(costs, key=lambda name: costs[name])
    if bot.prompt_cache == "auto":
        saved = paid - ceil_div(costs[best], TOKENS_PER_RATE)
        if saved * 100 < paid * AUTO_MISSED:
            return
    else:
        saved = _of(paid, costs[bot.prompt_cache], costs[best])
    if best == bot.prompt_cache or saved <= 0:
        return
    listed = ", ".join(f"{usd(Money(cost // TOKENS_PER_RATE))} with {name}" for name, cost in costs.items())
    yield Advice(
        Kind.CACHE,
        bot.id,
        f"have the provider cache prompts by `{best}` in place of `{bot.prompt_cache}`",
        f"the input of {count(calls, 'call')} cost {usd(Money(paid))}; by the moments of the calls it "
        f"would have been {listed}",
        Money(saved),
        f"bots.{bot.id}",
        f"prompt_cache: {best}",
        estimate=True,
        calls=calls,
        tokens=sum(one.input_tokens for one in replays),
    )


def _window(bot: Bot, rows: BotRows) -> Iterator[Advice]:
    """Another window: the cheapest of those that were replayed."""
    replays = list(rows.replays.values())
    calls, paid = sum(one.calls for one in replays), sum(one.input_paid for one in replays)
    own = plain_marks(bot.conversations)
    costs = _by_window(replays)
    if calls < LEAST_CALLS or not costs.get(own):
        return
    saved = {marks: _of(paid, costs[own], cost) for marks, cost in costs.items() if marks != own}
    best = max(saved, key=lambda marks: saved[marks])
    others = ", ".join(
        f"{_named(marks)} about {usd(Money(abs(by)))} {'less' if by >= 0 else 'more'}"
        for marks, by in saved.items()
    )
    blocks = best.high == own.high
    forgets = "; it forgets earlier, and quality is not measured" if best.high < own.high else ""
    yield Advice(
        Kind.WINDOW,
        bot.id,
        "let the window move in blocks" if blocks else f"let the model see {best.high} messages{forgets}",
        f"the input of {count(calls, 'call')} cost {usd(Money(paid))} with {own.high} messages; {others}",
        Money(saved[best]),
        f"bots.{bot.id}",
        "context: auto" if blocks else f"conversation_max_messages: {best.high}",
        estimate=True,
        calls=calls,
        tokens=sum(one.input_tokens for one in replays),
    )


def _by_window(replays: list[Replay]) -> dict[Marks, int]:
    found: dict[Marks, int] = {}
    for replay in replays:
        for marks, cost in replay.by_window.items():
            found[marks] = found.get(marks, 0) + cost
    return found


def _max_tokens(bot: Bot, rows: BotRows) -> Iterator[Advice]:
    """A lower `max_tokens_per_turn`, where few answers are far longer than the rest."""
    answers, now = rows.answers, bot.limits.max_output_tokens
    limit = max(STEP, ceil_div(answers.percentile(100 - RARE), STEP) * STEP)
    if answers.answers < LEAST_CALLS or limit >= now:
        return
    cut, beyond = answers.above(limit)
    at = ", ".join(f"{percent} % at most {answers.percentile(percent):,}" for percent in (50, 95, 99))
    was = f"; {rows.cut:,} ended at the limit of {now:,}" if rows.cut else f"; the limit is {now:,}"
    yield Advice(
        Kind.MAX_TOKENS,
        bot.id,
        f"limit answers to {limit:,} tokens: it would have cut {count(cut, 'of them', 'of them')}",
        f"output tokens of {count(answers.answers, 'answer')}: {at}, the longest {answers.largest:,}{was}",
        Money(beyond // TOKENS_PER_RATE),
        f"bots.{bot.id}",
        f"max_tokens_per_turn: {limit}",
        calls=answers.answers,
    )


def _loops(bot: Bot, rows: BotRows) -> Iterator[Advice]:
    """A lower `max_loop_iterations`, where few messages take many calls."""
    turns = {number: tally.calls for number, tally in rows.iterations.items()}
    messages, now = turns.get(1, 0), bot.limits.max_loop_iterations
    few = (number for number in range(1, now) if turns.get(number + 1, 0) * 100 <= messages * RARE)
    rare = next(few, now)
    beyond = [tally for number, tally in rows.iterations.items() if number > rare]
    if messages < LEAST_CALLS or rare >= now or not beyond:
        return
    ended = f", {rows.at_limit:,} of them met the limit of {now}" if rows.at_limit else ""
    yield Advice(
        Kind.LOOPS,
        bot.id,
        f"end a message's loop after {count(rare, 'model call')}: it would have ended "
        f"{count(turns.get(rare + 1, 0), 'message')} early",
        f"of {count(messages, 'message')} {turns.get(rare + 1, 0):,} took more calls than that{ended}",
        Money(sum(tally.cost for tally in beyond)),
        f"bots.{bot.id}",
        f"max_loop_iterations: {rare}",
        calls=sum(tally.calls for tally in beyond),
    )


def _repeats(bot: Bot, rows: BotRows) -> Iterator[Advice]:
    """What attempts cost that had to be made again."""
    if rows.repeated.cost > 0:
        yield Advice(
            Kind.RETRIES,
            bot.id,
            "see which model fails and when: attempts that were made again have cost money",
            f"{count(rows.repeated.calls, 'attempt')} stand at {usd(rows.repeated.cost)}, settled or of unknown fate",
            rows.repeated.cost,
            run=f"botrunner usage --bot {bot.id} --by provider,model,day",
            calls=rows.repeated.calls,
        )


def _unknown(bot: Bot, rows: BotRows) -> Iterator[Advice]:
    """Money that may not have been charged."""
    if rows.unknown.cost > 0:
        yield Advice(
            Kind.UNKNOWN,
            bot.id,
            f"put right what {count(rows.unknown.calls, 'call')} of unknown fate cost: {usd(rows.unknown.cost)} "
            "stands against its limits",
            "the provider's bill says whether they were charged",
            run="botrunner ledger reconcile",
            calls=rows.unknown.calls,
        )


def _of(paid: int, base: int, other: int) -> int:
    """What of `paid` another setting saves, by the ratio of two replays; below 0 where it costs more."""
    return paid * (base - other) // base if base else 0


def _named(marks: Marks) -> str:
    return f"{marks.high} messages" if marks.low == marks.high else f"{marks.low} to {marks.high} messages"
