"""Who answers one message: the rules' decision, and what it needs to be made. The rules are in `agent/routing`.

    bot without routing ─▶ its own model, its fallbacks
    routing ─▶ decide ─▶ (a label is wanted ─▶ the classifier ─▶ decide) ─▶ routes ─▶ … the turn … ─▶ settled

Rules: a turn that is begun again decides the same: the conversation is as it was, and a label that was paid for is
remembered. What the conversation stays with is written with the turn's end (T4), never before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from runner.agent.classify import Judge, Unlabelled
from runner.agent.loop import LoopResult
from runner.agent.routing import (
    RECENT,
    Decision,
    Facts,
    NeedsLabel,
    Routed,
    after,
    decide,
    labelled,
    routes,
    standing_of,
    unrouted,
)
from runner.bots import Bot, ModelChoice, Routing
from runner.conversations.models import Message, UserMessage
from runner.dispatch.scene import Scene
from runner.ports.mail import ConversationState

Sees = Callable[[ModelChoice], bool]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who is asked, in order. `decision`: None where the bot has no routing."""

    routes: tuple[Routed, ...]
    decision: Decision | None = None

    def settled(self, scene: Scene, result: LoopResult) -> ConversationState:
        """The conversation with what it stays with from now on."""
        routing, state = scene.bot.routing, scene.state
        if routing is None or self.decision is None:
            return state
        route = result.replies[-1].route if result.replies else ""
        standing = standing_of(state.tier, routing)
        return replace(state, tier=str(after(routing, standing, self.decision, result.stop, route)))


async def choose(scene: Scene, judge: Judge, sees: Sees) -> Chosen:
    """Decide who answers; asks the classifier where a rule needs it. `sees`: whether a model takes pictures.

    Raises:
        StoreError: the classifier could not be paid for, for the store does not work.
    """
    bot, routing = scene.bot, scene.bot.routing
    if routing is None:
        return Chosen(unrouted(bot))
    facts = facts_of(scene, routing)
    decision = decide(routing, facts)
    if isinstance(decision, NeedsLabel):
        decision = decide(routing, await _labelled(bot, routing, facts, judge))
    if isinstance(decision, NeedsLabel):
        raise TypeError("a label was wanted twice")
    asked = scene.history[-1]
    pictures = isinstance(asked, UserMessage) and bool(asked.pictures)
    found = routes(bot, routing, decision, sees if pictures else _anything)
    detour = found[0].route != decision.tier.name
    return Chosen(found, replace(decision, sticks=decision.sticks and not detour))


def sees_pictures(bot: Bot, sees: Sees) -> bool:
    """Whether any of the models that a message may be decided for takes pictures."""
    own = [bot.choice] if bot.routing is None else [tier.choice for tier in bot.routing.tiers]
    return any(sees(choice) for choice in own)


def facts_of(scene: Scene, routing: Routing) -> Facts:
    """What the decision is made of."""
    asked = scene.history[-1]
    return Facts(
        text=asked.text if isinstance(asked, UserMessage) else scene.message.text,
        user=scene.message.sender.id,
        task=scene.message.task or scene.bot.task,
        standing=standing_of(scene.state.tier, routing),
        recent=_said_before(scene.history),
    )


def _said_before(history: tuple[Message, ...]) -> tuple[str, ...]:
    """What the same person wrote before; in a channel of many the name tells who it was."""
    name = getattr(history[-1], "name", None)
    before = (message for message in history[:-1] if isinstance(message, UserMessage))
    return tuple(message.text for message in before if message.name == name)[-RECENT:]


async def _labelled(bot: Bot, routing: Routing, facts: Facts, judge: Judge) -> Facts:
    classifier = routing.classifier
    tier = None if classifier is None else routing.tier(classifier.tier)
    if classifier is None or tier is None:
        return labelled(facts, None, "there is no classifier")
    named = await judge.label(bot, classifier, tier, facts.text)
    return labelled(facts, None, named.why) if isinstance(named, Unlabelled) else labelled(facts, named)


def _anything(_: ModelChoice) -> bool:
    return True
