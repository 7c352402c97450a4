"""Importing a library without what it drags in and nobody here calls.

Rule: some libraries load optional others wherever those are installed and do without where they are not; while
they are imported inside `without`, those look as if they were not. Each use names what it saves, measured in
docs/decisions/lean-start.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Let imports of these modules fail for a while; those that are loaded already stay as they are."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = cast("ModuleType", None)  # the import system's own sign for «not to be had»
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
