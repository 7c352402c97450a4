"""Sees that the daemons' shared caps or secrets are other ones than were read, and has them taken up.

    cap/…      laid over bots.yaml anew
    secret/…   bots.yaml is read again, for it may refer to them; with `reload: off` when somebody asks for it

Rule: news is only a hint to look at once; what counts is what the store says, and it is asked every `LOOK_S` anyway.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Protocol

from runner.app.in_force import InForce
from runner.config import hand_caps, shared_secrets
from runner.errors import StoreError
from runner.ports.fleet import Fleet, News, NewsKind
from runner.ports.observer import Fault, Observer
from runner.ports.reloads import Reloaded, Unusable
from runner.ports.sharing import SharedValues

LOOK_S = 2.0
CAPS = "a cap was set for all daemons"
SECRETS = "the secrets of all daemons changed"
_OURS = (hand_caps.PREFIX, shared_secrets.PREFIX)


class Renewing(Protocol):
    """Who puts things in force: a `reloading.Reloader`."""

    @property
    def store_was_away(self) -> bool:
        """Whether the file was read and its secrets could not be."""

    def ask(self, reason: str) -> None:
        """Read the file as soon as may be."""

    async def renew(self, reason: str) -> Reloaded | Unusable:
        """Put in force what is laid over the file now."""


class SharedWatch:
    """Watches the shared values that settings are made of."""

    def __init__(
        self,
        values: SharedValues,
        fleet: Fleet,
        renewing: Renewing,
        in_force: InForce,
        observer: Observer,
        look_s: float = LOOK_S,
    ) -> None:
        self._values = values
        self._fleet = fleet
        self._renewing = renewing
        self._in_force = in_force
        self._observer = observer
        self._look_s = look_s
        self._hint = asyncio.Event()
        self._caps: Mapping[str, str] = {}
        self._secrets: Mapping[str, str] = {}
        self._fault = ""

    async def run(self) -> None:
        """Until cancelled. What changed since bots.yaml was read for the start is seen by the first look."""
        news = self._fleet.listen()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hear(news), name="shared values: news")
            while True:
                self._hint.clear()
                await self._look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._look_s):
                        await self._hint.wait()

    async def _hear(self, news: AsyncIterator[News]) -> None:
        async for one in news:
            if one.kind is NewsKind.GAP or (one.kind is NewsKind.VALUES and one.text.startswith(_OURS)):
                self._hint.set()

    async def _look(self) -> None:
        now_ms = self._fleet.now_ms()
        try:
            caps = await self._values.values(hand_caps.PREFIX, now_ms)
            secrets = await self._values.values(shared_secrets.PREFIX, now_ms)
        except StoreError as error:
            self._tell(str(error))
            return
        self._tell("")
        if secrets != self._secrets or self._renewing.store_was_away:
            self._secrets = secrets
            if self._in_force.settings.reload:
                self._renewing.ask(SECRETS)
        if caps != self._caps and isinstance(await self._renewing.renew(CAPS), Reloaded):
            self._caps = caps

    def _tell(self, fault: str) -> None:
        """Once for each fault."""
        if fault and fault != self._fault:
            self._observer.note(Fault("shared values", fault))
        self._fault = fault
