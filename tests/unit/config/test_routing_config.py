"""`routing:`, `response_cache:`, `task:` and their like in bots.yaml: what they become, and what is wrong with them."""

import pytest

from runner.bots import (
    Classifier,
    Escalation,
    ModelChoice,
    ResponseCache,
    RouteRule,
    Routing,
    Signal,
    Tier,
)
from runner.config.loader import parse
from runner.config.problems import Problems
from runner.config.reload import difference
from runner.config.secrets import Sources
from runner.config.settings import Loaded

ENVIRON = {"HOME": "/home/op", "OPENAI_API_KEY": "key-o"}
HEAD = "bots:\n  b:\n    platform: custom\n"
ECHO = f"{HEAD}    llm_provider: echo\n    llm_model: echo\n"
FREE = "meta-llama/llama-3.3-70b-instruct:free"
GOOD = f"""{HEAD}    routing:
      tiers:
        free: {{model: "openrouter/{FREE}", free: true}}
        small: openai/gpt-4o-mini
        strong: {{model: openai/gpt-4o}}
      tasks: {{faq: free}}
      rules:
        - {{keywords: [refund], min_chars: 5, tier: strong}}
        - {{users: [4711, ann], task: chat, tasks: [talk], tier: small}}
        - {{label: hard, labels: [odd], max_chars: 90, tier: strong}}
      classifier: {{prompt: How hard is it?, labels: [easy, hard, odd]}}
      escalate: {{to: strong, keywords: [wrong]}}
"""
"""Whose `rules` begin in line 10."""


def read(text: str, **environ: str) -> Loaded | Problems:
    return parse(text, "bots.yaml", Sources(ENVIRON | {"OPENROUTER_API_KEY": "key-r"} | environ))


def loaded(text: str) -> Loaded:
    result = read(text)
    assert isinstance(result, Loaded), str(result)
    return result


def found(text: str) -> list[str]:
    result = read(text)
    return str(result).splitlines() if isinstance(result, Problems) else []


def routed(text: str) -> Routing:
    routing = loaded(text).settings.bots[0].routing
    assert routing is not None
    return routing


def test_what_routing_becomes() -> None:
    result = loaded(GOOD)
    [bot] = result.settings.bots
    small, strong = ModelChoice("openai", "gpt-4o-mini"), ModelChoice("openai", "gpt-4o")
    assert bot.routing == Routing(
        tiers=(
            Tier("free", ModelChoice("openrouter", FREE), free=True),
            Tier("small", small),
            Tier("strong", strong),
        ),
        default="small",
        tasks={"faq": "free"},
        rules=(
            RouteRule("strong", keywords=("refund",), min_chars=5),
            RouteRule("small", users=frozenset({"4711", "ann"}), tasks=frozenset({"chat", "talk"})),
            RouteRule("strong", labels=frozenset({"hard", "odd"}), max_chars=90),
        ),
        classifier=Classifier("How hard is it?", ("easy", "hard", "odd"), "small"),
        sticky=True,
        escalation=Escalation("strong", frozenset(Signal), ("wrong",)),
    )
    assert (bot.choice, bot.cheap, result.warnings) == (small, small, ())
    assert sorted(result.settings.providers) == ["openai", "openrouter"]


@pytest.mark.parametrize(
    ("tiers", "default"),
    [
        ("{small: openai/gpt-4o-mini, standard: openai/gpt-4o}", "standard"),
        (f'{{f: {{model: "openrouter/{FREE}", free: true}}, b: openai/gpt-4o}}', "b"),
        (f'{{f: {{model: "openrouter/{FREE}", free: true}}}}', "f"),
    ],
)
def test_the_default_tier_where_none_is_named(tiers: str, default: str) -> None:
    assert routed(f"{HEAD}    routing: {{tiers: {tiers}}}\n").default == default


@pytest.mark.parametrize("value", ["off", "false", "null"])
def test_one_line_turns_the_defaults_routing_off(value: str) -> None:
    shared = (
        "defaults: {routing: {tiers: {small: openai/gpt-4o-mini}}, llm_provider: echo, llm_model: echo}\n"
    )
    assert loaded(f"{shared}{HEAD}").settings.bots[0].routing is not None
    [bot] = loaded(f"{shared}{HEAD}    routing: {value}\n").settings.bots
    assert (bot.routing, bot.choice) == (None, ModelChoice("echo", "echo"))


def test_defaults_are_merged_line_by_line() -> None:
    shared = "defaults: {routing: {tiers: {a: openai/gpt-4o-mini, b: openai/gpt-4o}, tasks: {faq: a}, sticky: false}}\n"
    routing = routed(f"{shared}{HEAD}    routing: {{default: b, sticky: true}}\n")
    assert (routing.default, routing.sticky, dict(routing.tasks)) == ("b", True, {"faq": "a"})


