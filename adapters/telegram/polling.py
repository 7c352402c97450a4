"""The poll loop: Telegram's updates in, in order, none lost and none twice.

    getMe ──▶ getUpdates ──▶ parse ──▶ deliver, one of a chat after the other ──▶ offset ──▶ getUpdates …
                  │ failed                    │ LIMITED, OVERLOADED: the same one again, later
                  └──▶ wait, longer each time; one short poll shows that it is back

Rules: the offset moves only when all of a poll is durable; what was not acknowledged comes again and is known by
its id. The updates of an album stay unconfirmed until it is whole (`albums`), what came after them goes on. One
update that cannot be read is counted and kept, and the others go on. A dead token ends the loop
(`RefusedConnection`); nothing else does. No failure is answered without a pause.

| what happens                | state    | what is done                                            |
|-----------------------------|----------|---------------------------------------------------------|
| 401, 404 from Telegram      | refused  | the end                                                 |
| 409, another process polls  | degraded | back-off, then a whole poll before it counts as over    |
| 409, a webhook is left      | –        | taken back once, then as above                          |
| 429                         | degraded | as long as Telegram says                                |
| network, 5xx, garbage       | down     | back-off                                                |
| a poll that never ends      | down     | cut off `poll_grace_s` after its time, back-off         |
| an unreadable update        | degraded | counted, kept in `Unreadable`, stepped over             |
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from adapters.contract import ConnectionState, Deliver, Timer
from adapters.errors import RefusedConnection, Unreachable, UnreadableUpdate
from adapters.messages import InboundMessage
from adapters.telegram import wire
from adapters.telegram.albums import HOLD_S, Albums, album_of, unfinished
from adapters.telegram.client import Client, Contested, Refused
from adapters.telegram.telling import ACKNOWLEDGED, SHORTEST_WAIT_S, Telling, Unreadable

_FORGET_OFFSET_S = 86_400.0


class PollLoop:
    """One bot's loop, for one life of its connection."""

    __slots__ = (
        "_ahead",
        "_albums",
        "_client",
        "_deliver",
        "_heard_at",
        "_me",
        "_offset",
        "_seen",
        "_telling",
        "_timer",
        "_unreadable",
        "_webhook_removed",
    )

    def __init__(
        self,
        client: Client,
        timer: Timer,
        telling: Telling,
        unreadable: Unreadable,
        deliver: Deliver,
    ) -> None:
        self._client = client
        self._timer = timer
        self._telling = telling
        self._unreadable = unreadable
        self._deliver = deliver
        self._offset: int | None = None
        self._heard_at = timer.monotonic()
        self._webhook_removed = False
        self._me: wire.Me | None = None
        self._albums = Albums()
        self._seen: Mapping[str, int] = {}
        self._ahead: set[int] = set()  # handed in, but not confirmed, for an album before them is held

    async def run(self) -> None:
        """Poll until cancelled. Raises RefusedConnection, and only that."""
        self._telling.tell(ConnectionState.CONNECTING)
        hold = True
        while True:
            try:
                if self._me is None:
                    self._me = await self._client.introduce()
                    self._telling.tell(ConnectionState.UP)
                updates = await self._client.updates(self._offset, hold=hold)
            except RefusedConnection as error:
                self._telling.tell(ConnectionState.REFUSED, str(error))
                raise
            except Contested as error:
                hold = True  # a short poll would succeed between two of the other's
                await self._contested(error)
            except (Unreachable, Refused) as error:
                hold = False
                await self._telling.wait_out(error)
            else:
                hold = await self._heard(self._me, updates)

    async def _contested(self, error: Contested) -> None:
        if error.by_webhook and not self._webhook_removed:
            self._webhook_removed = True
            try:
                await self._client.remove_webhook()
            except (Unreachable, Refused) as failure:
                await self._telling.wait_out(failure)
            return
        why = "a webhook is set" if error.by_webhook else "another process polls this token"
        self._telling.tell(ConnectionState.DEGRADED, f"{why} ({error})")
        await self._telling.pause()

    async def _heard(self, me: wire.Me, updates: list[Any]) -> bool:
        """Hand in what came; returns whether the next poll may be held."""
        raws = {number: raw for raw in updates if (number := wire.update_id(raw)) is not None}
        if updates and not raws:
            await self._telling.wait_out(Unreachable("updates without numbers"))
            return True
        self._telling.works()
        fresh = {number: raws[number] for number in sorted(raws.keys() - self._ahead)}
        growing = unfinished(fresh, self._seen)
        held = {number for numbers in growing.values() for number in numbers}
        before = self._unreadable.count
        read = list(self._readable(me, {n: raw for n, raw in fresh.items() if n not in held}))
        if self._unreadable.count == before:
            self._telling.tell(ConnectionState.UP)
        await self._hand_in(self._albums.gathered(read))
        for number, album, _ in read:
            if album is not None:
                self._albums.remember(album, [number])
        self._seen = {album: len(numbers) for album, numbers in growing.items()}
        if not held:
            self._confirm(raws.keys())
            return True
        self._offset = min(held)
        self._ahead = {number for number in raws if number > self._offset} - held
        await self._timer.sleep(HOLD_S)
        return False

    def _confirm(self, numbers: Collection[int]) -> None:
        """All of a poll is durable."""
        now = self._timer.monotonic()
        self._ahead.clear()
        if numbers:
            self._offset = max(numbers) + 1
            self._heard_at = now
        elif now - self._heard_at > _FORGET_OFFSET_S:
            # After a quiet week Telegram numbers anew, perhaps lower; an old offset would skip those.
            self._offset = None

    def _readable(
        self, me: wire.Me, updates: Mapping[int, Any]
    ) -> Iterable[tuple[int, str | None, InboundMessage]]:
        """Number, album and message of each update that is one for us."""
        for number, raw in updates.items():
            try:
                message = wire.parse(raw, me)
            except UnreadableUpdate as error:
                self._unreadable.note(raw)
                self._telling.tell(ConnectionState.DEGRADED, str(error))
            else:
                if message is not None:
                    yield number, album_of(raw), message

    async def _hand_in(self, messages: list[InboundMessage]) -> None:
        """Deliver chats side by side, so that one that is held up holds up nobody else of this poll."""
        chats: dict[str, list[InboundMessage]] = {}
        for message in messages:
            chats.setdefault(message.chat.place, []).append(message)
        if len(chats) == 1:
            await self._chat(messages)
            return
        async with asyncio.TaskGroup() as group:
            for place, of_chat in chats.items():
                group.create_task(self._chat(of_chat), name=f"telegram chat {place}")

    async def _chat(self, messages: list[InboundMessage]) -> None:
        for message in messages:
            while (delivery := await self._deliver(message)).state not in ACKNOWLEDGED:
                await self._timer.sleep(max(SHORTEST_WAIT_S, delivery.retry_after_s))
