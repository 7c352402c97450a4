"""A message's kind named by a small model, before it is decided who answers.

    text ─▶ remembered from an earlier try | meter ─▶ label

Rules: it is a call like any other: held in all scopes before a byte leaves, stored with its payment, one attempt and
no more. Its reply is a step of the turn, behind what was heard, so that a turn begun again does not pay for it twice;
where an earlier try went on without a label, this one does too. Whatever goes wrong, there is no label and a reason:
the message is answered all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from runner.agent.asks import Ask, Failed, Refused
from runner.agent.meter import Meter
from runner.agent.replies import PaidReply
from runner.agent.route_words import matched_label
from runner.agent.transcribe import Ear, Listening
from runner.bots import Bot, Classifier, Tier
from runner.conversations.models import UserMessage
from runner.money.estimate import OUTPUT_FLOOR, OUTPUT_FLOOR_THINKING
from runner.money.prices import PriceBook
from runner.ports.books import MoneyStore
from runner.ports.dialogue import ModelRequest

FEATURE = "classify"
"""What the ledger calls it."""
MOST_CHARS = 4_000
"""Of the message that the classifier sees: a kind shows at its beginning."""


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """There is no label; `why` may stand on a ledger row."""

    why: str


class Judge:
    """Names the kind of one turn's message.

    Attributes:
        paid: the classifier's reply, once there is one, of now or of an earlier try.
        attempts_used: ledger rows that the turn has by now.
    """

    __slots__ = ("_book", "_done", "_listening", "_meter", "_session", "_step", "attempts_used", "paid")

    def __init__(
        self,
        meter: Meter,
        book: Callable[[], PriceBook],
        listening: Listening,
        ear: Ear,
        session: MoneyStore,
    ) -> None:
        self._meter = meter
        self._book = book
        self._listening = listening
        self._session = session
        self._step = ear.steps
        self._done = listening.done[ear.steps :]
        self.attempts_used = ear.attempts_used
        first = self._done[0] if self._done else None
        self.paid = first if isinstance(first, PaidReply) and first.feature == FEATURE else None

    @property
    def steps(self) -> int:
        """How many steps the turn has before the loop's: what was heard, and the label."""
        return self._step + (0 if self.paid is None else 1)

    async def label(self, bot: Bot, classifier: Classifier, tier: Tier, text: str) -> str | Unlabelled:
        """The kind of a message."""
        if self.paid is None:
            if self._done:
                return Unlabelled("an earlier try of this message went on without it")
            result = await self._meter.call(self._ask(bot, classifier, tier, text), self._session)
            self.attempts_used = result.attempts_used
            if isinstance(result, Refused):
                return Unlabelled(f"the classifier was refused the money: {result.scope}")
            if isinstance(result, Failed):
                return Unlabelled(f"the classifier could not be asked: {result.why}")
            self.paid = result.paid
        named = matched_label(self.paid.reply.text, classifier.labels)
        return Unlabelled("the classifier named none") if named is None else named

    def _ask(self, bot: Bot, classifier: Classifier, tier: Tier, text: str) -> Ask:
        price = self._book().find(tier.choice.provider, tier.choice.model)
        thinks = price is not None and price.limits.thinks
        request = ModelRequest(
            tier.choice,
            system=instructions(classifier.prompt, classifier.labels),
            messages=(UserMessage(text[:MOST_CHARS]),),
            max_output_tokens=OUTPUT_FLOOR_THINKING if thinks else OUTPUT_FLOOR,
        )
        about = replace(
            self._listening.about,
            feature=FEATURE,
            route=tier.name,
            route_reason=f"names the message's kind: {', '.join(classifier.labels)}",
        )
        return Ask(
            request=request,
            about=about,
            scopes=self._listening.scopes,
            deadline=self._listening.deadline,
            attempts_used=self.attempts_used,
            step_number=self._step,
            key=bot.key_for(tier.choice.provider),
            patient=False,
        )


def instructions(prompt: str, labels: Sequence[str]) -> str:
    """What the classifier is told: the operator's words, and how to answer."""
    return f"{prompt}\n\nAnswer with one of these labels and nothing else: {', '.join(labels)}"
