"""Moments as workflows write them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from runner.clock import UnixMs


def moment_ms(text: str) -> UnixMs | None:
    """Unix milliseconds of an ISO 8601 text, UTC where it names no zone; None: it is no moment."""
    try:
        found = datetime.fromisoformat(text.strip())
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found
        return UnixMs(round(found.timestamp() * 1000))
    except (ValueError, OverflowError):
        return None
