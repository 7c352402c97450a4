"""Messages on their way in: in order in each channel, channels side by side, and gaps filled from the history.

    socket ──offer──▶ lane of the channel ──▶ parse ──▶ deliver, again while LIMITED or OVERLOADED
    gap ────refill──▶       ▲ history(after=…), oldest first, before what waits

Rules: the gateway waits for nobody and takes no acknowledgement, so nothing here stops reading. What finds no
room is not kept but noted as a gap of its channel, and read from the history when its turn comes. A message that
comes twice is delivered twice, with one id: who is delivered to knows it.
Bounds: `MOST_WAITING` messages, `MOST_CURSORS` channels, `MOST_PAGES` pages a gap: of a longer one the latest,
for after a start most of what is old is known already.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from adapters.contract import Deliver, DeliveryState
from adapters.discord.client import Client, Refused, SlowDown
from adapters.errors import RefusedConnection, Unreachable
from adapters.http import Backoff, Shared
from adapters.messages import ChatKind, InboundMessage

MOST_WAITING = 2000
MOST_CURSORS = 2000
MOST_PAGES = 5
PAGE = 100
_MOST_TRIES = 12
_READERS = 4
_SHORTEST_WAIT_S = 0.05
ACKNOWLEDGED = frozenset({DeliveryState.ACCEPTED, DeliveryState.DUPLICATE, DeliveryState.IGNORED})


@dataclass(slots=True)
class _Lane:
    """A channel with something to do. `gap`: what comes after this id is still to be read."""

    guild: str | None
    waiting: deque[Any] = field(default_factory=deque)
    gap: int | None = None
    refilled: set[int] = field(default_factory=set)


class Intake:
    """One bot's lanes, for one life of its connection.

    Args:
        read: parses one message; None: nothing that we answer, or nothing that can be read.
        tasks: owns one task a lane; they raise nothing.
        trouble: told in one sentence what went wrong; None: all is well again.
    """

    def __init__(
        self,
        client: Client,
        shared: Shared,
        deliver: Deliver,
        read: Callable[[Any], InboundMessage | None],
        tasks: asyncio.TaskGroup,
        trouble: Callable[[str | None], None],
    ) -> None:
        self._client = client
        self._shared = shared
        self._deliver = deliver
        self._read = read
        self._tasks = tasks
        self._trouble = trouble
        self._lanes: dict[str, _Lane] = {}
        self._cursors: OrderedDict[str, tuple[int, str | None]] = OrderedDict()
        self._readers = asyncio.Semaphore(_READERS)
        self._waiting = 0

    def offer(self, raw: Any) -> None:  # noqa: ANN401 - whatever the platform sent
        """A message from the socket; returns at once."""
        channel, number, guild = _place(raw)
        lane = self._lane(channel, guild)
        if self._waiting < MOST_WAITING:
            lane.waiting.append(raw)
            self._waiting += 1
        elif lane.gap is None:
            lane.gap = max(number - 1, 0)
        if number:
            self._note(channel, number, guild)

    def refill(self, channel: str, guild: str | None, after: int) -> None:
        """Read what was said in a channel after an id, unless that is known already."""
        known, _ = self._cursors.get(channel, (0, guild))
        lane = self._lane(channel, guild)
        lane.gap = max(after, known) if lane.gap is None else min(lane.gap, max(after, known))

    def recall(self, messages: Iterable[InboundMessage]) -> None:
        """Take in how far each channel had come before, the latest last.

        A channel's messages become durable one after the other, so what was before its latest is known. A command
        is not in that order: it tells of its channel, and not how far that had come.
        """
        for message in messages:
            number = message.details.get("message_id")
            known = int(number) if isinstance(number, str) and number.isdigit() else 0
            self._note(message.chat.id, known, None if message.chat.kind is ChatKind.DIRECT else "")

    def direct_chats(self) -> Iterable[str]:
        """The direct channels that were heard of, the latest last. No event tells of them after a gap."""
        return [channel for channel, (_, guild) in self._cursors.items() if guild is None]

    def last_heard(self, channel: str) -> int:
        """The id of the last message of a channel that was taken in; 0: none."""
        return self._cursors.get(channel, (0, None))[0]

    def _note(self, channel: str, number: int, guild: str | None) -> None:
        known, _ = self._cursors.get(channel, (0, None))
        self._cursors[channel] = (max(known, number), guild)
        self._cursors.move_to_end(channel)
        while len(self._cursors) > MOST_CURSORS:
            self._cursors.popitem(last=False)

    def _lane(self, channel: str, guild: str | None) -> _Lane:
        lane = self._lanes.get(channel)
        if lane is None:
            lane = self._lanes[channel] = _Lane(guild)
            self._tasks.create_task(self._work(channel, lane), name=f"discord channel {channel}")
        return lane

    async def _work(self, channel: str, lane: _Lane) -> None:
        try:
            while lane.waiting or lane.gap is not None:
                if lane.gap is not None and not (lane.waiting and _place(lane.waiting[0])[1] <= lane.gap):
                    await self._fill(channel, lane, lane.gap)
                    continue
                raw = lane.waiting[0]
                if _place(raw)[1] not in lane.refilled:
                    await self._hand_in(raw)
                lane.waiting.popleft()
                self._waiting -= 1
        finally:
            self._waiting -= len(lane.waiting)
            del self._lanes[channel]

    async def _fill(self, channel: str, lane: _Lane, after: int) -> None:
        lane.gap = None
        page = await self._history(channel, f"after={after}")
        if len(page) == PAGE and (reach := await self._reach(channel, after)) > after:
            self._trouble(
                f"more than {PAGE * MOST_PAGES} messages were missed in channel {channel}: older ones are left"
            )
            after = reach
            page = await self._history(channel, f"after={after}")
        for _ in range(MOST_PAGES):
            for raw in page:
                number = _place(raw)[1]
                if lane.guild is not None:
                    raw["guild_id"] = lane.guild  # which the history leaves out
                await self._hand_in(raw)
                lane.refilled.add(number)
                self._note(channel, number, lane.guild)
                after = max(after, number)
            if len(page) < PAGE:
                return
            page = await self._history(channel, f"after={after}")

    async def _reach(self, channel: str, after: int) -> int:
        """`after`, or where the channel's latest `MOST_PAGES` pages begin, if that is later. Keeps no page."""
        first, which = 0, ""
        for _ in range(MOST_PAGES):
            page = await self._history(channel, which)
            first = _place(page[0])[1] if page else 0
            if len(page) < PAGE or first <= after:
                return after
            which = f"before={first}"
        older = await self._history(channel, which)
        return first - 1 if older and _place(older[-1])[1] > after else after

    async def _history(self, channel: str, which: str) -> list[Any]:
        """A page of what was said, oldest first; nothing where it cannot be had. `which`: empty: the latest."""
        query = f"{which}&limit={PAGE}" if which else f"limit={PAGE}"
        backoff = Backoff(self._shared.chance)
        why = ""
        for _ in range(_MOST_TRIES):
            try:
                async with self._readers:
                    page = await self._client.get(f"/channels/{channel}/messages?{query}")
                return sorted((raw for raw in page if isinstance(raw, dict)), key=lambda raw: _place(raw)[1])
            except (Refused, RefusedConnection):
                return []  # closed to us, or gone; a dead token shows on the connection
            except SlowDown as slow:
                why = str(slow)
                await self._shared.timer.sleep(max(_SHORTEST_WAIT_S, slow.retry_after_s or 0.0))
            except (Unreachable, TypeError) as error:
                why = str(error)
                await self._shared.timer.sleep(backoff.next_s())
        self._trouble(f"what was missed in channel {channel} could not be read: {why}")
        return []

    async def _hand_in(self, raw: Any) -> None:  # noqa: ANN401 - whatever the platform sent
        message = self._read(raw)
        if message is None:
            return
        while (delivery := await self._deliver(message)).state not in ACKNOWLEDGED:
            await self._shared.timer.sleep(max(_SHORTEST_WAIT_S, delivery.retry_after_s))
        self._trouble(None)


def _place(raw: Any) -> tuple[str, int, str | None]:  # noqa: ANN401 - whatever the platform sent
    """Channel, number and server of a message; the number is 0 where it has none that can be read."""
    if not isinstance(raw, dict):
        return "", 0, None
    number, guild = raw.get("id"), raw.get("guild_id")
    readable = isinstance(number, str) and number.isascii() and number.isdigit()
    return (
        str(raw.get("channel_id", "")),
        int(number) if readable and isinstance(number, str) else 0,
        None if guild is None else str(guild),
    )
