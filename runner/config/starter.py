"""The file that `botrunner init` writes: it works as it is, without a token or a key."""

from __future__ import annotations

from importlib import resources


def starter_text() -> str:
    """The text of a first bots.yaml, with further bots as examples behind # signs."""
    return resources.files("runner.config").joinpath("starter.yaml").read_text(encoding="utf-8")
