"""What all adapters of a process share, and how long they wait after a failure.

Rules: one HTTP session and one TLS context a process, however many bots; the session is made at the first use,
inside the running loop. Adapters take time, ids and chance from here and from nowhere else. No adapter logs:
it reports its state and returns results.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from random import SystemRandom
from typing import TYPE_CHECKING

from adapters.contract import Timer

if TYPE_CHECKING:  # aiohttp is loaded with the first session: `check` needs the registry, but no network
    from ssl import SSLContext

    from aiohttp import ClientSession


class _Session:
    """The one session, made when it is used."""

    __slots__ = ("_session", "_tls")

    def __init__(self, tls: SSLContext | None) -> None:
        self._tls = tls
        self._session: ClientSession | None = None

    def get(self) -> ClientSession:
        if self._session is None or self._session.closed:
            import aiohttp  # noqa: PLC0415 - 0.2 s and 20 MiB that only a connection needs

            connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, ssl=self._tls or True)
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=True
            )
        return self._session

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class Shared:
    """The session, the time, the ids and the chance of all adapters of a process. Closed by who made it.

    Args:
        timer: tells the time and sleeps.
        new_id: makes a text that is unique for ever.
        chance: a number from 0 up to 1, for jitter.
        tls: the process's TLS context; None: aiohttp's own, which is also one for all.
        public_url: how platforms reach this process; None: they cannot.

    Attributes:
        bot_id: whose view of it this is (`for_bot`); empty: nobody's.
    """

    __slots__ = ("_session", "bot_id", "chance", "new_id", "public_url", "timer")

    def __init__(
        self,
        timer: Timer,
        new_id: Callable[[], str],
        chance: Callable[[], float] | None = None,
        tls: SSLContext | None = None,
        public_url: str | None = None,
    ) -> None:
        self.timer = timer
        self.new_id = new_id
        self.chance = chance or SystemRandom().random
        self.public_url = public_url
        self.bot_id = ""
        self._session = _Session(tls)

    def for_bot(self, bot_id: str) -> Shared:
        """The same for one bot: it shares all, the session too, and knows whose it is."""
        view = copy(self)
        view.bot_id = bot_id
        return view

    def webhook_url(self, platform: str) -> str | None:
        """Where the platform posts what is for this bot; None where that is not known."""
        if self.public_url is None or not self.bot_id:
            return None
        return f"{self.public_url.rstrip('/')}/api/bots/webhook/{platform}/{self.bot_id}"

    @property
    def session(self) -> ClientSession:
        """The session, made now if need be. Its connections need no limit: a bot has one poll and few sends."""
        return self._session.get()

    async def close(self) -> None:
        """Close the session, if there is one."""
        await self._session.close()


class Backoff:
    """How long to wait after the nth failure in a row: doubling, with jitter, never over the limit.

    The nth wait is between half and all of `first_s * 2**n`, at most `most_s`: bots that lost the same
    platform together do not come back together.
    """

    __slots__ = ("_chance", "_failures", "_first_s", "_most_s")

    def __init__(self, chance: Callable[[], float], first_s: float = 0.5, most_s: float = 60.0) -> None:
        self._chance = chance
        self._first_s = first_s
        self._most_s = most_s
        self._failures = 0

    def next_s(self) -> float:
        """Seconds to wait after one more failure."""
        whole = min(self._most_s, self._first_s * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return whole * (0.5 + 0.5 * self._chance())

    def reset(self) -> None:
        """It worked again: the next failure is the first."""
        self._failures = 0
