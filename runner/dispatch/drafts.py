"""Shows an answer while it grows, where the platform can (`Capabilities.drafts`).

Rules: nothing is shown before `FIRST_S`, and no more often than the platform allows; an answer that no longer
fits one part stands still until it is whole; before the whole answer goes out the last draft under way has
ended, so that it cannot come after it. Showing never fails a turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self, cast

from adapters.contract import Adapter, DraftingAdapter
from adapters.messages import ChatKind, InboundMessage, OutboundMessage
from runner.clock import Clock

FIRST_S = 1.0
LAST_S = 2.0
"""How long the last draft may take to end."""
SHORTEST = 8


class Drafts:
    """Hears one turn's answer and shows it as it grows. A `runner.ports.listener.Listener`."""

    def __init__(
        self,
        adapter: DraftingAdapter,
        message: InboundMessage,
        key: str,
        clock: Clock,
        tasks: asyncio.TaskGroup,
    ) -> None:
        can = adapter.capabilities
        self._adapter = adapter
        self._message = message
        self._key = key
        self._clock = clock
        self._tasks = tasks
        self._most = can.max_text
        group = message.chat.kind is ChatKind.GROUP
        self._every_s = can.draft_every_group_s if group else can.draft_every_s
        self._pieces: list[str] = []
        self._heard = asyncio.Event()
        self._arrived = asyncio.Event()
        self._arrived.set()
        self._showing: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Forget what was heard."""
        self._pieces.clear()

    def hear(self, piece: str) -> None:
        """Keep it; the first piece starts the showing."""
        self._pieces.append(piece)
        self._heard.set()
        if self._showing is None:
            self._showing = self._tasks.create_task(self._show(), name=f"draft {self._key}")

    async def __aenter__(self) -> Self:
        """Nothing is shown yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let a draft under way arrive, then show no more."""
        if self._showing is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_S):
                await self._arrived.wait()
        self._showing.cancel()

    async def _show(self) -> None:
        """Show what there is, wait, show again."""
        await self._clock.sleep(FIRST_S)
        shown = ""
        while True:
            self._heard.clear()
            text = "".join(self._pieces)
            if text != shown and len(text) >= SHORTEST and self._fits(text):
                shown = text
                self._arrived.clear()
                with suppress(Exception):  # a draft that did not come through is no news
                    await self._adapter.draft(self._draft(text))
                self._arrived.set()
                await self._clock.sleep(self._every_s)
            await self._heard.wait()

    def _fits(self, text: str) -> bool:
        """Whether it still is one part, in whatever units the platform counts."""
        return len(text.encode("utf-16-le", "replace")) // 2 <= self._most

    def _draft(self, text: str) -> OutboundMessage:
        message = self._message
        return OutboundMessage(self._key, message.chat, text, message.event_id, message.details)


class NoDrafts:
    """Where nothing is shown: nobody listens."""

    async def __aenter__(self) -> None:
        """Nobody."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to stop."""


def drafts_for(
    adapter: Adapter | None, message: InboundMessage, key: str, *, wanted: bool
) -> Callable[[Clock, asyncio.TaskGroup], Drafts | NoDrafts]:
    """What shows this answer's drafts."""
    if adapter is None or not wanted or not (adapter.capabilities.drafts and message.live):
        return lambda clock, tasks: NoDrafts()  # noqa: ARG005 - whoever is called needs neither
    drafting = cast("DraftingAdapter", adapter)
    return lambda clock, tasks: Drafts(drafting, message, key, clock, tasks)
