"""What is remembered of the latest only: a bounded mapping in the order of use. Pure."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")


def keep_latest(kept: OrderedDict[_K, _V], key: _K, value: _V, most: int) -> None:
    """Keep it as the latest; where there are more than `most`, what was quiet longest goes."""
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)
