"""What goes out: stored first, then sent, in order for each place, each part's fate written down.

    T4 sending ──▶ send ──▶ Sent         T5 sent
                     ├────▶ NotSent      pending, due later; the place waits behind it
                     ├────▶ Rejected     rejected, told
                     └────▶ FateUnknown  unknown and listed; sent again only where a nonce makes that harmless

Rules: a part that is `sending` in the store was perhaps sent, one that is `pending` was not; memory holds at
most `MAX_IN_HAND` parts, the rest waits in the store and is found in order. On a fleet any daemon may send; who does
is decided by the store, part by part, and a part that another daemon was first with is let go without a word.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from adapters.contract import Adapter
from adapters.messages import FateUnknown, NotSent, Rejected, SendResult, Sent, outbound_from_json
from runner.clock import Clock, is_due
from runner.dispatch.other_senders import OtherSenders, Place
from runner.dispatch.pace import Pace
from runner.dispatch.trouble import Trouble
from runner.errors import IllegalStep, StoreError
from runner.ports.mail import OutboxState, Outgoing
from runner.ports.observer import Fault, Observer, SendEnded
from runner.ports.roster import Roster
from runner.ports.stores import Store

MAX_IN_HAND = 2000
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
LONGEST_DUE_MS = 300_000
"""How far off a part's stored time is at most; a longer silence that a platform asked for is the pace's to keep."""
LOOK_AGAIN_S = 2.0
FLEET_LOOK_S = 0.4
BREATH_S = 0.05
PAGE = 500
ROWS_PER_S = 10_000
"""A long backlog is not read through more often than this allows."""
FAULT_WAIT_S = 0.5


class Outbox:
    """Sends.

    Args:
        tasks: owns one task for each place that has something to send; they never raise into it.
    """

    def __init__(
        self, store: Store, roster: Roster, clock: Clock, observer: Observer, tasks: asyncio.TaskGroup
    ) -> None:
        self._store = store
        self._roster = roster
        self._clock = clock
        self._observer = observer
        self._tasks = tasks
        self._queues: dict[Place, deque[Outgoing]] = {}
        self._senders: dict[asyncio.Task[None], Place] = {}
        self._paces: dict[tuple[str, str], Pace] = {}
        self._in_hand = 0
        self._stored: dict[Place, int] | None = None
        self._fresh: set[Place] = set()
        self._being_found: set[Place] = set()
        self._look = asyncio.Event()
        self._stopping = False
        self._others = None if store.fleet is None else OtherSenders()

    def first_state(self, bot: str, channel: str, place: str, parts: int) -> OutboxState:
        """In which state a reply's parts are to be stored: `sending` only where they go out at once."""
        key = (bot, channel, place)
        if parts != 1 or self._stopping or self._in_hand >= MAX_IN_HAND or self._stored is None:
            return OutboxState.PENDING
        taken = (self._queues, self._stored, self._fresh, self._being_found)
        pace = self._paces.get((bot, channel))
        silent = pace is not None and pace.is_silent(place, self._clock.monotonic())
        free = not silent and not any(key in places for places in taken)
        return OutboxState.SENDING if free else OutboxState.PENDING

    def take(self, rows: Sequence[Outgoing]) -> None:
        """Rows that were just stored. What is `sending` goes out now, what is `pending` when it is found."""
        for row in rows:
            if row.state is OutboxState.SENDING:
                self._enqueue(row)
            else:
                self._wait_for(row)
                self._look.set()

    def look(self) -> None:
        """Something may be pending that nobody told of."""
        self._look.set()

    def daemon_gone(self) -> None:
        """Another daemon's parts are anybody's."""
        if self._others is not None:
            self._others.daemon_gone(self._clock.monotonic())
        self._look.set()

    async def hand_out_again(self, bot: str, channel: str, inbox_id: int) -> None:
        """The answer to a message that was delivered again, for the adapter that collects its answers."""
        await self.hand_out(bot, channel, inbox_id)

    async def hand_out(self, bot: str, channel: str, inbox_id: int) -> bool:
        """As `hand_out_again`; False: there is no answer so far, or nobody who collects it."""
        adapter = self._roster.adapter(bot, channel)
        if adapter is None:
            return False
        rows = await self._store.answers(inbox_id)
        for row in rows:
            await adapter.send(outbound_from_json(row.payload))
        return bool(rows)

    async def watch(self) -> None:
        """Find what is pending in the store, in order. Runs for ever."""
        trouble = Trouble("outbox", self._observer)
        while True:
            wait = FAULT_WAIT_S
            try:
                read = await self._find()
            except (StoreError, IllegalStep) as error:
                trouble.begins(error)
            else:
                trouble.ends()
                await self._clock.sleep(read / ROWS_PER_S)
                wait = self._until_due_s(read)
            try:
                async with asyncio.timeout(wait):
                    await self._look.wait()
            except TimeoutError:
                pass

    async def ended(self, bot: str, timeout_s: float) -> None:
        """Wait until the bot has sent what it can send now, for so long at most; then its pace is forgotten."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._is_busy(bot):
                    self._look.set()
                    await self._clock.sleep(BREATH_S)
        self._paces = {key: pace for key, pace in self._paces.items() if key[0] != bot}

    async def stop(self, timeout_s: float) -> bool:
        """Begin nothing more; wait for sends under way. What is not sent stays in the store."""
        self._stopping = True
        senders = set(self._senders)
        if not senders:
            return True
        _, late = await asyncio.wait(senders, timeout=timeout_s)
        for task in late:
            task.cancel()
        return not late

    def _is_busy(self, bot: str) -> bool:
        """Whether the bot has a part in hand, or one in the store that may go out now."""
        now = self._clock.now_ms()
        due = {place for place, at in (self._stored or {}).items() if at <= now}
        return self._stored is None or any(
            place[0] == bot for place in (*self._queues, *self._fresh, *self._being_found, *due)
        )

    async def _find(self) -> int:
        """Take up pending rows whose place has nothing under way, oldest first; returns how many were read."""
        self._look.clear()
        self._being_found, self._fresh = self._fresh, set()
        stored: dict[Place, int] = {}
        try:
            read = await self._read_through(stored)
        except BaseException:
            self._fresh |= self._being_found
            raise
        finally:
            self._being_found = set()
        stored.update(dict.fromkeys(self._fresh, 0))
        self._stored = stored
        if self._others is not None:
            self._others.keep(stored.keys() | self._queues.keys())
        return read

    async def _read_through(self, stored: dict[Place, int]) -> int:
        """Read all that is pending, take up what may go; what stays joins `stored`."""
        after = read = 0
        while not self._stopping:
            rows = await self._store.outgoing(OutboxState.PENDING, PAGE, after)
            if not rows:
                break
            read += len(rows)
            after = rows[-1].id
            for row in self._ready(rows, stored):
                self._enqueue(row)
        return read

    def _ready(self, rows: Sequence[Outgoing], stored: dict[Place, int]) -> list[Outgoing]:
        """Which of these may go out now, at most one of a place; the places of the others join `stored`."""
        now, since_start = self._clock.now_ms(), self._clock.monotonic()
        ready: dict[Place, Outgoing] = {}
        for row in rows:
            place = (row.bot, row.channel, row.place)
            if place in stored:
                continue
            if place in self._queues or place in ready or self._in_hand + len(ready) >= MAX_IN_HAND:
                stored[place] = now
            elif not is_due(row.due_ms, now, LONGEST_DUE_MS):
                stored[place] = row.due_ms
            elif self._adapter(row) is None:
                stored[place] = now + int(LOOK_AGAIN_S * 1000)
            elif self._others is not None and (wait := self._others.wait_s(place, since_start)) > 0:
                stored[place] = now + int(wait * 1000)
            else:
                ready[place] = row
        return list(ready.values())

    def _until_due_s(self, read: int) -> float:
        """Seconds until the next stored row may go out, at most `LOOK_AGAIN_S`; less where others file some, too."""
        now = self._clock.now_ms()
        longest = LOOK_AGAIN_S if self._others is None or read >= PAGE else FLEET_LOOK_S
        due = min(
            (at for place, at in (self._stored or {}).items() if place not in self._queues), default=None
        )
        return longest if due is None else max(0.01, min(longest, (due - now) / 1000))

    def _enqueue(self, row: Outgoing) -> None:
        place = (row.bot, row.channel, row.place)
        self._in_hand += 1
        queue = self._queues.get(place)
        if queue is not None:
            queue.append(row)
            return
        self._queues[place] = deque([row])
        task = self._tasks.create_task(self._send_all(place), name=f"send {'/'.join(place)}")
        self._senders[task] = place
        task.add_done_callback(self._senders.pop)

    async def _send_all(self, place: Place) -> None:
        """Send what is in hand for one place, one after another."""
        queue = self._queues[place]
        try:
            while queue and await self._safely(queue[0]):
                queue.popleft()
                self._in_hand -= 1
            await self._put_back(queue)
        finally:
            self._in_hand -= len(queue)
            del self._queues[place]
            if self._stored is None or place in self._stored or place in self._fresh:
                self._look.set()

    async def _safely(self, row: Outgoing) -> bool:
        """Send one part; our own fault in it must not end the others."""
        try:
            return await self._send(row)
        except Exception as error:  # noqa: BLE001 - told; what became of this part the next start has to find out
            self._observer.note(Fault("outbox", repr(error), row.bot, error=error))
            return True

    async def _put_back(self, queue: deque[Outgoing]) -> None:
        """What stands in hand behind a part that has to wait was not sent: the store keeps it, in its order."""
        while len(queue) > 1:
            if queue[1].state is OutboxState.SENDING:
                await self._write(queue[1], OutboxState.PENDING, "waits behind an earlier part")
            del queue[1]
            self._in_hand -= 1

    async def _send(self, row: Outgoing) -> bool:
        """Send one part and write its fate down; False where the place has to stop here."""
        adapter = await self._in_turn(row)
        if adapter is None:
            if row.state is OutboxState.SENDING:
                await self._write(row, OutboxState.PENDING, "the bot is not there", self._in(LOOK_AGAIN_S))
            self._wait_for(row)
            return False
        if row.state is OutboxState.PENDING:
            begun = await self._begin(row)
            if begun is None:
                self._fresh.add((row.bot, row.channel, row.place))
                return False
            row = begun
        result = await self._try(adapter, row)
        match result:
            case Sent():
                await self._write(row, OutboxState.SENT)
                self._tell(row, "sent")
            case Rejected():
                await self._write(row, OutboxState.REJECTED, result.why)
                self._tell(row, "rejected", result.why)
            case FateUnknown() if not adapter.capabilities.resends_unknown:
                await self._write(row, OutboxState.UNKNOWN, result.why)
                self._tell(row, "unknown", result.why)
            case FateUnknown() | NotSent():
                return await self._later(row, result, self._pace(row, adapter))
        return True

    async def _in_turn(self, row: Outgoing) -> Adapter | None:
        """Wait until the platform may be sent this part; the connection as it is then."""
        adapter = self._adapter(row)
        if adapter is None:
            return None
        pace = self._pace(row, adapter)
        wait = pace.reserve(row.place, self._clock.monotonic())
        while wait > 0:
            await self._clock.sleep(wait)
            now = self._clock.monotonic()
            wait = pace.reserve(row.place, now) if pace.is_silent(row.place, now) else 0.0
        return self._adapter(row)

    async def _begin(self, row: Outgoing) -> Outgoing | None:
        """Write down that it goes out, just before it does: what a crash finds so may have been sent.

        None: another daemon of the fleet sends it, or an earlier part of its place is not through.
        """
        place = (row.bot, row.channel, row.place)
        while True:
            try:
                await self._store.begin_sending([row.id])
            except StoreError as error:
                self._observer.note(Fault("outbox", str(error), row.bot))
                await self._clock.sleep(FAULT_WAIT_S)
            except IllegalStep:
                if self._others is None:
                    raise
                self._others.was_late(place, self._clock.monotonic())
                return None
            else:
                if self._others is not None:
                    self._others.was_first(place)
                return replace(row, state=OutboxState.SENDING, tries=row.tries + 1)

    async def _try(self, adapter: Adapter, row: Outgoing) -> SendResult:
        message = outbound_from_json(row.payload)
        try:
            return await adapter.send(message)
        except Exception as error:  # noqa: BLE001 - an adapter's fault: nobody can say how far it came
            self._observer.note(Fault("send", repr(error), row.bot, error=error))
            return FateUnknown(f"the adapter failed: {type(error).__name__}")

    async def _later(self, row: Outgoing, result: NotSent | FateUnknown, pace: Pace) -> bool:
        """Not delivered: wait as long as asked, else longer and longer; the place waits behind it."""
        asked = result.retry_after_s if isinstance(result, NotSent) else None
        wait = _back_off_s(row.tries) if asked is None else asked
        if isinstance(result, NotSent) and (asked is not None or result.whole_bot):
            pace.complained(row.place, wait, self._clock.monotonic(), whole_bot=result.whole_bot)
        self._tell(row, "later", result.why)
        due_ms = self._in(wait)
        await self._write(row, OutboxState.PENDING, result.why, due_ms)
        self._wait_for(row)
        return False

    def _wait_for(self, row: Outgoing) -> None:
        """It is pending, and ours to find again."""
        place = (row.bot, row.channel, row.place)
        self._fresh.add(place)
        if self._others is not None:
            self._others.ours(place)

    async def _write(self, row: Outgoing, state: OutboxState, why: str = "", due_ms: int = 0) -> None:
        """Write a fate down; a store that fails is asked again, for what was sent must not be forgotten."""
        while True:
            try:
                await self._store.end_sending(row.id, state, why, due_ms)
            except StoreError as error:
                self._observer.note(Fault("outbox", str(error), row.bot))
                await self._clock.sleep(FAULT_WAIT_S)
            except IllegalStep as error:
                trace = error if self._others is None else None  # we hung, and another daemon took it over
                self._observer.note(Fault("outbox", str(error), row.bot, error=trace))
                return
            else:
                return

    def _in(self, seconds: float) -> int:
        return self._clock.now_ms() + min(LONGEST_DUE_MS, int(seconds * 1000))

    def _adapter(self, row: Outgoing) -> Adapter | None:
        return self._roster.adapter(row.bot, row.channel)

    def _pace(self, row: Outgoing, adapter: Adapter) -> Pace:
        pace = self._paces.get((row.bot, row.channel))
        if pace is None:
            pace = self._paces[row.bot, row.channel] = Pace(adapter.capabilities)
        return pace

    def _tell(self, row: Outgoing, fate: str, why: str = "") -> None:
        self._observer.note(SendEnded(row.bot, row.channel, row.id, fate, why))


def _back_off_s(tries: int) -> float:
    """The wait after so many tries that failed."""
    return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(max(0, tries - 1), 10))
