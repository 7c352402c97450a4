"""What is asked of a model and what comes back, in no provider's own shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from runner.bots import ModelChoice
from runner.conversations.models import Message, ToolCall
from runner.conversations.recordings import Recording
from runner.money.prices import CacheWrites


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model sees it. `parameters` is a JSON schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CachePlan:
    """What the provider is asked to cache, and for how long.

    Attributes:
        prefix: tools and system prompt, with which all of a bot's conversations begin.
        history: all of the request, for the conversation's next. Never longer than `prefix`, where that has a time:
            providers want the longer one first.
    """

    prefix: CacheWrites = CacheWrites.NONE
    history: CacheWrites = CacheWrites.NONE

    @property
    def widest(self) -> CacheWrites:
        """The dearest that it can write."""
        both = (self.prefix, self.history)
        hour, minutes = CacheWrites.HOUR, CacheWrites.MINUTES
        return hour if hour in both else minutes if minutes in both else CacheWrites.NONE


NO_CACHE = CachePlan()


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One step's request. Equal requests serialise to equal bytes.

    Attributes:
        max_output_tokens: the output limit wanted; the meter may send a smaller one.
        cache: what the provider is asked to cache.
        recording: speech to be written down; then nothing else is asked, and the reply is its text.
    """

    choice: ModelChoice
    system: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    max_output_tokens: int = 8192
    temperature: float | None = None
    cache: CachePlan = NO_CACHE
    recording: Recording | None = None


class FinishReason(StrEnum):
    """Why the model stopped."""

    END = "end"
    LENGTH = "length"
    TOOLS = "tools"
    REFUSAL = "refusal"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ModelReply:
    """What the model said in one step. `finish_detail` is the provider's own word."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    finish: FinishReason = FinishReason.END
    finish_detail: str = ""


class StopReason(StrEnum):
    """Why a turn ended. Every one of them ends in a reply."""

    ANSWERED = "answered"
    COMMAND = "command"
    BUDGET = "budget"
    """A limit of money is reached."""
    BUSY = "busy"
    """All money was held by others until the message's time was over."""
    TIMEOUT = "timeout"
    LOOP_LIMIT = "loop_limit"
    TOOL_LIMIT = "tool_limit"
    SAME_CALL = "same_call"
    FAILING_TOOLS = "failing_tools"
    OUTPUT_LIMIT = "output_limit"
    """The answer was cut at the output limit; what there is of it is sent."""
    MODEL_REFUSED = "model_refused"
    PROVIDER_ERROR = "provider_error"
    UNPRICED = "unpriced"
    UNREADABLE = "unreadable"
    """All that came is something that the bot cannot open; no model was asked."""
    WORKFLOW_FAILED = "workflow_failed"
    """A step of the bot's workflow failed, and nothing in it takes that."""
    NOTICE = "notice"
    """Said without being asked: something that was owed at a time, or nothing at all; no model was asked."""
    INTERNAL_ERROR = "internal_error"
    """Our own fault; logged with its traceback, answered with the fallback text."""
