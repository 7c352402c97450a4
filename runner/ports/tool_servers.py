"""What a bot's toolbox asks of a server of tools, and what watchers are told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ServedTool:
    """A tool of a server.

    Attributes:
        name: what models call it: `server__tool`, at most 64 letters, digits, _ and -.
        tool: what the server calls it.
        parameters: a JSON schema of an object, as the server told it.
        repeatable: the server says that a second call does no harm.
    """

    name: str
    tool: str
    description: str
    parameters: Mapping[str, Any]
    repeatable: bool


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What came of a call, in words for a model. `cut`: the text is only the beginning of what there was."""

    ok: bool
    text: str
    cut: bool = False


@dataclass(frozen=True, slots=True)
class ToolServerState:
    """How a server of tools is now. `why`: what is wrong with it; empty: its tools can be called."""

    workspace: str
    server: str
    tools: tuple[str, ...]
    why: str


class ToolSource(Protocol):
    """One server of tools, shared by the bots of a workspace."""

    @property
    def name(self) -> str:
        """The server's; what models call its tools begins with it and two underscores."""

    @property
    def tools(self) -> tuple[ServedTool, ...]:
        """Those that can be called now, by name; none while it cannot be reached."""

    @property
    def trouble(self) -> str:
        """Why it cannot be reached, in words that a model may read; empty: it can."""

    async def call(self, tool: str, arguments: Mapping[str, Any], timeout_s: float) -> ToolAnswer:
        """Call a tool by the server's own name. MUST NOT raise for what the server does, MUST end in time."""
