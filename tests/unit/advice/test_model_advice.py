"""Cheaper models: the same tokens at other prices, reckoned by hand."""

from dataclasses import replace
from typing import Any

import pytest

from runner.advice.counsel import Kind
from runner.advice.models import Used, model_advice
from runner.bots import Bot, ModelChoice
from runner.config.price_books import load_book
from runner.money.amounts import Money, from_usd
from runner.money.prices import ANY_PROVIDER, ModelLimits, Price, PriceBook, Rates
from runner.money.usage import Usage
from tests.unit.advice.writing import after, read_bot

USD = 10**12
SUPPORT = {
    "platform": "custom",
    "llm_provider": "anthropic",
    "llm_model": "claude-opus-4-6",
    "spending_cap_cents": 500,
}
OPUS, SONNET, HAIKU = "claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5"


def price(model: str, dollars: int, provider: str = "anthropic", **others: Any) -> Price:
    limits = others.pop("limits", ModelLimits())
    rates = Rates(dollars * USD, dollars * 5 * USD, cache_read=dollars * USD // 10)
    return Price(model, provider, rates, limits=limits, **others)


def a_book(*rows: Price) -> PriceBook:
    return PriceBook("test", {(row.provider, row.model): row for row in rows})


BOOK = a_book(
    price(OPUS, 5, batch_percent=50),
    price("a-little-cheaper", 5 - 1),
    price(SONNET, 3, batch_percent=50),
    price(HAIKU, 1),
    price("elsewhere", 1, "openai"),
    price("free", 0),
    price("mine", 1, ANY_PROVIDER),
    price("hears", 1, limits=ModelLimits(min_audio_seconds=1)),
    price("tiny", 1, limits=ModelLimits(context_tokens=100)),
)
MILLION = Usage(1_000_000, 100_000)
"""Of opus 7.50 USD, of sonnet 4.50, of haiku 1.50."""


def used(usage: Usage = MILLION, cost: str = "7.5", **others: Any) -> Used:
    plain = Used(ModelChoice("anthropic", OPUS), "chat", "", "default", 1000, from_usd(cost), usage)
    return replace(plain, **others)


def saved(bot: Bot, *uses: Used, book: PriceBook = BOOK) -> list[tuple[str, str, str]]:
    spent = Money(sum(one.cost for one in uses))
    return [
        (one.write, str((one.saved or 0) * 100 // USD), one.where)
        for one in model_advice(bot, uses, book, spent)
    ]


def test_the_nearest_that_is_clearly_cheaper_and_the_cheapest() -> None:
    assert saved(read_bot(SUPPORT), used()) == [
        (f"llm_model: {SONNET}", "300", "bots.support"),
        (f"llm_model: {HAIKU}", "600", "bots.support"),
    ]


def test_what_was_cached_is_repriced_as_cached() -> None:
    usage = Usage(1_000_000, cache_read_tokens=1_000_000)
    assert [one[1] for one in saved(read_bot(SUPPORT), used(usage, "0.5"))] == ["20", "40"]


def test_a_batch_is_repriced_as_a_batch_where_the_model_has_them() -> None:
    batch = used(cost="3.75", feature="batch")
    # Sonnet at half price is 2.25; haiku has no batches: 1.50.
    assert [one[1] for one in saved(read_bot(SUPPORT), batch)] == ["150", "225"]


def test_no_more_is_claimed_than_was_paid() -> None:
    assert [one[1] for one in saved(read_bot(SUPPORT), used(cost="5"))] == ["350"]
    assert saved(read_bot(SUPPORT), used(cost="1")) == []


def test_only_calls_of_the_bots_model_that_were_made_count() -> None:
    other = used(choice=ModelChoice("openai", "gone"))
    kept = used(Usage(), "0", route="cache")
    assert saved(read_bot(SUPPORT), other, kept) == []
    assert saved(read_bot(SUPPORT)) == []


def test_what_is_hardly_anything_is_not_told() -> None:
    little = used(Usage(10_000, 1_000), "0.075")
    much = used(choice=ModelChoice("openai", "gone"), cost="500")
    assert saved(read_bot(SUPPORT), little, much) == []


def test_a_model_without_a_price_is_not_compared() -> None:
    bot = read_bot({**SUPPORT, "spending_cap_cents": None})
    assert saved(bot, used(), book=a_book(price(HAIKU, 1))) == []


def test_what_is_known_to_be_different_is_said() -> None:
    book = a_book(
        price(OPUS, 5, limits=ModelLimits(image_tokens=10)), price(HAIKU, 1, limits=ModelLimits(thinks=True))
    )
    [one] = model_advice(read_bot(SUPPORT), [used()], book, from_usd("7.5"))
    assert f"{HAIKU} (takes no pictures; thinks, so writes more) in place of {OPUS}" in one.what
    assert "quality is not measured" in one.what
    assert one.evidence == "1,000 calls with 1,100,000 tokens cost 7.50 USD, at its prices 1.50 USD"
    assert (one.calls, one.tokens, one.estimate) == (1000, 1_100_000, False)


def test_each_tier_has_its_own_advice() -> None:
    routing = {"tiers": {"small": f"anthropic/{HAIKU}", "strong": f"anthropic/{OPUS}"}, "default": "small"}
    bot = read_bot({**SUPPORT, "routing": routing})
    small = used(cost="1.5", choice=ModelChoice("anthropic", HAIKU))
    assert saved(bot, used(), small) == [
        (f"strong: anthropic/{SONNET}", "300", "bots.support.routing.tiers"),
        (f"strong: anthropic/{HAIKU}", "600", "bots.support.routing.tiers"),
    ]


def test_a_free_tier_costs_nothing_already() -> None:
    bot = read_bot(SUPPORT)
    routed = read_bot({**SUPPORT, "routing": {"tiers": {"a": f"anthropic/{OPUS}"}, "default": "a"}})
    assert routed.routing is not None
    free = replace(routed.routing, tiers=tuple(replace(tier, free=True) for tier in routed.routing.tiers))
    assert saved(replace(bot, routing=free), used()) == []


def tasks(bot: Bot, *uses: Used) -> list[tuple[str, str, int | None]]:
    spent = Money(sum(one.cost for one in uses))
    return [
        (one.where, one.write, one.saved)
        for one in model_advice(bot, uses, BOOK, spent)
        if one.kind is Kind.TASK
    ]


def test_a_task_of_its_own_gets_a_tier_of_its_own() -> None:
    faq = used(Usage(500_000, 50_000), "3.75", task="faq")
    [(where, write, gain)] = tasks(read_bot(SUPPORT), used(), faq)
    assert (where, gain) == ("bots.support", from_usd("1.5"))
    assert write == (
        f"routing: {{tiers: {{small: anthropic/{SONNET}, standard: anthropic/{OPUS}}}, default: standard, "
        "tasks: {faq: small}}"
    )


def test_a_task_that_is_all_there_is_is_the_models_own_advice() -> None:
    assert tasks(read_bot(SUPPORT), used(task="faq")) == []


def test_a_task_without_a_tier_goes_to_one_that_is_there() -> None:
    tiers = {"small": f"anthropic/{HAIKU}", "middle": f"anthropic/{SONNET}", "standard": f"anthropic/{OPUS}"}
    routing = {"tiers": tiers, "tasks": {"refund": "standard"}}
    bot = read_bot({**SUPPORT, "routing": routing})
    faq, refund = used(task="faq"), used(task="refund")
    assert tasks(bot, faq, refund) == [("bots.support.routing.tasks", "faq: middle", from_usd("3"))]
    assert tasks(bot, used(cost="0", task="faq"), refund) == []


def test_the_first_task_of_tiers_brings_the_tasks_with_it() -> None:
    tiers = {"small": f"anthropic/{HAIKU}", "standard": f"anthropic/{OPUS}"}
    bot = read_bot({**SUPPORT, "routing": {"tiers": tiers}})
    assert tasks(bot, used(task="faq"), used()) == [
        ("bots.support.routing", "tasks: {faq: small}", from_usd("6"))
    ]


def test_a_task_of_the_cheapest_tier_is_left_alone() -> None:
    bot = read_bot({**SUPPORT, "routing": {"tiers": {"small": f"anthropic/{HAIKU}"}}})
    cheap = used(choice=ModelChoice("anthropic", HAIKU), cost="1.5")
    assert tasks(bot, replace(cheap, task="faq"), cheap) == []


@pytest.mark.parametrize(
    "routing",
    [
        None,
        {
            "tiers": {"small": f"anthropic/{HAIKU}", "standard": f"anthropic/{OPUS}"},
            "tasks": {"refund": "standard"},
        },
    ],
)
def test_each_line_does_what_it_says(routing: dict[str, Any] | None) -> None:
    """In the real price book, written into the file and read again."""
    fields = {**SUPPORT, **({"routing": routing} if routing else {})}
    bot, book = read_bot(fields), load_book("default")
    uses = [used(), used(task="faq")]
    told = model_advice(bot, uses, book, from_usd("15"))
    assert {one.kind for one in told} == {Kind.MODEL, Kind.TASK}
    for one in told:
        then = after(fields, one)
        assert then != bot, one
        if one.kind is Kind.TASK:
            assert then.routing is not None
            tier = then.routing.tier(then.routing.tasks["faq"])
            assert tier is not None
            assert tier.choice.model in f"{one.what} {one.write}"
        elif then.routing is None:
            assert one.write == f"llm_model: {then.choice.model}"
