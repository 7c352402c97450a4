"""What is different in a file that was read again, and what of it can hold at once. Pure.

    bots       added | removed (gone or disabled) | changed, and of these the channels to connect anew
    sections   providers, prices, plans, …                  hold at once
    the rest   server.host, store.url, the state folder, …  hold after a restart

Rules: a connection is made anew only where its own channel changed; a disabled bot is none; what waits for a
restart stays as it was in the settings in force, so that it is told again until the restart, or until the file
says the old thing again. Differences are told by names, never by values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from runner.bots import Bot
from runner.config.settings import ServerSettings, Settings

_WRITTEN_AS = {
    "retention_days": "store.retention_days",
    "state_dir": "the state folder",
    "store_url": "store.url",
}
"""Where the file calls a field of the settings by another name."""
_AFTER_RESTART = frozenset({"state_dir", "store_url"})
_SERVER_AT_ONCE = frozenset({"stop_timeout_s"})
_LIMITS = frozenset({"cap", "caps", "plan", "limits", "billing_mode"})
"""Fields of a bot that say how far its money goes."""


@dataclass(frozen=True, slots=True)
class BotChange:
    """One bot whose definition is another one.

    Attributes:
        fields: which fields of `Bot` differ.
        channels: the channels that are new, gone or of another config: only their connections are touched.
    """

    bot: str
    fields: tuple[str, ...]
    channels: tuple[str, ...] = ()

    @property
    def moves_limits(self) -> bool:
        """Whether its money may go another way from now on."""
        return not _LIMITS.isdisjoint(self.fields)


@dataclass(frozen=True, slots=True)
class Difference:
    """From the settings in force to those that were read.

    Attributes:
        added, removed: ids of bots that begin or cease to be.
        sections: what else of the file holds at once, in its words (`providers.house`, `prices`).
        needs_restart: what holds after a restart only (`server.port`).
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[BotChange, ...] = ()
    sections: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be done, though something may wait for a restart."""
        return not (self.added or self.removed or self.changed or self.sections)


def difference(old: Settings, new: Settings) -> Difference:
    """What `new` changes in `old`."""
    before = {bot.id: bot for bot in old.bots if bot.enabled}
    after = {bot.id: bot for bot in new.bots if bot.enabled}
    sections, later = _server(old.server, new.server)
    for field in fields(Settings):
        was, will = getattr(old, field.name), getattr(new, field.name)
        if field.name in {"bots", "server"} or was == will:
            continue
        named = _WRITTEN_AS.get(field.name, field.name)
        (later if field.name in _AFTER_RESTART else sections).extend(_entries(named, was, will))
    return Difference(
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        changed=tuple(
            _changed(before[name], bot)
            for name, bot in after.items()
            if name in before and before[name] != bot
        ),
        sections=tuple(sections),
        needs_restart=tuple(later),
    )


def in_force(old: Settings, new: Settings) -> Settings:
    """`new`, with what only a restart can change left as it is in `old`."""
    kept: dict[str, Any] = {name: getattr(old, name) for name in _AFTER_RESTART}
    at_once = {name: getattr(new.server, name) for name in _SERVER_AT_ONCE}
    return replace(new, server=replace(old.server, **at_once), **kept)


def kept_channels(old: Bot, new: Bot) -> frozenset[str]:
    """The channels that both have just so: their connections go on."""
    before = {channel.name: channel for channel in old.channels}
    return frozenset(channel.name for channel in new.channels if before.get(channel.name) == channel)


def _changed(old: Bot, new: Bot) -> BotChange:
    names = dict.fromkeys(channel.name for channel in (*old.channels, *new.channels))
    kept = kept_channels(old, new)
    return BotChange(
        bot=new.id,
        fields=tuple(
            field.name for field in fields(Bot) if getattr(old, field.name) != getattr(new, field.name)
        ),
        channels=tuple(name for name in names if name not in kept),
    )


def _server(old: ServerSettings, new: ServerSettings) -> tuple[list[str], list[str]]:
    """What of `server:` holds at once, and what after a restart."""
    differ = [
        field.name for field in fields(ServerSettings) if getattr(old, field.name) != getattr(new, field.name)
    ]
    now = [f"server.{name}" for name in differ if name in _SERVER_AT_ONCE]
    return now, [f"server.{name}" for name in differ if name not in _SERVER_AT_ONCE]


def _entries(section: str, old: Any, new: Any) -> list[str]:  # noqa: ANN401 - whatever a section is made of
    """The section's name; of one whose entries have names, the entries that differ."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return [section]
    return [f"{section}.{name}" for name in {**old, **new} if old.get(name) != new.get(name)]
