"""What is played: who asks what when, and everything that is said and done until the answer. Pure.

Rules: a workload is data; whoever plays it, the model says the same and the tools bring the same, so that what it
costs is the only thing that differs. A chat is one conversation of one user (or one channel); a turn is one message
of a user until its answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Tier = Literal["small", "standard", "strong"]
TIERS: tuple[Tier, ...] = ("small", "standard", "strong")
"""From the weakest to the strongest."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the model is told of. `parameters`: JSON schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """The model asks for a tool, and what the tool brings. `arguments`: JSON text of an object."""

    name: str
    arguments: str
    result: str


@dataclass(frozen=True, slots=True)
class Reply:
    """One thing that the model says. Without calls it ends the turn."""

    text: str
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """A user's message until its answer.

    Attributes:
        gap_s: how long after the chat's last answer it comes; of a chat's first turn: after the start of all.
        replies: in order; the last, and only the last, has no calls.
        user: who writes, where a chat has several; "": the chat's own user.
        name: the writer's name, told to the model; None: it is not.
        task: what kind of message it is declared to be.
        needs: the weakest tier that answers it well.
    """

    text: str
    replies: tuple[Reply, ...]
    gap_s: float = 0.0
    user: str = ""
    name: str | None = None
    task: str = ""
    needs: Tier = "standard"

    @property
    def seen(self) -> str:
        """The message as the model reads it."""
        return self.text if self.name is None else f"{' '.join(self.name.split())}: {self.text}"


@dataclass(frozen=True, slots=True)
class Persona:
    """Who is asked: a system prompt and its tools."""

    system: str
    tools: tuple[Tool, ...] = ()


@dataclass(frozen=True, slots=True)
class Chat:
    """One conversation. `persona`: the index of who is asked."""

    id: str
    turns: tuple[Turn, ...]
    persona: int = 0


@dataclass(frozen=True, slots=True)
class Workload:
    """Everything that is played in one run.

    Attributes:
        scope: whether a conversation is a user's own or a channel's.
        promises: whether the factors that are promised hold here (the tool-heavy support bot).
    """

    name: str
    personas: tuple[Persona, ...]
    chats: tuple[Chat, ...]
    scope: Literal["user", "channel"] = "user"
    promises: bool = False
    tasks: Mapping[str, Tier] = field(default_factory=dict)

    @property
    def messages(self) -> int:
        """Users' messages."""
        return sum(len(chat.turns) for chat in self.chats)

    @property
    def calls(self) -> int:
        """Model calls that they take."""
        return sum(len(turn.replies) for chat in self.chats for turn in chat.turns)


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """When a turn is due: (seconds from the start, chat, turn)."""

    at_s: float
    chat: int
    turn: int


def answer_s(turn: Turn) -> float:
    """How long the model takes for a turn: two seconds a call and a second for 200 characters."""
    return sum(2.0 + len(reply.text) / 200 for reply in turn.replies)


def moments(workload: Workload) -> list[Moment]:
    """When each turn is due, in order; the same whoever plays."""
    return sorted(moment for number, chat in enumerate(workload.chats) for moment in _of_chat(number, chat))


def _of_chat(number: int, chat: Chat) -> Iterator[Moment]:
    at_s = 0.0
    for index, turn in enumerate(chat.turns):
        at_s += turn.gap_s
        yield Moment(at_s, number, index)
        at_s += answer_s(turn)
