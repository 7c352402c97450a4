"""What a bot's routing will do, told before anything is asked: for `botrunner routes` and the dashboard. Pure.

Rule: it is foreseen by the rules themselves, the same that decide a turn; no model is called, so where the classifier
would be asked each of its labels is followed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from runner.agent.route_words import conditions, escalation_in_words
from runner.agent.routing import Facts, NeedsLabel, Routed, decide, routes, unrouted
from runner.bots import Bot, ModelChoice, Routing

OTHERWISE = "otherwise"
UNNAMED = "the classifier named none"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the rules: when it holds, in words, and the tier that it leads to."""

    when: str
    tier: str


@dataclass(frozen=True, slots=True)
class Foreseen:
    """Who would be asked, in order. `label`: where the classifier says so; empty: where it says nothing usable."""

    routes: tuple[Routed, ...]
    label: str | None = None


def steps(routing: Routing) -> tuple[Step, ...]:
    """What decides in a conversation that has no tier yet, in order."""
    ruled = [Step(f"rule {number}: {conditions(r)}", r.tier) for number, r in enumerate(routing.rules, 1)]
    tasks = [Step(f"task {task}", tier) for task, tier in routing.tasks.items()]
    return (*ruled, *tasks, Step(OTHERWISE, routing.default))


def remarks(routing: Routing) -> tuple[str, ...]:
    """What else holds, a sentence each."""
    said = []
    if routing.sticky:
        said.append("A conversation stays with the tier that answered first.")
    else:
        said.append("Each message is decided anew.")
    escalation, classifier = routing.escalation, routing.classifier
    if escalation is not None:
        said.append(f"It is raised to {escalation.tier} after: {escalation_in_words(escalation)}.")
    if classifier is not None:
        said.append(
            f"{classifier.tier} is asked for a label where a rule needs one: {', '.join(classifier.labels)}."
        )
    free = [tier.name for tier in routing.tiers if tier.free]
    if free:
        said.append(f"Where {' or '.join(free)} is busy, the next tier is asked.")
    return tuple(said)


def foresee(bot: Bot, facts: Facts) -> tuple[Foreseen, ...]:
    """What would come of a message: one outcome, or one for each label and one for none of them."""
    routing = bot.routing
    if routing is None:
        return (Foreseen(unrouted(bot)),)
    if not isinstance(decide(routing, facts), NeedsLabel) or routing.classifier is None:
        return (_foreseen(bot, routing, facts, None),)
    return tuple(_foreseen(bot, routing, facts, label) for label in (*routing.classifier.labels, ""))


def _foreseen(bot: Bot, routing: Routing, facts: Facts, label: str | None) -> Foreseen:
    decision = decide(routing, replace(facts, label=label, unlabelled=UNNAMED if label == "" else ""))
    if isinstance(decision, NeedsLabel):
        raise TypeError("a label was wanted twice")
    return Foreseen(routes(bot, routing, decision, _anything), label)


def _anything(_: ModelChoice) -> bool:
    return True
