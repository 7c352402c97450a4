"""What rows tell: limits, loops, repeats, unknown fates, caches and windows."""

from collections.abc import Iterable
from typing import Any

import pytest

from runner.advice import rows as counting
from runner.advice.counsel import Advice, Kind
from runner.advice.limits import row_advice
from runner.advice.rows import Rows, windows_of
from runner.bots import Bot, ConversationRules, Limits
from runner.conversations.window import Marks
from runner.money.amounts import Money
from runner.money.ledger import LedgerEntry
from runner.money.prices import ModelLimits, PriceBook, Rates
from runner.money.reservation import ReservationState
from runner.money.usage import NO_USAGE, Usage
from runner.testing.scenes import a_book, a_bot, a_price
from tests.unit.advice.ledgers import row

UNKNOWN = ReservationState.UNKNOWN
BOT = a_bot("support")
CACHING = a_book(
    a_price(
        Rates(100 * 10**6, 400 * 10**6, 10 * 10**6, 125 * 10**6, 200 * 10**6),
        ModelLimits(min_cacheable_tokens=1000),
    )
)


def told(rows: Iterable[LedgerEntry], bot: Bot = BOT, book: PriceBook | None = None) -> dict[Kind, Advice]:
    counted = Rows([bot], book or a_book())
    spent = 0
    for one in rows:
        counted.add(one)
        spent += one.cost
    return {one.kind: one for one in row_advice(bot, counted.of("support"), Money(spent))}


def test_a_limit_of_output_that_few_answers_meet() -> None:
    answers = [100] * 60 + [200] * 39 + [5000]
    one = told(row(at, Usage(10, tokens)) for at, tokens in enumerate(answers))[Kind.MAX_TOKENS]
    assert (one.saved, one.write) == (4 * (5000 - 256), "max_tokens_per_turn: 256")
    assert one.what == "limit answers to 256 tokens: it would have cut 1 of them"
    assert one.evidence == (
        "output tokens of 100 answers: 50 % at most 100, 95 % at most 200, 99 % at most 200, the longest 5,000; "
        "the limit is 8,192"
    )


def test_answers_that_were_cut_already_are_told() -> None:
    bot = a_bot("support", limits=Limits(max_output_tokens=600))
    rows = [row(at, Usage(10, 100)) for at in range(99)] + [row(99, Usage(10, 600), stop_reason="max_tokens")]
    assert told(rows, bot)[Kind.MAX_TOKENS].evidence.endswith("the longest 600; 1 ended at the limit of 600")


@pytest.mark.parametrize(
    ("answers", "limit"),
    [([100] * 49 + [5000], 8192), ([100] * 30 + [5000] * 30, 8192), ([100] * 99 + [5000], 256)],
)
def test_no_limit_where_little_is_known_or_many_would_meet_it(answers: list[int], limit: int) -> None:
    bot = a_bot("support", limits=Limits(max_output_tokens=limit))
    assert Kind.MAX_TOKENS not in told((row(at, Usage(10, one)) for at, one in enumerate(answers)), bot)


def looping(messages: int, long: int, calls: int, **last: Any) -> list[LedgerEntry]:
    """So many messages with two calls each, `long` of them with `calls`; `last`: of their last call."""
    rows: list[LedgerEntry] = []
    for message in range(messages):
        number = calls if message < long else 2
        for iteration in range(1, number + 1):
            more = last if iteration == calls else {}
            rows.append(row(len(rows), turn=f"t{message}", iteration=iteration, stop_reason="tools", **more))
    return rows


def test_loops_that_few_messages_need() -> None:
    one = told(looping(200, 2, 10))[Kind.LOOPS]
    assert (one.saved, one.write) == (2 * 8 * 140, "max_loop_iterations: 2")
    assert one.what == "end a message's loop after 2 model calls: it would have ended 2 messages early"
    assert one.evidence == "of 200 messages 2 took more calls than that, 2 of them met the limit of 10"


@pytest.mark.parametrize(("messages", "long", "calls"), [(200, 50, 10), (200, 0, 2), (40, 1, 10)])
def test_loops_that_are_as_they_should_be(messages: int, long: int, calls: int) -> None:
    assert Kind.LOOPS not in told(looping(messages, long, calls))


def test_loops_longer_than_the_limit_that_is_in_force_now() -> None:
    assert Kind.LOOPS not in told(looping(60, 60, 10), a_bot("support", limits=Limits(max_loop_iterations=2)))


def test_attempts_that_were_made_again() -> None:
    rows = [
        row(1, NO_USAGE, 900, turn="t", state=UNKNOWN),
        row(2, NO_USAGE, 0, turn="t", number=2, state=ReservationState.RELEASED),
        row(3, turn="t", number=3),
        row(4, turn="t", iteration=2),
        row(5, turn="t", iteration=2, feature="summary"),
    ]
    found = told(rows)
    one = found[Kind.RETRIES]
    assert (one.saved, one.write, one.where) == (900, "", "")
    assert one.evidence == "2 attempts stand at 0.0000000009 USD, settled or of unknown fate"
    assert one.run == "botrunner usage --bot support --by provider,model,day"


def test_repeats_are_remembered_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST_STEPS", 2)
    rows = [row(1, turn="t"), row(2), row(3), row(4), row(5, turn="t", number=2)]
    assert Kind.RETRIES not in told(rows)


