"""Templates of bots, as those see them who make a bot of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

CONTEXT = "Context - "
"""What a line of a prompt begins with that says something of the one business: `Context - key: value`."""


@dataclass(frozen=True, slots=True)
class BotTemplate:
    """A whole bot, to be filled in.

    Attributes:
        id: what it is asked for by.
        fields: of the bot, by the names of bots.yaml; its prompt without the example's context.
        values: what its context is about: key and explanation.
        text: a whole bots.yaml with it, for people.
    """

    id: str
    name: str
    description: str
    fields: Mapping[str, Any]
    values: Mapping[str, str]
    text: str


Templates: TypeAlias = Callable[[], Sequence[BotTemplate]]
"""All of them, by id. May read files: not for the event loop."""
