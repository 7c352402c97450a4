"""`routes`: which model answers what, and why; foreseen by the rules, no model is called.

Rule: what it says of a message is what a new conversation's first message would get; a message with a picture may go
to another tier.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.cli.options import UNSAID, AsJson, BotId, Config
from runner.money.amounts import Money, to_usd

if TYPE_CHECKING:
    from rich.console import Console

    from runner.agent.route_plan import Foreseen
    from runner.agent.routing import Routed
    from runner.bots import Bot, ModelChoice
    from runner.money.prices import PriceBook

_UNPRICED = "no price"


def routes(
    bot: BotId,
    text: Annotated[
        str | None, typer.Argument(metavar="TEXT", help="A message, to see where it goes.")
    ] = None,
    user: Annotated[str, typer.Option(metavar="ID", help="Who writes it.")] = "",
    task: Annotated[str, typer.Option(help="What it is declared as; else what the bot's messages are.")] = "",
    config: Config = UNSAID,
    as_json: AsJson = False,
) -> None:
    """Show which model answers what, by which rules; with a text, who would answer it and why."""
    from runner.agent.route_plan import foresee
    from runner.agent.routing import Facts
    from runner.cli.files import find_bot, load_settings
    from runner.cli.screen import screen, show_json

    settings = load_settings(config)
    found = find_bot(settings, bot)
    facts = None if text is None else Facts(text, user, task or found.task)
    foreseen = () if facts is None else foresee(found, facts)
    if as_json:
        shown = as_record(found, settings.prices)
        if facts is not None:
            shown["message"] = {"user": facts.user, "task": facts.task, **_message_record(found, foreseen)}
        show_json(shown)
        return
    console = screen()
    _show_models(console, found, settings.prices)
    _show_rules(console, found)
    if foreseen:
        console.print()
        _show_message(console, found, foreseen)


def as_record(bot: Bot, prices: PriceBook) -> dict[str, Any]:
    """The bot's routes, as JSON shows them; prices are texts of US dollars per million tokens."""
    from runner.agent.route_plan import steps

    routing = bot.routing
    known: dict[str, Any] = {"bot": bot.id, "task": bot.task, "routing": None}
    known["fallbacks"] = [_model(choice, prices) for choice in bot.fallbacks]
    if routing is None:
        return {**known, "model": _model(bot.choice, prices)}
    classifier, escalation = routing.classifier, routing.escalation
    known["routing"] = {
        "tiers": [
            {"name": tier.name, **_model(tier.choice, prices), "free": tier.free} for tier in routing.tiers
        ],
        "default": routing.default,
        "steps": [{"when": step.when, "tier": step.tier} for step in steps(routing)],
        "classifier": classifier and {"tier": classifier.tier, "labels": list(classifier.labels)},
        "sticky": routing.sticky,
        "escalate": escalation
        and {
            "to": escalation.tier,
            "on": sorted(escalation.signals),
            "keywords": list(escalation.keywords),
        },
    }
    return known


def _model(choice: ModelChoice, prices: PriceBook) -> dict[str, Any]:
    row = prices.find(choice.provider, choice.model)
    return {
        "provider": choice.provider,
        "model": choice.model,
        "input": None if row is None else to_usd(Money(row.rates.input)),
        "output": None if row is None else to_usd(Money(row.rates.output)),
    }


def _message_record(bot: Bot, foreseen: Sequence[Foreseen]) -> dict[str, Any]:
    if foreseen[0].label is None:
        return {"label": None, "asked": _asked_record(foreseen[0].routes)}
    classifier = bot.routing.classifier if bot.routing is not None else None
    return {
        "label": {
            "tier": classifier.tier if classifier is not None else "",
            "answers": {one.label or "": _asked_record(one.routes) for one in foreseen},
        },
        "asked": None,
    }


def _asked_record(asked: Sequence[Routed]) -> list[dict[str, str]]:
    return [
        {
            "provider": one.choice.provider,
            "model": one.choice.model,
            "route": one.route,
            "reason": one.reason,
        }
        for one in asked
    ]


def _show_models(console: Console, bot: Bot, prices: PriceBook) -> None:
    from runner.cli.screen import Column, show_table

    columns = [Column("tier"), Column("model"), Column("input", number=True), Column("output", number=True)]
    named = [("(every message)", bot.choice)]
    if bot.routing is not None:
        default = bot.routing.default
        named = [
            (f"{tier.name} (default)" if tier.name == default else tier.name, tier.choice)
            for tier in bot.routing.tiers
        ]
    named += [("(fallback)", choice) for choice in bot.fallbacks]
    rows = []
    for name, choice in named:
        model = _model(choice, prices)
        rows.append([name, f"{choice.provider}/{choice.model}", *_prices(model)])
    show_table(console, columns, rows)
    console.print("US dollars per million tokens")


def _prices(model: dict[str, Any]) -> list[str]:
    return [_UNPRICED if model[kind] is None else str(model[kind]) for kind in ("input", "output")]


def _show_rules(console: Console, bot: Bot) -> None:
    from runner.agent.route_plan import remarks, steps
    from runner.cli.screen import Column, show_table

    if bot.routing is None:
        return
    console.print()
    rows = [[step.when, step.tier] for step in steps(bot.routing)]
    show_table(console, [Column("the first that holds"), Column("tier")], rows)
    for remark in remarks(bot.routing):
        console.print(remark)


def _show_message(console: Console, bot: Bot, foreseen: Sequence[Foreseen]) -> None:
    classifier = bot.routing.classifier if bot.routing is not None else None
    if foreseen[0].label is None or classifier is None:
        _show_asked(console, "This message goes to", foreseen[0].routes)
        return
    console.print(f"This message: would ask {classifier.tier}: labels {', '.join(classifier.labels)}")
    for one in foreseen:
        _show_asked(console, f"  {one.label or 'none of them'}:", one.routes)


def _show_asked(console: Console, lead: str, asked: Sequence[Routed]) -> None:
    first, *others = asked
    why = f" ({first.reason})" if first.reason else ""
    console.print(f"{lead} {first.choice.provider}/{first.choice.model}: {first.route}{why}")
    indent = " " * (len(lead) - len(lead.lstrip()))
    for one in others:
        console.print(f"{indent}  else {one.choice.provider}/{one.choice.model}: {one.route}")
