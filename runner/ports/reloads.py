"""Reading bots.yaml again, as those see it who ask for it or show how it went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from runner.clock import UnixMs


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The file was read, and what it says is in force. Names only, never values.

    Attributes:
        reconnected: bots of which a connection is made anew; they are in `changed` too.
        changed: all bots whose definition is another one; `added` and `removed` are not among them.
        sections: what else of the file is in force now, such as `prices` or `providers.house`.
        needs_restart: what the file says but only a restart brings, such as `server.port`.
        warnings: what is odd about the file all the same.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    reconnected: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether everything stays as it was."""
        return not (self.added or self.removed or self.changed or self.sections)


@dataclass(frozen=True, slots=True)
class Unusable:
    """The file cannot be used, and nothing changed. `problems`: a line each, as `botrunner check` tells them."""

    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConfigState:
    """How it stands with the file.

    Attributes:
        loaded_at: when what is in force was read, Unix ms.
        fault: what is wrong with the file as it is now, so that it is not in force; None: nothing.
        needs_restart: as in `Reloaded`.
    """

    loaded_at: UnixMs
    fault: tuple[str, ...] | None = None
    needs_restart: tuple[str, ...] = ()


class Reloads(Protocol):
    """Whoever reads the file again."""

    @property
    def state(self) -> ConfigState:
        """How it stands with the file now."""

    async def reload(self, reason: str) -> Reloaded | Unusable:
        """Read the file and put what it says in force; returns when that is done.

        Asked by several at once, it is read once for all that asked before it was read. MUST NOT raise.
        `reason`: who asks, in a word, for the log.
        """
