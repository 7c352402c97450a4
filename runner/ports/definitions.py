"""The port of bots.yaml, as those see it who change bots from outside.

Rules: fields have the names of bots.yaml and plain JSON values; a secret goes in and never comes out, what comes
out in its place is `HIDDEN`; `HIDDEN` going in means the secret that is there; a text is taken as it is, no
reference in it is followed. What was refused has changed nothing. On a fleet the file is deployed to all daemons, and
none of them writes it: there only a bot's `spending_cap_cents` can be changed, which is kept in the store then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class FieldFault:
    """What is wrong with one field; `field`: its path in the bot, such as `tools[0].url`."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Written:
    """It is in the file and in force. `warnings`: what is odd about it all the same, of this bot."""

    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Faulty:
    """The definition would not be a good one: all faults at once."""

    faults: tuple[FieldFault, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """The file cannot take the change as it is now: it is read-only, faulty, or was changed underneath."""

    why: str


@dataclass(frozen=True, slots=True)
class Unapplied:
    """It is in the file, but not in force: what it needs cannot be had now."""

    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deployed:
    """The file comes to several daemons from somewhere else: it is changed there, and not by one of them."""

    why: str = "bots.yaml is deployed to all daemons: change it there and reload"


Outcome = Written | Faulty | Conflict | Unapplied | Deployed


class Definitions(Protocol):
    """The bots of bots.yaml."""

    @property
    def deployed(self) -> Deployed | None:
        """Why nothing but caps can be changed here; None: everything can."""

    async def bot_ids(self) -> list[str]:
        """All that the file names, in its order; empty where it cannot be read."""

    async def fields(self, bot_id: str) -> Mapping[str, Any] | None:
        """Every field of a bot, with what `defaults:` and the program give; None: the file has no such bot.

        References that are no secrets are told as they are written.
        """

    async def create(self, bot_id: str, fields: Mapping[str, Any]) -> Outcome:
        """Write a new bot behind the others. A Conflict where the file has one of that id."""

    async def change(self, bot_id: str, patch: Mapping[str, Any]) -> Outcome:
        """Change a bot by a JSON merge patch: null takes away what the bot itself says.

        Where `defaults:` says something else and the field may be null, null is written.
        """

    async def remove(self, bot_id: str) -> Outcome:
        """Take a bot out of the file, with the secrets that were kept for it alone."""

    def schema(self) -> Mapping[str, Any]:
        """JSON Schema of what the file may say of a bot: `BotSection` and what it refers to, by name."""
