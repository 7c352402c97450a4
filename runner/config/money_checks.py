"""Who pays for a bot, and what limits its money: plans, the wallet, its own key, and who is told.

Rules: a plan that limits nothing is a fault of the plan; what is written but changes nothing is warned of; a
bot's own key in plain text is warned of, for it belongs into the encrypted store.
"""

from __future__ import annotations

from runner.config.caps import to_caps
from runner.config.drafts import Draft
from runner.config.findings import Findings
from runner.config.models import FileSection
from runner.config.problems import did_you_mean

_SHORTEST_ALERT_SECRET = 16


def check_money(file: FileSection, findings: Findings) -> None:
    """What the file says of money apart from its bots."""
    for name, plan in file.plans.items():
        if plan.monthly_tokens is None and plan.monthly_cents is None:
            message = "limits nothing: a plan names monthly_tokens, monthly_cents or both"
            findings.problem(("plans", name), message)
    wallet = file.wallet
    soft = None if wallet is None else wallet.soft_limit_cents
    if wallet is not None and soft is not None and soft <= wallet.hard_limit_cents:
        message = f"must be above hard_limit_cents ({wallet.hard_limit_cents}): it is the earlier warning"
        findings.problem(("wallet", "soft_limit_cents"), message)
    _check_alerts(file, findings)


def check_billing(draft: Draft, file: FileSection, findings: Findings) -> None:
    """The bot's way of paying has what it needs."""
    mode = draft.section.billing_mode
    key = draft.section.llm_api_key
    if mode == "byok":
        if key is None and draft.sure("llm_api_key"):
            message = "byok needs the bot's own llm_api_key"
            findings.problem(draft.place("billing_mode"), message, at=draft.line("billing_mode", findings))
        elif key is not None and findings.shown(key.get_secret_value()) == key.get_secret_value():
            message = (
                "stands here in plain text: keep it by `botrunner secret set NAME` and write ${secret:NAME}"
            )
            findings.warn(draft.place("llm_api_key"), message, at=draft.line("llm_api_key", findings))
    elif key is not None and draft.sure("billing_mode"):
        message = "is not used: a bot's own key is used with billing_mode: byok only"
        findings.warn(draft.place("llm_api_key"), message, at=draft.line("llm_api_key", findings))
    _check_plan(draft, file, findings)


def limiter(draft: Draft, provider: str, file: FileSection) -> str | None:
    """What limits the money of the bot's calls to that provider, as the begin of a sentence; None: nothing."""
    section = draft.section
    cents = (section.spending_cap_cents, section.max_cost_cents_per_message)
    if any(limit is not None for limit in cents) or to_caps(section.caps):
        return f"bot {draft.id} limits what it spends"
    if section.billing_mode == "byok" and provider == draft.main.provider:
        return None
    if section.billing_mode == "plan_quota":
        return f"the plan limits what bot {draft.id} spends"
    return None if file.wallet is None else f"the wallet limits what bot {draft.id} spends"


def _check_plan(draft: Draft, file: FileSection, findings: Findings) -> None:
    section = draft.section
    name, at = section.plan, draft.line("plan", findings)
    if name is None:
        if section.billing_mode == "plan_quota" and draft.sure("plan", "billing_mode"):
            known = f"there are: {', '.join(file.plans)}" if file.plans else "define one under plans:"
            message = f"plan_quota needs a plan; {known}"
            findings.problem(draft.place("billing_mode"), message, at=draft.line("billing_mode", findings))
    elif name not in file.plans:
        if ("plans", name) not in findings.document.lines:
            guess = did_you_mean(name, file.plans)
            message = f"there is no plan {findings.shown(name)!r} under plans:{guess}"
            findings.problem(draft.place("plan"), message, at=at)
    elif section.billing_mode != "plan_quota" and draft.sure("billing_mode"):
        message = "is not used: a plan's quota pays with billing_mode: plan_quota only"
        findings.warn(draft.place("plan"), message, at=at)


def _check_alerts(file: FileSection, findings: Findings) -> None:
    webhook, secret = file.alerts.webhook, file.alerts.secret
    url = "" if webhook is None else webhook.get_secret_value()
    signing = "" if secret is None else secret.get_secret_value()
    if webhook is not None and not url.startswith(("http://", "https://")):
        message = "must be a URL that starts with http:// or https://"
        findings.problem(("alerts", "webhook"), message)
    if webhook is None and secret is not None:
        findings.warn(("alerts", "secret"), "is not used: there is no webhook whose posts it would sign")
    elif secret is not None and len(signing) < _SHORTEST_ALERT_SECRET:
        message = f"shorter than {_SHORTEST_ALERT_SECRET} characters: whoever guesses it can make alerts up"
        findings.warn(("alerts", "secret"), message)
