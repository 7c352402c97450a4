"""What the agent loop asks of tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from runner.conversations.models import ToolCall, ToolResult
from runner.ports.dialogue import ToolSpec


@dataclass(frozen=True, slots=True)
class ToolRun:
    """A tool call that was made, as traces and the test console show it."""

    call: ToolCall
    result: ToolResult
    latency_ms: int


class Toolbox(Protocol):
    """The tools of one bot. Definitions in a stable order, only those allowed."""

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """What the model is told, always in the same order."""

    def is_repeatable(self, name: str) -> bool:
        """Whether doing it twice does no harm (GET): only such a call is made again after a crash."""

    async def run(self, call: ToolCall, timeout_s: float) -> ToolResult:
        """Make one call. MUST NOT raise for what the tool does, MUST end in time; the result is capped."""
