"""What bots.yaml says of money: what does not fit together is told, with what would mend it."""

import pytest

from runner.config.loader import parse
from runner.config.problems import Problems
from runner.config.secrets import Sources
from runner.config.settings import Loaded

ENVIRON = {"HOME": "/home/op", "OPENAI_API_KEY": "key-o", "OWN": "key-own", "HOOK": "hush://alert-me"}
BOT = "bots:\n  b:\n    platform: custom\n    llm_provider: echo\n    llm_model: echo\n"
"""A good bot; whatever a test adds to it starts in line 6."""
UNPRICED = (
    "providers: {house: {kind: openai, base_url: 'http://h'}}\n"
    "bots:\n  b:\n    platform: custom\n    llm_provider: house\n    llm_model: my-model\n"
)
ROW = 'prices:\n  my-model: {input: "0.1", output: "0.2"}\n'


def found(text: str) -> list[str]:
    result = parse(text, "bots.yaml", Sources(ENVIRON))
    return str(result).splitlines() if isinstance(result, Problems) else []


def warned(text: str) -> list[str]:
    result = parse(text, "bots.yaml", Sources(ENVIRON))
    assert isinstance(result, Loaded), str(result)
    return [str(warning) for warning in result.warnings]


@pytest.mark.parametrize(
    ("caps", "problem"),
    [
        ("[a]", "caps: must be a mapping (name: value)"),
        ("{usr: {cents: 1}}", "caps.usr: unknown field, did you mean user?"),
        ("{user: 5}", "caps.user: must be a mapping (name: value)"),
        ("{user: {}}", "caps.user: must name a limit: cents, day_cents or month_cents"),
        ("{bot: {}}", "caps.bot: must name a limit: day_cents or month_cents"),
        (
            "{bot: {cents: 5}}",
            "caps.bot: what a bot may ever spend is its spending_cap_cents: write it there",
        ),
        ("{message: {}}", "caps.message.cents: required"),
        ("{message: {day_cents: 1, cents: 1}}", "caps.message.day_cents: unknown field, did you mean cents?"),
        ("{team: {mont_cents: 1}}", "caps.team.mont_cents: unknown field, did you mean month_cents?"),
        ("{user: {exept: {a: null}}}", "caps.user.exept: unknown field, did you mean except?"),
        ("{user: {cents: 0.5}}", "caps.user.cents: must be a whole number from 0 to 900000000"),
        (
            "{user: {cents: 1, except: {'42': {dy_cents: 1}}}}",
            "caps.user.except.42.dy_cents: unknown field, did you mean day_cents?",
        ),
        (
            "{user: {cents: 1, except: {'42': {day_cents: -1}}}}",
            "caps.user.except.42.day_cents: must be a whole number from 0 to 900000000",
        ),
        (
            "{user: {cents: 1, except: {'42': {}}}}",
            "caps.user.except.42: must name a limit: cents, day_cents or month_cents",
        ),
        ("{conversation: {except: {a: null}}}", "caps.conversation.except: unknown field"),
    ],
)
def test_a_faulty_cap(caps: str, problem: str) -> None:
    assert found(f"{BOT}    caps: {caps}\n") == [f"bots.yaml:6: bots.b.{problem}"]


@pytest.mark.parametrize(
    ("top", "fields", "problem"),
    [
        ("", "billing_mode: plan_quota", "billing_mode: plan_quota needs a plan; define one under plans:"),
        (
            "plans: {one: {monthly_cents: 1}, two: {monthly_tokens: 1}}",
            "billing_mode: plan_quota",
            "billing_mode: plan_quota needs a plan; there are: one, two",
        ),
        (
            "plans: {gold: {monthly_cents: 1}}",
            "plan: gould",
            "plan: there is no plan 'gould' under plans:, did you mean gold?",
        ),
    ],
)
def test_a_bot_without_its_plan(top: str, fields: str, problem: str) -> None:
    assert found(f"{BOT}    {fields}\n{top}\n") == [f"bots.yaml:6: bots.b.{problem}"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("plans: {p: {}}", "plans.p: limits nothing: a plan names monthly_tokens, monthly_cents or both"),
        ("wallet: {soft_limit_cents: x}", "wallet.soft_limit_cents: must be a whole number from"),
        (
            "wallet: {hard_limit_cents: -5, soft_limit_cents: -5}",
            "wallet.soft_limit_cents: must be above hard_limit_cents (-5)",
        ),
        ("wallet: {soft_limit_cents: 0}", "wallet.soft_limit_cents: must be above hard_limit_cents (0)"),
        (
            "alerts: {webhook: '${HOOK}'}",
            "alerts.webhook: must be a URL that starts with http:// or https://",
        ),
        ("alerts: {webhok: x}", "alerts.webhok: unknown field, did you mean webhook?"),
    ],
)
def test_a_faulty_section(line: str, problem: str) -> None:
    (told,) = found(f"{BOT}{line}\n")
    assert told.startswith(f"bots.yaml:6: {problem}")
    assert "hush" not in told


