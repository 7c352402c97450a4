"""An alert as its webhook gets it. Pure.

    {"id": "alert-17", "type": "limit", "scope": "bot:support", "percent": 80, "unit": "USD", "limit": "5.00",
     "gone": "4.10", "at": "2026-11-22T10:00:00Z", "text": "support has used 80 % of 5.00 USD (4.10 USD)."}

    {"id": "alert-18", "type": "handoff", "scope": "handoff:support/ht12.ask", "bot": "support", "handoff": "ht12.ask",
     "at": "2026-11-22T10:00:00Z", "text": "The bot support asks a reviewer to decide the hand-off ht12.ask …"}

Rule: `text` says all of it in a sentence, so that a chat's incoming webhook can show it as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from runner.clock import UnixMs, iso
from runner.money.alarms import PERCENTAGES, SOFT
from runner.money.amounts import Money, to_usd
from runner.money.budget import Measure
from runner.money.scopes import kind_of, measure_of, parts_of
from runner.ports.books import Alert, WaitingAlert

HANDOFF = "handoff"


def body_of(waiting: WaitingAlert) -> bytes:
    """The JSON body; the same bytes however often it is made."""
    alert = waiting.alert
    if kind_of(alert.scope) == HANDOFF:
        return _written(_asking(waiting))
    body = {
        "id": f"alert-{waiting.id}",
        "type": "wallet_low" if alert.percent == SOFT else "limit",
        "scope": alert.scope,
        "percent": alert.percent,
        "unit": _unit(alert),
        "limit": _figure(alert, alert.limit),
        "gone": _figure(alert, alert.gone),
        "at": iso(UnixMs(alert.at_ms)),
        "text": sentence(alert),
    }
    return _written(body)


def _asking(waiting: WaitingAlert) -> dict[str, object]:
    """A reviewer is asked."""
    alert = waiting.alert
    bot, handoff = _handoff_of(alert)
    return {
        "id": f"alert-{waiting.id}",
        "type": HANDOFF,
        "scope": alert.scope,
        "bot": bot,
        "handoff": handoff,
        "at": iso(UnixMs(alert.at_ms)),
        "text": sentence(alert),
    }


def _written(body: Mapping[str, object]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _handoff_of(alert: Alert) -> tuple[str, str]:
    """Which bot asks, and the hand-off's id."""
    bot, _, handoff = alert.scope.partition(":")[2].partition("/")
    return bot, handoff


def sentence(alert: Alert) -> str:
    """What happened, for a person."""
    limit, gone, unit = _figure(alert, alert.limit), _figure(alert, alert.gone), _unit(alert)
    if kind_of(alert.scope) == HANDOFF:
        bot, handoff = _handoff_of(alert)
        return (
            f"The bot {bot} asks a reviewer to decide the hand-off {handoff}: on the dashboard's page Hand-offs, or"
            f" with botrunner handoff approve {handoff}."
        )
    if alert.percent == SOFT:
        return f"The wallet is low: {gone} of {limit} {unit} are spent."
    if kind_of(alert.scope) == "model":
        name = parts_of(alert.scope).whose
        return f"The model {name} charged {gone} {unit}, more than its bound of {limit}: it is set aside."
    if alert.percent == PERCENTAGES[-1] and alert.gone < alert.limit:
        whose = _whose(alert.scope)
        return f"{whose} has reached the limit of {limit} {unit}: {gone} {unit} are used, the next call does not fit."
    return f"{_whose(alert.scope)} has used {alert.percent} % of {limit} {unit} ({gone} {unit})."


def _whose(scope: str) -> str:
    kind, name, period = parts_of(scope)
    when = f" in {period}" if period else ""
    match kind:
        case "wallet":
            return "The wallet"
        case "plan" | "plan-tokens":
            return f"The plan {name}{when}"
        case "user":
            bot, _, user = name.partition("/")
            return f"The user {user} of the bot {bot}{when}"
        case _:
            return f"The {kind} {name}{when}"


def _unit(alert: Alert) -> str:
    return "tokens" if measure_of(alert.scope) is Measure.TOKENS else "USD"


def _figure(alert: Alert, amount: int) -> str:
    return str(amount) if measure_of(alert.scope) is Measure.TOKENS else to_usd(Money(amount))
