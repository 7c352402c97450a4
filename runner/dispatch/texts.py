"""What a bot says without asking a model. Pure.

Rules: every end of a turn that somebody asked for has a text, and it says what happened; the operator's
`fallback_message` stands for all of them but the limits of money, which have texts of their own.
"""

from __future__ import annotations

from runner.agent.loop import LoopResult
from runner.bots import Bot, Texts
from runner.money.scopes import kind_of
from runner.ports.dialogue import StopReason

COMMANDS = {
    "start": "what this bot is",
    "help": "this list",
    "reset": "start a new conversation",
    "new": "the same as /reset",
}
USAGE_COMMAND = "usage"
NEW_CONVERSATION = "This is a new conversation. What came before is forgotten."

_DEFAULTS = {
    StopReason.BUDGET: "This message has reached its cost limit.",
    StopReason.BUSY: "I am busy with other messages right now. Please try again in a moment.",
    StopReason.TIMEOUT: "I could not answer in time. Please try again.",
    StopReason.LOOP_LIMIT: "I stopped: this took more steps than I am allowed.",
    StopReason.TOOL_LIMIT: "I stopped: this took more tool calls than I am allowed.",
    StopReason.SAME_CALL: "I stopped: I was repeating myself without getting further.",
    StopReason.FAILING_TOOLS: "I stopped: my tools kept failing. Please try again later.",
    StopReason.OUTPUT_LIMIT: "My answer did not fit its length limit.",
    StopReason.MODEL_REFUSED: "I can't answer that.",
    StopReason.PROVIDER_ERROR: "I can't reach my language model right now. Please try again later.",
    StopReason.UNPRICED: "I can't answer: my language model has no price, so it must not be called.",
    StopReason.WORKFLOW_FAILED: "I stopped: I could not finish this. Please try again later.",
    StopReason.INTERNAL_ERROR: "Something went wrong on my side. Please try again.",
    StopReason.UNREADABLE: "I can't open that.",
    StopReason.ANSWERED: "I have no answer to that.",
}
_SAID = frozenset({StopReason.ANSWERED, StopReason.MODEL_REFUSED, StopReason.UNREADABLE})
"""Ends whose own text is what the user reads."""
CUT = "\n\n[This answer was cut at its length limit.]"


def closing_text(bot: Bot, result: LoopResult) -> str:
    """What the user reads at the end of a turn."""
    if result.stop is StopReason.BUDGET:
        text = _limit_text(bot.texts, kind_of(result.detail))
        if text is not None:
            return text
    if result.stop in _SAID and result.text.strip():
        return result.text
    if result.stop is StopReason.ANSWERED and result.said:
        return ""
    if result.stop is StopReason.NOTICE:
        return result.text
    if result.stop is StopReason.OUTPUT_LIMIT and result.text.strip():
        return result.text + CUT
    return bot.texts.fallback or _DEFAULTS[result.stop]


def _limit_text(texts: Texts, kind: str) -> str | None:
    """Each limit but a message's own has a text that an operator may change."""
    match kind:
        case "bot" | "team":
            return texts.cap_reached
        case "wallet":
            return texts.wallet_empty
        case "plan" | "plan-tokens":
            return texts.quota_spent
        case "user":
            return texts.allowance_spent
        case "conversation":
            return texts.conversation_spent
        case _:
            return None


def welcome(bot: Bot) -> str:
    """The answer to /start."""
    return bot.texts.welcome or f"Hello! I am {bot.name}. Write to me; /help lists the commands."


def help_text(bot: Bot) -> str:
    """The answer to /help."""
    lines = [f"/{name} – {what}" for name, what in COMMANDS.items()]
    if bot.expose_usage:
        lines.append(f"/{USAGE_COMMAND} – what you have spent here")
    return "\n".join([bot.description or f"I am {bot.name}.", "", *lines])
