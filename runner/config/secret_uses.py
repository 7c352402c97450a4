"""Where a bots.yaml refers to the encrypted store, whether or not the file can be used. Pure.

Rule: it reads the file as it is written: a reference counts though the secret is missing; the operator's own keys
(`x-…`) do not count, what is merged from them does. A provider's secret is used by every bot that may call it, a
workspace's by every bot that has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runner.config.document import Plain
from runner.config.drafts import merged_with_defaults
from runner.config.models import BotSection
from runner.config.problems import Path, dotted
from runner.config.secrets import is_script

_REFERENCE = re.compile(r"\$(?:\$|\{secret:([^}]*)\})")


@dataclass(frozen=True, slots=True)
class Use:
    """One place that refers to a secret.

    Attributes:
        place: where, such as `bots.support.llm_api_key`.
        bots: whose work needs it; empty where it is the daemon's own.
    """

    secret: str
    place: str
    bots: tuple[str, ...] = ()


def uses_of(data: Plain) -> list[Use]:
    """Every reference to a secret, in the file's order."""
    if not isinstance(data, dict):
        return []
    known = {key: value for key, value in data.items() if not key.startswith("x-")}
    bots = _bots_of(known)
    return [
        Use(name, dotted(path), _users(path, bots))
        for path, text in _texts(known, ())
        if not is_script(path)
        for name in _named(text)
    ]


def _named(text: str) -> list[str]:
    return [found[1] for found in _REFERENCE.finditer(text) if found[1]]


def _texts(value: Plain, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))


def _users(path: Path, bots: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Whose work the value at that path is needed for."""
    match path:
        case ("bots", str(bot), *_):
            return (bot,)
        case ("defaults", *_):
            return tuple(bots)
        case ("providers", str(provider), *_):
            return tuple(bot for bot, written in bots.items() if provider in _called(written))
        case ("workspaces", str(workspace), *_):
            return tuple(bot for bot, written in bots.items() if written.get("workspace_id") == workspace)
        case _:
            return ()


def _bots_of(data: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The bots, as they are written, with what the defaults say of them."""
    bots, defaults = data.get("bots"), data.get("defaults")
    shared = defaults if isinstance(defaults, dict) else {}
    return {
        bot: merged_with_defaults(shared, raw if isinstance(raw, dict) else {})
        for bot, raw in (bots if isinstance(bots, dict) else {}).items()
    }


def _called(bot: Mapping[str, Any]) -> Iterator[str]:
    yield str(bot.get("llm_provider", BotSection.model_fields["llm_provider"].default))
    fallbacks, routing = bot.get("fallbacks"), bot.get("routing")
    tiers = routing.get("tiers") if isinstance(routing, dict) else None
    models = [
        tier.get("model") if isinstance(tier, dict) else tier
        for tier in (tiers.values() if isinstance(tiers, dict) else ())
    ]
    others = [*(fallbacks if isinstance(fallbacks, list) else ()), *models, bot.get("transcription")]
    for pair in others:
        if isinstance(pair, str):
            yield pair.partition("/")[0]
