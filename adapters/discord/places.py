"""What the bot knows of its servers: its threads, its roles, and where something was said last. No I/O.

Rules: filled by the gateway's events alone; bounded, the oldest thread is forgotten first; an event that lacks
what it should have is raised as KeyError, TypeError or ValueError and changes nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from adapters.discord.wire import instant_ms, snowflake_at

_MOST_THREADS = 5000
_MOST_GUILDS = 2500


@dataclass(frozen=True, slots=True)
class Spoken:
    """A channel of a server in which something was said.

    Attributes:
        last: the id of what was said last.
        since: nothing before this id is for the bot, which was not there yet.
    """

    channel: str
    guild: str
    last: int
    since: int


class Places:
    """One bot's servers."""

    __slots__ = ("_me", "_roles", "_threads")

    def __init__(self, me: str) -> None:
        self._me = me
        self._threads: OrderedDict[str, None] = OrderedDict()
        self._roles: OrderedDict[str, frozenset[str]] = OrderedDict()

    @property
    def threads(self) -> AbstractSet[str]:
        """The threads that the bot has joined."""
        return self._threads.keys()

    @property
    def roles(self) -> AbstractSet[str]:
        """The roles that Discord made for the bot."""
        return frozenset[str]().union(*self._roles.values())

    def guild(self, raw: Mapping[str, Any]) -> list[Spoken]:
        """GUILD_CREATE: a server is there. Returns where something was said, the latest first."""
        if raw.get("unavailable"):
            return []
        guild = str(raw["id"])
        own = (role["id"] for role in raw.get("roles") or () if self._is_own(role))
        self._roles[guild] = frozenset(own)
        while len(self._roles) > _MOST_GUILDS:
            self._roles.popitem(last=False)
        threads = raw.get("threads") or ()
        for thread in threads:
            self.thread(thread)
        since = snowflake_at(instant_ms(raw["joined_at"])) if raw.get("joined_at") else 0
        found = [
            Spoken(str(channel["id"]), guild, int(channel["last_message_id"]), since)
            for channel in (*(raw.get("channels") or ()), *threads)
            if channel.get("last_message_id")
        ]
        return sorted(found, key=lambda one: one.last, reverse=True)

    def _is_own(self, role: Mapping[str, Any]) -> bool:
        return bool((role.get("tags") or {}).get("bot_id") == self._me)

    def thread(self, raw: Mapping[str, Any]) -> None:
        """THREAD_CREATE, or one of a list: known where the bot is in it."""
        if raw.get("member") is not None or raw.get("owner_id") == self._me:
            self._join(str(raw["id"]))

    def thread_list(self, raw: Mapping[str, Any]) -> None:
        """THREAD_LIST_SYNC: threads of a channel that the bot may now see."""
        joined = {str(member["id"]) for member in raw.get("members") or ()}
        for thread in raw.get("threads") or ():
            if str(thread["id"]) in joined:
                self._join(str(thread["id"]))
            else:
                self.thread(thread)

    def members(self, raw: Mapping[str, Any]) -> None:
        """THREAD_MEMBERS_UPDATE: somebody joined or left."""
        thread = str(raw["id"])
        if any(member.get("user_id") == self._me for member in raw.get("added_members") or ()):
            self._join(thread)
        if self._me in (raw.get("removed_member_ids") or ()):
            self.gone([thread])

    def gone(self, threads: Iterable[str]) -> None:
        """These threads are closed to the bot."""
        for thread in threads:
            self._threads.pop(thread, None)

    def _join(self, thread: str) -> None:
        self._threads[thread] = None
        self._threads.move_to_end(thread)
        while len(self._threads) > _MOST_THREADS:
            self._threads.popitem(last=False)