def test_a_faulty_plan_is_told_once() -> None:
    (told,) = found(f"{BOT}    billing_mode: plan_quota\n    plan: p\nplans: {{p: {{monthly_cents: -1}}}}\n")
    assert told.startswith("bots.yaml:8: plans.p.monthly_cents: ")


@pytest.mark.parametrize(
    ("lines", "warning"),
    [
        (
            "    plan: p\nplans: {p: {monthly_cents: 1}}",
            "6: bots.b.plan: is not used: a plan's quota pays with billing_mode: plan_quota only",
        ),
        (
            "    billing_mode: byok\n    llm_api_key: key-plain",
            (
                "7: bots.b.llm_api_key: stands here in plain text: keep it by `botrunner secret set NAME`"
                " and write ${secret:NAME}"
            ),
        ),
        (
            "alerts: {secret: sixteen-letters-}",
            "6: alerts.secret: is not used: there is no webhook whose posts it would sign",
        ),
        (
            "alerts: {webhook: 'https://h', secret: short}",
            "6: alerts.secret: shorter than 16 characters: whoever guesses it can make alerts up",
        ),
    ],
)
def test_what_is_odd_is_warned_of(lines: str, warning: str) -> None:
    assert warned(f"{BOT}{lines}\n") == [f"bots.yaml:{warning}"]


@pytest.mark.parametrize(
    "lines",
    [
        "    billing_mode: byok\n    llm_api_key: ${OWN}",
        "alerts: {webhook: 'https://h', secret: sixteen-letters-}",
        "wallet: {hard_limit_cents: -500}",
        "    billing_mode: plan_quota\n    plan: p\nplans: {p: {monthly_cents: 0}}",
    ],
)
def test_what_is_right_is_not(lines: str) -> None:
    assert warned(f"{BOT}{lines}\n") == []


# ------------------------------------------------------------------------------ unpriced is not free


@pytest.mark.parametrize(
    ("lines", "who"),
    [
        ("    caps: {user: {day_cents: 5}}", "bot b limits what it spends"),
        ("    caps: {user: {except: {eve: {cents: 0}}}}", "bot b limits what it spends"),
        ("    caps: {team: {month_cents: 5}}", "bot b limits what it spends"),
        (
            "    billing_mode: plan_quota\n    plan: p\nplans: {p: {monthly_tokens: 9}}",
            "the plan limits what bot b spends",
        ),
        ("wallet: {}", "the wallet limits what bot b spends"),
    ],
)
def test_a_model_without_a_price_does_not_start_where_anything_limits_money(lines: str, who: str) -> None:
    told = "\n".join(found(f"{UNPRICED}{lines}\n"))
    assert told == (
        f"bots.yaml:6: bots.b.llm_model: {who}, but the model my-model of house has no price."
        " Add it, in US dollars per million tokens:\n"
        "    prices:\n"
        '      my-model: {input: "…", output: "…"}'
    )
    assert found(f"{UNPRICED}{lines}\n{ROW}") == []


@pytest.mark.parametrize(
    "lines",
    [
        "    caps: {user: {except: {boss: null}}}",
        "    billing_mode: byok\n    llm_api_key: ${OWN}\nwallet: {}",
    ],
)
def test_where_nothing_limits_money_it_starts_with_a_warning(lines: str) -> None:
    (warning,) = warned(f"{UNPRICED}{lines}\n")
    assert "has no price, so what it costs is not counted" in warning


def test_a_fallback_on_our_own_key_is_paid_by_the_wallet() -> None:
    lines = "    billing_mode: byok\n    llm_api_key: ${OWN}\n    fallbacks: [openai/gpt-99]\nwallet: {}\n"
    problems = [line for line in found(UNPRICED + lines) if line.startswith("bots.yaml")]
    assert [problem.split(": ")[1] for problem in problems] == ["bots.b.fallbacks"]