@pytest.mark.parametrize(
    ("line", "terms"),
    [
        ("true", ResponseCache(86_400_000)),
        ("{}", ResponseCache(86_400_000)),
        ("{ttl_minutes: 60}", ResponseCache(3_600_000)),
        ("{ttl_hours: 0.5}", ResponseCache(1_800_000)),
        ("false", None),
        ("off", None),
    ],
)
def test_how_long_answers_are_kept(line: str, terms: ResponseCache | None) -> None:
    assert loaded(f"{ECHO}    response_cache: {line}\n").settings.bots[0].response_cache == terms


def test_the_other_savings() -> None:
    [bot] = loaded(f"{ECHO}    task: faq\n    summarize: true\n    context: sliding\n").settings.bots
    assert (bot.task, bot.conversations.summarize, bot.conversations.context) == ("faq", True, "sliding")
    [plain] = loaded(ECHO).settings.bots
    assert (plain.task, plain.conversations.summarize, plain.conversations.context) == ("", False, "auto")
    assert (plain.routing, plain.response_cache) == (None, None)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "openai/gpt-4o-mini",
            "gpt-4o-mini",
            "7: bots.b.routing.tiers.small: must be provider/model, such as",
        ),
        (
            "model: openai/gpt-4o}",
            "modle: x}",
            "8: bots.b.routing.tiers.strong.modle: unknown field, did you mean mod",
        ),
        (
            "openai/gpt-4o-mini",
            "opnai/m",
            "7: bots.b.routing.tiers.small: unknown provider 'opnai', did you mean",
        ),
        ("openai/gpt-4o-mini", "groq/m", "7: bots.b.routing.tiers.small: bot b needs a key for groq"),
        (
            "faq: free",
            "faq: fre",
            "9: bots.b.routing.tasks.faq: there is no tier 'fre' under tiers:, did you",
        ),
        (
            "faq: free",
            "F Q: free",
            "9: bots.b.routing.tasks.F Q: a task's name is 1 to 64 of a-z, 0-9, _ and -",
        ),
        (
            "5, tier: strong",
            "5, tier: best",
            "11: bots.b.routing.rules[0].tier: there is no tier 'best' under tiers:; there are: free, small, strong",
        ),
        (
            "min_chars: 5",
            "min_char: 5",
            "11: bots.b.routing.rules[0].min_char: unknown field, did you mean min_chars?",
        ),
        ("[refund], min_chars: 5", "[]", "11: bots.b.routing.rules[0].keywords: must not be empty"),
        (
            "keywords: [refund], min_chars: 5, ",
            "",
            "11: bots.b.routing.rules[0]: says nothing of when it holds",
        ),
        (
            "label: hard",
            "label: hrad",
            "13: bots.b.routing.rules[2]: the label 'hrad' is none of classifier.labels, did you mean hard?",
        ),
        (
            "[easy, hard, odd]",
            "[easy, hard, odd, HARD]",
            "14: bots.b.routing.classifier.labels: names a label twice",
        ),
        (
            "[easy, hard, odd]",
            "[easy, hard, odd], tier: s",
            "14: bots.b.routing.classifier.tier: there is no tier 's'",
        ),
        (
            "to: strong",
            "to: strogn",
            "15: bots.b.routing.escalate.to: there is no tier 'strogn' under tiers:, did you mean strong?",
        ),
        (
            "keywords: [wrong]",
            "on: [refusl]",
            (
                "15: bots.b.routing.escalate.on[0]: must be failing_tools, loop_limit, output_limit, refusal,"
                " repeated_question or keywords, did you mean refusal?"
            ),
        ),
        (
            "keywords: [wrong]",
            "on: [keywords]",
            "15: bots.b.routing.escalate: names the signal keywords, but no keywords",
        ),
        (
            "tiers:\n",
            "default: smal\n      tiers:\n",
            "5: bots.b.routing.default: there is no tier 'smal' under tiers:, did you mean small?",
        ),
        (
            "free: {model",
            "cache: {model",
            "6: bots.b.routing.tiers.cache: a tier cannot be called default, fallback or cache",
        ),
        ("small: openai", "Small: openai", "7: bots.b.routing.tiers.Small: a tier's name is 1 to 32 of a-z"),
        ("free: true", "free: perhaps", "6: bots.b.routing.tiers.free.free: must be true or false"),
        (FREE, "google/gemini-2.5-pro", "6: bots.b.routing.tiers.free: bot b calls it free, but the model"),
        (
            "small: openai/gpt-4o-mini",
            "small: {model: openai/gpt-4o-mini, free: true}",
            "7: bots.b.routing.tiers.small: is free: true, but the price row of gpt-4o-mini is not all zeros",
        ),
    ],
)
def test_what_is_wrong_with_it(old: str, new: str, problem: str) -> None:
    assert old in GOOD
    lines = found(GOOD.replace(old, new, 1))
    assert any(line.startswith(f"bots.yaml:{problem}") for line in lines), lines


def test_all_of_it_is_told_at_once() -> None:
    text = (
        GOOD.replace("faq: free", "faq: fre")
        .replace("label: hard", "label: hrad")
        .replace("to: strong", "to: s")
    )
    assert [line.split(":")[1] for line in found(text)] == ["9", "13", "15"]


