"""Which models are asked for a message, in which order, and why. Pure.

    facts ─▶ decide ─▶ Decision ─▶ routes ─▶ asked in order ─▶ what came of it ─▶ after ─▶ the conversation's Standing
                └────▶ NeedsLabel: ask the classifier, then decide again

Rules: the choice is never silent: each call's ledger row names its route and the reason; a later one is asked only
where the one before it could not answer (`Failed.elsewhere`). Tiers go from weak to strong, in the file's order: a
conversation is raised, and never falls back down. The same facts make the same decision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from runner.agent.route_words import keyword_in, normalised
from runner.bots import Bot, ModelChoice, RouteRule, Routing, Signal, Tier
from runner.ports.dialogue import StopReason

DEFAULT_ROUTE = "default"
FALLBACK_ROUTE = "fallback"
SHORTEST_REPEATED = 10
"""Characters. Who says `yes` twice does not ask again."""
RECENT = 3
"""How many of the user's last messages count for a question that is asked again."""
_AFTER = " after "
_SIGNAL_OF: Mapping[StopReason, Signal] = {
    StopReason.FAILING_TOOLS: Signal.FAILING_TOOLS,
    StopReason.LOOP_LIMIT: Signal.LOOP_LIMIT,
    StopReason.TOOL_LIMIT: Signal.LOOP_LIMIT,
    StopReason.SAME_CALL: Signal.LOOP_LIMIT,
    StopReason.OUTPUT_LIMIT: Signal.OUTPUT_LIMIT,
    StopReason.MODEL_REFUSED: Signal.REFUSAL,
}


@dataclass(frozen=True, slots=True)
class Routed:
    """A model that may be asked. `reason`: why it is, for the ledger; empty: nothing needed to be decided."""

    choice: ModelChoice
    route: str = DEFAULT_ROUTE
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """The tier that a conversation stays with; empty: none yet. `signal`: what raised it there; empty: nothing.

    As text, the way it is stored with the conversation: `small`, `strong after failing_tools`.
    """

    tier: str = ""
    signal: str = ""

    def __str__(self) -> str:
        """For `ConversationState.tier`."""
        return f"{self.tier}{_AFTER}{self.signal}" if self.signal else self.tier


@dataclass(frozen=True, slots=True)
class Facts:
    """What a decision is made of.

    Attributes:
        text: what the user wrote.
        task: what the message was declared as; empty: nothing.
        recent: what the same conversation's user wrote before, the latest last.
        label: what the classifier called it; empty: it gave none; None: it was not asked.
        unlabelled: why there is no label, for the reason.
    """

    text: str
    user: str = ""
    task: str = ""
    standing: Standing = Standing()
    recent: tuple[str, ...] = ()
    label: str | None = None
    unlabelled: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """A tier, and why.

    Attributes:
        signal: what raised the conversation with this very message; empty: nothing.
        sticks: whether the conversation stays with it; not where the rule is about who asks.
    """

    tier: Tier
    reason: str
    signal: str = ""
    sticks: bool = True


@dataclass(frozen=True, slots=True)
class NeedsLabel:
    """A rule that wants a label is reached, and nothing before it decided. `rule`: its number, from 1."""

    rule: int


def unrouted(bot: Bot) -> tuple[Routed, ...]:
    """The bot's own model, then its fallbacks."""
    return (Routed(bot.choice), *_fallbacks(bot))


def models_of(bot: Bot) -> tuple[ModelChoice, ...]:
    """Every model that may answer: its own or those of its tiers, then the fallbacks; each once."""
    own = [bot.choice] if bot.routing is None else [tier.choice for tier in bot.routing.tiers]
    return tuple(dict.fromkeys([*own, *bot.fallbacks]))


def standing_of(stored: str, routing: Routing) -> Standing:
    """What is stored with a conversation; a tier or signal that there is no more is none."""
    tier, _, signal = stored.partition(_AFTER)
    if routing.tier(tier) is None or not (routing.sticky or signal):
        return Standing()
    return Standing(tier, signal)


def decide(routing: Routing, facts: Facts) -> Decision | NeedsLabel:
    """Who is to answer: the first of these that has something to say.

    escalation at once, a rule that names the user, the conversation's tier, the rules, the task, the default
    """
    base = _stays(routing, facts) or _by_rules(routing, facts)
    raised = _raised_now(routing, facts)
    escalation = routing.escalation
    if raised is None or escalation is None:
        return base
    signal, reason = raised
    if isinstance(base, Decision) and not _is_above(routing, escalation.tier, base.tier.name):
        return base
    return Decision(_tier(routing, escalation.tier), reason, signal)


def after(routing: Routing, standing: Standing, decision: Decision, stop: StopReason, route: str) -> Standing:
    """What the conversation stays with after the turn.

    Args:
        standing: what it stayed with before.
        stop: how the turn ended.
        route: of the last reply; empty: there was none.
    """
    answered = routing.tier(route)
    kept = standing
    if decision.signal:
        kept = Standing(decision.tier.name, decision.signal)
    elif routing.sticky and decision.sticks and answered is not None:
        raised = _is_above(routing, decision.tier.name, standing.tier)
        kept = Standing(answered.name) if raised or not standing.tier else standing
    signal, escalation = _SIGNAL_OF.get(stop), routing.escalation
    if signal is None or escalation is None or signal not in escalation.signals:
        return kept
    used = answered or decision.tier
    if _is_above(routing, escalation.tier, used.name) and _is_above(routing, escalation.tier, kept.tier):
        return Standing(escalation.tier, signal)
    return kept


