"""Which places a daemon of a fleet leaves to the other daemons for now. Pure but for its own memory.

    filed by us ─────────────▶ ours: at once
    filed by another daemon ─▶ that one's for `HEAD_START_S`, then whoever is first
    a daemon is gone ────────▶ nobody waits for anybody, for `HEIRS_S`
    we were not first ───────▶ again after a while, longer each time

Rule: this only saves the store from being asked in vain: who may send is decided there (`Store.begin_sending`).
Times are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Collection

HEAD_START_S = 3.0
HEIRS_S = 2.0
FIRST_WAIT_S = 0.05
LONGEST_WAIT_S = 1.0

Place = tuple[str, str, str]


class OtherSenders:
    """What is known of them. It remembers places of which something is pending, and no others."""

    def __init__(self) -> None:
        self._own: set[Place] = set()
        self._seen: dict[Place, float] = {}
        self._late: dict[Place, tuple[float, float]] = {}
        self._heirs_until: float | None = None

    def ours(self, place: Place) -> None:
        """We have something for that place."""
        self._own.add(place)

    def wait_s(self, place: Place, now: float) -> float:
        """How long something that is due there is left to others; 0: it is ours to try."""
        if self._heirs_until is None:  # we have just begun: what there is may be nobody's
            self._heirs_until = now + HEIRS_S
        until, _ = self._late.get(place, (now, 0.0))
        if place not in self._own:
            since = self._seen.setdefault(place, now)
            if now >= self._heirs_until:
                until = max(until, since + HEAD_START_S)
        return max(0.0, until - now)

    def was_late(self, place: Place, now: float) -> None:
        """Another daemon sends there, or an earlier part is not through."""
        _, before = self._late.get(place, (0.0, FIRST_WAIT_S / 2))
        wait = min(LONGEST_WAIT_S, before * 2)
        self._late[place] = (now + wait, wait)

    def was_first(self, place: Place) -> None:
        """It is ours to send."""
        self._late.pop(place, None)

    def daemon_gone(self, now: float) -> None:
        """What it had filed is anybody's."""
        self._heirs_until = now + HEIRS_S

    def keep(self, pending: Collection[Place]) -> None:
        """Of these places something is pending; all others are forgotten."""
        self._own &= set(pending)
        self._seen = {place: at for place, at in self._seen.items() if place in pending}
        self._late = {place: when for place, when in self._late.items() if place in pending}
