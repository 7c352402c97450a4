"""Each bot's latest fault since the start: an Observer, for who looks after the bots.

Rules: of a bot the latest alone; a fault is told in a sentence, cut where it is long; where there are too many bots,
those that were well the longest go.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.clock import Clock, UnixMs
from runner.ports.dialogue import StopReason
from runner.ports.observer import (
    BoundBroken,
    ConnectionChanged,
    Event,
    Fault,
    SendEnded,
    ToolServerChanged,
    TurnFinished,
)

MOST_BOTS = 1000
LONGEST = 300
_WENT_WRONG = {
    StopReason.TIMEOUT: "a message was not answered in time",
    StopReason.LOOP_LIMIT: "a message took all the model calls it may have",
    StopReason.TOOL_LIMIT: "a message took all the tool calls it may have",
    StopReason.SAME_CALL: "the model called the same tool again and again",
    StopReason.FAILING_TOOLS: "the tools that the model called failed",
    StopReason.PROVIDER_ERROR: "the model's provider failed",
    StopReason.UNPRICED: "the model has no price",
    StopReason.WORKFLOW_FAILED: "a step of the workflow failed",
    StopReason.INTERNAL_ERROR: "a message could not be answered",
}
_BROKEN = frozenset({"down", "refused"})


@dataclass(frozen=True, slots=True)
class BotError:
    """What went wrong, and when."""

    text: str
    at_ms: UnixMs


class LastErrors:
    """Remembers them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._errors: dict[str, BotError] = {}

    def of(self, bot: str) -> BotError | None:
        """The bot's latest; None: it had none."""
        return self._errors.get(bot)

    def note(self, event: Event) -> None:
        """Something happened."""
        match event:
            case Fault(where, why, bot) if bot:
                self._keep(bot, f"{where}: {why}")
            case ConnectionChanged(bot, channel, state, why) if state in _BROKEN:
                self._keep(bot, f"{channel} is {state}: {why}")
            case ToolServerChanged() if event.state in _BROKEN:
                for bot in event.bots:
                    self._keep(bot, f"the tools of {event.server} are off: {event.why}")
            case SendEnded(bot, channel, _, "rejected", why):
                self._keep(bot, f"{channel} did not take a reply: {why}")
            case BoundBroken(bot, _, provider, model):
                self._keep(bot, f"{provider}/{model} charged more than its bound and is set aside")
            case TurnFinished() if event.stop_reason in _WENT_WRONG:
                told = _WENT_WRONG[StopReason(event.stop_reason)]
                self._keep(event.bot, f"{told}: {event.detail}" if event.detail else told)
            case _:
                pass

    def _keep(self, bot: str, text: str) -> None:
        self._errors.pop(bot, None)
        while len(self._errors) >= MOST_BOTS:
            del self._errors[next(iter(self._errors))]
        short = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
        self._errors[bot] = BotError(short, self._clock.now_ms())
