"""Which platforms there are: one line a platform in `_ROOMS`, and nobody else names one.

Rules: a platform's module is imported when a bot uses it and not before, for each costs memory. Every room
has the same faces: `config.Config`, `wire.CAPABILITIES` and `adapter.build(config, shared)`; only the last
one may import the platform's library. The contract suite holds every room to this.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

from pydantic import BaseModel

from adapters.contract import Adapter, Capabilities
from adapters.http import Shared

_ROOMS: Mapping[str, str] = {
    "custom": "adapters.custom",
    "discord": "adapters.discord",
    "slack": "adapters.slack",
    "telegram": "adapters.telegram",
    "whatsapp": "adapters.whatsapp",
}


class UnknownPlatform(KeyError):
    """No adapter has this name; `platforms()` lists those that do."""


def platforms() -> tuple[str, ...]:
    """The names that a bot's `platform` may have, in order."""
    return tuple(sorted(_ROOMS))


def config_model(platform: str) -> type[BaseModel]:
    """The model of this platform's `platform_config`: frozen, extra forbidden. Raises UnknownPlatform."""
    return cast("type[BaseModel]", _face(platform, "config").Config)


def capabilities(platform: str) -> Capabilities:
    """What the platform can do, without loading its library. Raises UnknownPlatform."""
    return cast("Capabilities", _face(platform, "wire").CAPABILITIES)


def build(platform: str, config: BaseModel, shared: Shared, bot_id: str = "") -> Adapter:
    """Make an adapter that is not yet connected.

    Args:
        config: of `config_model(platform)`.
        bot_id: whose it is, for the address of its webhooks; empty: nobody's.
    """
    return cast("Adapter", _face(platform, "adapter").build(config, shared.for_bot(bot_id)))


def load(platform: str) -> None:
    """Import what this platform's adapters need: it takes a while, so not on the loop. Raises UnknownPlatform."""
    _face(platform, "adapter")


def _face(platform: str, face: str) -> Any:  # noqa: ANN401 - a module; the contract suite checks its faces
    try:
        room = _ROOMS[platform]
    except KeyError:
        raise UnknownPlatform(platform) from None
    return import_module(f"{room}.{face}")
