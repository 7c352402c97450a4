"""Which definition of a bot it is: the same digest in every process as long as bots.yaml says the same.

Rule: secrets are left out, so a digest tells nothing of them and a rotated key is no update.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass

from runner.bots import Bot, Secret


def digests_of(bots: Iterable[Bot]) -> dict[str, str]:
    """Each bot's digest, by id."""
    return {bot.id: hashlib.sha256(_stable(bot).encode(errors="replace")).hexdigest() for bot in bots}


def _stable(value: object) -> str:
    """The value as a text that does not hang on hashing or on the order of sets."""
    if isinstance(value, Secret):
        return "secret"
    if is_dataclass(value) and not isinstance(value, type):
        return _listed(f"{each.name}={_stable(getattr(value, each.name))}" for each in fields(value))
    if isinstance(value, Mapping):
        return _listed(sorted(f"{_stable(key)}:{_stable(one)}" for key, one in value.items()))
    if isinstance(value, set | frozenset):
        return _listed(sorted(map(_stable, value)))
    if isinstance(value, tuple | list):
        return _listed(map(_stable, value))
    dump = getattr(value, "model_dump", None)
    return repr(value) if dump is None else _stable(dump())


def _listed(texts: Iterable[str]) -> str:
    return f"({','.join(texts)})"