def routes(
    bot: Bot, routing: Routing, decision: Decision, takes: Callable[[ModelChoice], bool]
) -> tuple[Routed, ...]:
    """Who is asked, in order: the decided tier, the next ones behind a free one, the fallbacks.

    Args:
        takes: whether a model can take the message at all (one with a picture, say).
    """
    first = _able(routing, decision.tier, takes)
    reason = decision.reason
    if first is not decision.tier:
        reason = f"{reason}; {decision.tier.name} takes no pictures"
    found = [Routed(first.choice, first.name, reason)]
    behind = first
    for tier in routing.tiers[_rank(routing, first.name) + 1 :]:
        if not behind.free:
            break
        if takes(tier.choice):
            found.append(Routed(tier.choice, tier.name, f"behind the free tier {behind.name}"))
            behind = tier
    asked = {routed.choice for routed in found}
    return (*found, *(one for one in _fallbacks(bot) if one.choice not in asked and takes(one.choice)))


def _fallbacks(bot: Bot) -> Iterator[Routed]:
    return (Routed(choice, FALLBACK_ROUTE) for choice in bot.fallbacks)


def _able(routing: Routing, decided: Tier, takes: Callable[[ModelChoice], bool]) -> Tier:
    """The decided tier, else the next stronger that takes the message, else the next weaker; itself where none does."""
    rank = _rank(routing, decided.name)
    nearest = [*routing.tiers[rank:], *reversed(routing.tiers[:rank])]
    return next((tier for tier in nearest if takes(tier.choice)), decided)


def _stays(routing: Routing, facts: Facts) -> Decision | None:
    """What holds for a conversation that has a tier.

    The tier that a signal raised it to; else a rule about its user, a stronger tier for the declared task, its tier.
    """
    standing = facts.standing
    if not standing.tier:
        return None
    if standing.signal:
        reason = f"stays with {standing.tier}, escalated: {standing.signal}"
        return Decision(_tier(routing, standing.tier), reason)
    for number, rule in enumerate(routing.rules, 1):
        if rule.users and (held := _held(rule, facts)) is not None and not rule.labels:
            return _ruled(routing, number, rule, held)
    if facts.task in routing.tasks and _is_above(routing, routing.tasks[facts.task], standing.tier):
        return Decision(_tier(routing, routing.tasks[facts.task]), f"task {facts.task}")
    return Decision(_tier(routing, standing.tier), f"stays with {standing.tier}")


def _by_rules(routing: Routing, facts: Facts) -> Decision | NeedsLabel:
    """The first rule that holds, else the task's tier, else the default."""
    missed = False
    for number, rule in enumerate(routing.rules, 1):
        held = _held(rule, facts)
        if held is None:
            continue
        if not rule.labels:
            return _ruled(routing, number, rule, held)
        if facts.label is None and routing.classifier is not None:
            return NeedsLabel(number)
        if facts.label in rule.labels:
            return _ruled(routing, number, rule, [*held, f"label {facts.label}"])
        missed = missed or not facts.label
    why = f"; no label: {facts.unlabelled}" if missed and facts.unlabelled else ""
    if facts.task in routing.tasks:
        return Decision(_tier(routing, routing.tasks[facts.task]), f"task {facts.task}{why}")
    return Decision(_tier(routing, routing.default), f"default{why}")


def _held(rule: RouteRule, facts: Facts) -> list[str] | None:
    """What of the rule holds, in words, labels aside; None: it does not."""
    length, held = len(facts.text), list[str]()
    if rule.tasks:
        held.append(f"task {facts.task}" if facts.task in rule.tasks else "")
    if rule.keywords:
        word = keyword_in(facts.text, rule.keywords)
        held.append(f"keyword {word}" if word is not None else "")
    if rule.users:
        held.append(f"user {facts.user}" if facts.user in rule.users else "")
    if rule.min_chars is not None:
        held.append(f"at least {rule.min_chars} characters" if length >= rule.min_chars else "")
    if rule.max_chars is not None:
        held.append(f"at most {rule.max_chars} characters" if length <= rule.max_chars else "")
    return held if all(held) else None


def _ruled(routing: Routing, number: int, rule: RouteRule, held: list[str]) -> Decision:
    reason = f"rule {number}: {', '.join(held)}"
    return Decision(_tier(routing, rule.tier), reason, sticks=not rule.users)


def _raised_now(routing: Routing, facts: Facts) -> tuple[Signal, str] | None:
    """The signal that this message itself is, and the reason in words."""
    escalation = routing.escalation
    if escalation is None:
        return None
    if Signal.KEYWORDS in escalation.signals:
        word = keyword_in(facts.text, escalation.keywords)
        if word is not None:
            return Signal.KEYWORDS, f"escalated: keyword {word}"
    if Signal.REPEATED_QUESTION in escalation.signals and _is_repeated(facts):
        return Signal.REPEATED_QUESTION, f"escalated: {Signal.REPEATED_QUESTION}"
    return None


def _is_repeated(facts: Facts) -> bool:
    asked = normalised(facts.text)
    return len(asked) >= SHORTEST_REPEATED and any(
        normalised(earlier) == asked for earlier in facts.recent[-RECENT:]
    )


def _tier(routing: Routing, name: str) -> Tier:
    """A tier that bots.yaml was checked to have."""
    return routing.tiers[_rank(routing, name)]


def _rank(routing: Routing, name: str) -> int:
    """How strong a tier is: its place in the file; below all of them where there is none of that name."""
    return next((number for number, tier in enumerate(routing.tiers) if tier.name == name), -1)


def _is_above(routing: Routing, name: str, other: str) -> bool:
    return _rank(routing, name) > _rank(routing, other)


def labelled(facts: Facts, label: str | None, why: str = "") -> Facts:
    """The facts once the classifier was asked. `why`: there is no label."""
    return replace(facts, label=label or "", unlabelled="" if label else why)
