"""How fast a bot may speak once its platform has complained. Pure.

Rules: a platform that takes everything is sent everything; after a «too many requests» nothing goes to that
chat (or from that bot) for as long as it asked, and for `CAUTIOUS_S` afterwards no faster than the platform's
published pace. Measured against a fixed pace in docs/decisions/pacing.md. Bounded: what is over is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass

from adapters.contract import Capabilities

CAUTIOUS_S = 60.0


@dataclass(slots=True)
class _Brake:
    next_at: float
    silent_until: float

    @property
    def cautious_until(self) -> float:
        return self.silent_until + CAUTIOUS_S


class Pace:
    """The pace of one bot's channel: a brake for the bot, one for each chat that was complained about."""

    def __init__(self, capabilities: Capabilities) -> None:
        self._chat_interval = capabilities.chat_interval_s
        self._bot_interval = capabilities.bot_interval_s
        self._bot: _Brake | None = None
        self._chats: dict[str, _Brake] = {}

    def complained(self, place: str, wait_s: float, now: float, *, whole_bot: bool) -> None:
        """The platform asked for `wait_s` seconds of silence; a longer one that it asked for before goes on."""
        brake = _Brake(now + wait_s, now + wait_s)
        earlier = self._bot if whole_bot else self._chats.get(place)
        if earlier is not None:
            brake.next_at = max(brake.next_at, earlier.next_at)
            brake.silent_until = max(brake.silent_until, earlier.silent_until)
        if whole_bot:
            self._bot = brake
        else:
            self._chats[place] = brake

    def is_silent(self, place: str, now: float) -> bool:
        """Whether nothing may go there now, whatever was reserved before."""
        brakes = (self._bot, self._chats.get(place))
        return any(brake is not None and now < brake.silent_until for brake in brakes)

    def reserve(self, place: str, now: float) -> float:
        """Seconds to wait before the next message to this place; it is counted as sent then.

        Whoever waited asks `is_silent` afterwards, and reserves anew where it is.
        """
        if self._bot is None and not self._chats:
            return 0.0
        self._forget(now)
        at = now
        brakes = [
            (brake, interval)
            for brake, interval in (
                (self._bot, self._bot_interval),
                (self._chats.get(place), self._chat_interval),
            )
            if brake is not None
        ]
        for brake, _ in brakes:
            at = max(at, brake.next_at)
        for brake, interval in brakes:
            brake.next_at = at + interval
        return at - now

    def _forget(self, now: float) -> None:
        if self._bot is not None and now >= self._bot.cautious_until:
            self._bot = None
        over = [place for place, brake in self._chats.items() if now >= brake.cautious_until]
        for place in over:
            del self._chats[place]