def test_unknown_fates_until_they_are_put_right() -> None:
    rows = [row(1, NO_USAGE, 900, state=UNKNOWN), row(2, NO_USAGE, 500, state=UNKNOWN)]
    one = told(rows)[Kind.UNKNOWN]
    assert (one.saved, one.run) == (None, "botrunner ledger reconcile")
    assert "what 2 calls of unknown fate cost: 0.0000000014 USD stands" in one.what
    right = [row(3, NO_USAGE, -cost, state=UNKNOWN, corrects="a") for cost in (900, 500)]
    assert Kind.UNKNOWN not in told([*rows, *right])


def talk(gap: int, calls: int = 100, tokens: int = 1500, talks: int = 5) -> list[LedgerEntry]:
    """Conversations one after another with so many minutes between their calls, nothing cached, priced as `CACHING`."""
    rows: list[LedgerEntry] = []
    for at in range(calls):
        used = Usage(tokens + 100 * (at // talks), 10)
        rows.append(row(at * gap, used, conversation=f"c{at % talks}", cost=used.input_tokens * 100 + 4000))
    return rows


@pytest.mark.parametrize(("gap", "best"), [(1, "5m"), (20, "1h"), (70, None)])
def test_another_cache_by_how_fast_calls_follow(gap: int, best: str | None) -> None:
    bot = a_bot("support", prompt_cache="off")
    rows = talk(gap, talks=1)
    one = told(rows, bot, CACHING).get(Kind.CACHE)
    assert (one and one.write) == (best and f"prompt_cache: {best}")
    if one is not None:
        paid = sum(used.usage.input_tokens * 100 for used in rows)
        first, more = rows[0].usage.input_tokens, 99 * 100
        write = 125 if best == "5m" else 200
        read = sum(used.usage.input_tokens for used in rows[:-1])
        assert one.saved == paid - (first + more) * write - read * 10
        assert one.estimate
        assert "with off" in one.evidence


def test_the_automatic_setting_is_left_alone_unless_it_missed_much() -> None:
    read = [Usage(2000 + 100 * at, 10, 1900 + 100 * at, 100) for at in range(60)]
    good = [row(at, used, cost=used.cache_read_tokens * 10 + 12_500 + 4000) for at, used in enumerate(read)]
    assert Kind.CACHE not in told(good, BOT, CACHING)
    assert told(talk(1), BOT, CACHING)[Kind.CACHE].write == "prompt_cache: 5m"


def test_the_best_setting_is_kept() -> None:
    assert Kind.CACHE not in told(talk(1, talks=1), a_bot("support", prompt_cache="5m"), CACHING)


def test_no_cache_where_none_can_be_asked_for() -> None:
    assert Kind.CACHE not in told(talk(1), a_bot("support", prompt_cache="off"))
    assert Kind.CACHE not in told(talk(1, calls=10), a_bot("support", prompt_cache="off"), CACHING)


def test_a_smaller_window_says_what_it_costs_in_quality() -> None:
    bot = a_bot("support", prompt_cache="off")
    one = told(talk(1, calls=200, talks=2), bot, CACHING)[Kind.WINDOW]
    assert one.write == "conversation_max_messages: 10"
    assert "it forgets earlier, and quality is not measured" in one.what
    assert "20 to 40 messages about" in one.evidence
    assert one.evidence.endswith("more")
    assert one.estimate


def test_a_sliding_window_may_move_in_blocks() -> None:
    bot = a_bot("support", prompt_cache="5m", conversations=ConversationRules(context="sliding"))
    one = told(talk(1, calls=400, tokens=5000, talks=1), bot, CACHING)[Kind.WINDOW]
    assert (one.what, one.write) == ("let the window move in blocks", "context: auto")


def test_a_window_that_is_never_full_is_not_spoken_of() -> None:
    rows = [row(at, Usage(1500, 10), conversation=f"c{at}", cost=150_000) for at in range(100)]
    assert Kind.WINDOW not in told(rows, BOT, CACHING)
    assert Kind.WINDOW not in told(talk(1, calls=20), BOT, CACHING)


@pytest.mark.parametrize(
    ("rules", "windows"),
    [
        ({}, [(10, 20), (5, 10), (20, 40)]),
        ({"context": "sliding"}, [(20, 20), (10, 10), (40, 40), (10, 20)]),
        ({"max_messages": 3, "keep_messages": 1}, [(1, 3), (1, 2), (2, 6)]),
    ],
)
def test_which_windows_are_replayed(rules: dict[str, Any], windows: list[tuple[int, int]]) -> None:
    bot = a_bot(conversations=ConversationRules(**rules))
    assert windows_of(bot) == tuple(Marks(*marks) for marks in windows)


def test_what_does_not_count() -> None:
    plain = talk(1)
    others = [
        row(1, bot="another"),
        row(1, state=ReservationState.HELD, cost=5),
        row(1, NO_USAGE, 0, route="cache"),
        row(1, feature="summary"),
        row(1, NO_USAGE, 0),
        row(1, Usage(9, 9), model="unpriced"),
    ]
    counted = Rows([BOT], CACHING)
    for one in [*plain, *others]:
        counted.add(one)
    found = counted.of("support")
    assert [replay.calls for replay in found.replays.values()] == [100]
    assert found.answers.answers == 100
    assert found.iterations[1].calls == 102


def test_less_than_a_hundredth_is_not_told() -> None:
    answers = [row(at, Usage(1_000_000, 10)) for at in range(99)] + [row(99, Usage(10, 5000))]
    assert Kind.MAX_TOKENS not in told(answers)