@pytest.mark.parametrize("value", ["7", "yes", "[a]"])
def test_what_is_no_routing(value: str) -> None:
    assert found(f"{ECHO}    routing: {value}\n") == [
        "bots.yaml:6: bots.b.routing: must be a mapping (name: value)"
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("routing: {sticky: true}", "routing.tiers: required: name at least one tier, such as small: "),
        ("response_cache: 7", "response_cache: must be true or false"),
        (
            "response_cache: {ttl_minute: 7}",
            "response_cache.ttl_minute: unknown field, did you mean ttl_minutes?",
        ),
        (
            "response_cache: {ttl_minutes: 0}",
            "response_cache.ttl_minutes: must be a whole number from 1 to 43200",
        ),
        ("response_cache: {ttl_hours: 0}", "response_cache.ttl_hours: must be a number above 0, at most 720"),
        (
            "response_cache: {ttl_hours: 1, ttl_minutes: 1}",
            "response_cache: give ttl_minutes or ttl_hours, not both",
        ),
        ("task: FAQ", "task: must be at most 64 of a-z, 0-9, _ and -"),
        ("context: blocs", "context: must be auto, blocks or sliding, did you mean blocks?"),
    ],
)
def test_a_faulty_line(line: str, problem: str) -> None:
    [told] = found(f"{ECHO}    {line}\n")
    assert told.startswith(f"bots.yaml:6: bots.b.{problem}")


def test_a_tier_without_a_price_is_told_while_money_is_limited() -> None:
    text = f"{HEAD}    routing: {{tiers: {{small: openai/gpt-4o-mni}}}}\n"
    assert loaded(text).warnings[0].path == "bots.b.routing.tiers.small"
    [told, *more] = found(f"{text}    spending_cap_cents: 5\n")
    assert "bots.b.routing.tiers.small: bot b limits what it spends, but the model gpt-4o-mni" in told
    assert "Did you mean gpt-4o-mini?" in told
    assert more == ["    prices:", '      gpt-4o-mni: {input: "…", output: "…"}']


@pytest.mark.parametrize(
    ("old", "new", "warning"),
    [
        (
            "min_chars: 5",
            "min_chars: 5, max_chars: 4",
            "rules[0]: can never hold: min_chars 5 is above max_chars 4",
        ),
        (
            "labels: [odd], max_chars: 90",
            "keywords: [Refund], min_chars: 7",
            "rules[2]: can never hold: wherever it would, rule 1 holds before it",
        ),
        ("faq: free", "faq: small", "tiers.free: nobody reaches it: no rule, task or escalation names it"),
        ("to: strong", "to: free", "escalate.to: changes nothing: it is the first tier"),
        (
            "keywords: [wrong]",
            "keywords: [wrong], on: [refusal]",
            "escalate.keywords: is not used: `on` does not",
        ),
        ("label: hard, labels: [odd], ", "", "classifier: is never asked: no rule names one of its labels"),
    ],
)
def test_what_is_in_vain_is_warned_of(old: str, new: str, warning: str) -> None:
    assert old in GOOD
    warnings = loaded(GOOD.replace(old, new, 1)).warnings
    assert [str(one) for one in warnings if f"bots.b.routing.{warning}" in str(one)], warnings


def test_a_tier_behind_a_free_one_is_reached() -> None:
    text = GOOD.replace("        strong:", "        middle: openai/gpt-4o-mini\n        strong:")
    assert [w.path for w in loaded(text).warnings] == ["bots.b.routing.tiers.middle"]
    moved = GOOD.replace("        small:", "        middle: openai/gpt-4o-mini\n        small:")
    assert loaded(moved).warnings == ()


def test_a_model_beside_the_tiers_is_not_asked() -> None:
    text = GOOD.replace("    routing:", "    llm_model: claude-opus-4-6\n    routing:")
    [warning] = loaded(text).warnings
    assert str(warning) == (
        "bots.yaml:4: bots.b.llm_model: is not asked: routing decides, and its default is the tier small"
    )


def test_a_bots_own_key_is_for_the_default_tiers_provider() -> None:
    own = "    billing_mode: byok\n    llm_api_key: ${KEY}\n"
    own += "    routing: {tiers: {small: groq/llama-3.3-70b-versatile}}\n"
    result = read(f"{HEAD}{own}", KEY="secret-key")
    assert isinstance(result, Loaded), str(result)
    assert result.settings.bots[0].key_for("groq") is not None


def test_another_routing_is_another_definition_of_that_bot_only() -> None:
    other = "  c: {platform: custom, llm_provider: echo, llm_model: echo}\n"
    before = loaded(f"{GOOD}{other}").settings
    after = loaded(f"{GOOD}{other}".replace("sticky: true", "").replace("to: strong", "to: small")).settings
    changed = difference(before, after).changed
    assert [(one.bot, one.fields, one.channels) for one in changed] == [("b", ("routing",), ())]
