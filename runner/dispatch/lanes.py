"""Order: one lane a conversation, strictly one message after the other inside, side by side across.

Rules: the store says what there is to do, `wake` is only a hint; what is for a bot that is not there stays
where it is; at most `MAX_LANES` lanes run at once, what does not fit stays in the store and is found again; a
lane that has nothing to do is forgotten; a storage fault is waited out inside the lane, a lane never dies of one.

On a fleet (`Store.fleet`) any daemon may work a lane off, one at a time:

    woken, but another daemon holds it ─▶ LANE is told ─▶ its holder looks once more before it leaves
    no room ─▶ WORK is told ─▶ the others look
    news that was lost, a holder that died ─▶ each looks every `FLEET_LOOK_S`

A lane that another daemon has had meanwhile is left at once and without a word: its turn is that one's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from runner.clock import Clock
from runner.dispatch.trouble import Trouble
from runner.errors import LaneLost, StoreError
from runner.ports.fleet import Fleet, News, NewsKind
from runner.ports.mail import Work
from runner.ports.observer import Fault, Observer
from runner.ports.roster import Roster
from runner.ports.stores import LaneSession, Store

MAX_LANES = 1000
LOOK_AGAIN_S = 2.0
FLEET_LOOK_S = 0.4
COUNT_EVERY_S = 2.0
"""How often it is counted anew what waits, where other daemons end it, too."""
ELSEWHERE_S = 1.0
"""How long a lane that another daemon held is not asked for again without being woken; until a daemon is gone."""
FAULT_WAIT_S = 0.5
GATHER_S = 0.02
"""Once all lanes are taken: how long the store is not asked after one has ended, since more will end soon."""
BROKEN_WAIT_MS = 60_000
"""How long a message whose turn cannot be begun is put off, its lane behind it."""

Handler = Callable[[Work, LaneSession], Awaitable[None]]


class Lanes:
    """Runs lanes.

    Args:
        tasks: owns the lanes' tasks, which never raise into it.
    """

    def __init__(
        self,
        store: Store,
        roster: Roster,
        handler: Handler,
        clock: Clock,
        observer: Observer,
        tasks: asyncio.TaskGroup,
        max_lanes: int = MAX_LANES,
    ) -> None:
        self._store = store
        self._fleet: Fleet | None = store.fleet
        self._roster = roster
        self._handler = handler
        self._clock = clock
        self._observer = observer
        self._tasks = tasks
        self._max_lanes = max_lanes
        self._running: dict[str, asyncio.Task[None]] = {}
        self._woken: set[str] = set()
        self._found: set[str] = set()
        self._holding: set[str] = set()
        self._elsewhere: dict[str, float] = {}
        self._counted_at: float | None = None
        self._walks: dict[asyncio.Event, str] = {}
        self._waiting: dict[str, int] = {}
        self._look = asyncio.Event()
        self._stopping = False

    @property
    def running(self) -> int:
        """Lanes at work now."""
        return len(self._running)

    def waiting(self, bot: str) -> int:
        """Messages of this bot that are accepted and not done."""
        return self._waiting.get(bot, 0)

    def accepted(self, bot: str) -> None:
        """One message more."""
        self._waiting[bot] = self._waiting.get(bot, 0) + 1

    def wake(self, lane: str) -> None:
        """There is something to do in this lane; without room for it now it is found later."""
        if self._stopping:
            return
        if lane in self._running:
            self._woken.add(lane)
            self._found.discard(lane)
        elif len(self._running) >= self._max_lanes:
            self._look.set()
        else:
            self._begin(lane)

    def _begin(self, lane: str) -> None:
        task = self._tasks.create_task(self._run(lane), name=f"lane {lane}")
        self._running[lane] = task

    async def watch(self) -> None:
        """Find what no wake told of: after a start, an overflow, a fault, another daemon's death. Runs for ever."""
        trouble = Trouble("lanes", self._observer)
        while True:
            try:
                await self._count()
                await self._find()
            except StoreError as error:
                trouble.begins(error)
                await self._clock.sleep(FAULT_WAIT_S)
                continue
            trouble.ends()
            await self._pause()

    async def _count(self) -> None:
        """Learn how much waits: at the start, and now and then where others work on it, too."""
        now = self._clock.monotonic()
        due = self._counted_at is None or (
            self._fleet is not None and now - self._counted_at >= COUNT_EVERY_S
        )
        if due:
            self._waiting = dict((await self._store.figures()).waiting)
            self._counted_at = now

    def look(self) -> None:
        """There may be work that no wake told of: a bot came back."""
        self._look.set()

    def heard(self, lane: str) -> None:
        """Another daemon has told of work in a lane; an empty name: in any.

        What was heard is not told on: the others would answer with the same, and so on while anybody holds it.
        """
        if lane in self._running:
            if lane in self._holding:
                self._woken.add(lane)
        elif lane and not self._stopping and len(self._running) < self._max_lanes:
            self._found.add(lane)
            self._begin(lane)
        else:
            self._look.set()

    def daemon_gone(self) -> None:
        """What it held is free."""
        self._elsewhere.clear()
        self._look.set()

    async def ended(self, bot: str) -> None:
        """Wait until the bot's turns that are running now have ended."""
        for over in [over for over, of in self._walks.items() if of == bot]:
            await over.wait()

    async def stop(self, timeout_s: float) -> bool:
        """Begin nothing more and wait for what runs; False where some was still running and was parked."""
        self._stopping = True
        if not self._running:
            return True
        _, late = await asyncio.wait(self._running.values(), timeout=timeout_s)
        for task in late:
            task.cancel()
        return not late

    async def _find(self) -> None:
        """Begin as many waiting lanes as there is room for, the oldest message first."""
        room = self._max_lanes - len(self._running)
        if room <= 0:
            return
        self._look.clear()
        now = self._clock.monotonic()
        self._elsewhere = {lane: until for lane, until in self._elsewhere.items() if until > now}
        busy = (*self._running, *self._elsewhere)
        found = await self._store.waiting_lanes(self._roster.bot_ids(), busy, room, self._clock.now_ms())
        for lane in found:
            if lane not in self._running and not self._stopping and len(self._running) < self._max_lanes:
                self._found.add(lane)
                self._begin(lane)
        if len(found) >= room:
            self._look.set()  # there may be more than there was room for

    async def _pause(self) -> None:
        """Until a lane made room for what waits, or a while."""
        try:
            async with asyncio.timeout(LOOK_AGAIN_S if self._fleet is None else FLEET_LOOK_S):
                await self._look.wait()
        except TimeoutError:
            return
        full = len(self._running) >= self._max_lanes
        if full and self._fleet is not None:
            await self._fleet.tell([News(NewsKind.WORK)])
        while len(self._running) >= self._max_lanes:
            await asyncio.wait(self._running.values(), return_when=asyncio.FIRST_COMPLETED)
            await self._clock.sleep(GATHER_S)

    async def _run(self, lane: str) -> None:
        """Work one lane off."""
        try:
            while True:
                self._woken.discard(lane)
                free = await self._work_off(lane)
                if lane not in self._woken or self._stopping or not free:
                    break
        finally:
            del self._running[lane]
            self._woken.discard(lane)
            self._found.discard(lane)

    async def _work_off(self, lane: str) -> bool:
        """All that is due in the lane; False where it could not be worked on now."""
        try:
            async with self._store.lane(lane) as session:
                if session is None:
                    await self._leave_to_others(lane)
                    return False
                self._holding.add(lane)
                while not self._stopping:
                    work = await session.next(self._clock.now_ms())
                    if work is None or self._roster.bot(work.bot) is None:
                        return True
                    await self._walk(work, session)
        except LaneLost:
            self._look.set()  # should that daemon be gone by now, it is ours to begin again
            return False
        except StoreError as error:
            self._observer.note(Fault("lane", str(error)))
            await self._clock.sleep(FAULT_WAIT_S)
            self._woken.add(lane)
        except Exception as error:  # noqa: BLE001 - our own fault in one lane must not end the others
            self._observer.note(Fault("lane", repr(error), error=error))
            await self._clock.sleep(FAULT_WAIT_S)
            return False
        finally:
            self._holding.discard(lane)
        return True

    async def _leave_to_others(self, lane: str) -> None:
        """Another daemon holds it: where somebody here was told of work in it, that one is told, too."""
        if self._fleet is None:
            return
        self._elsewhere[lane] = self._clock.monotonic() + ELSEWHERE_S
        untold = lane not in self._found
        while untold:
            self._woken.discard(lane)
            await self._fleet.tell([News(NewsKind.LANE, lane)])
            untold = lane in self._woken

    async def _walk(self, work: Work, session: LaneSession) -> None:
        """One message; what cannot even be begun is put off, so that it does not fail again and again."""
        over = asyncio.Event()
        self._walks[over] = work.bot
        try:
            await self._handler(work, session)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - our own fault with one message must not end its lane
            self._observer.note(Fault("turn", repr(error), work.bot, work.turn, error))
            await session.postpone(work.inbox_id, self._clock.now_ms() + BROKEN_WAIT_MS)
        else:
            self._waiting[work.bot] = max(0, self._waiting.get(work.bot, 1) - 1)
        finally:
            del self._walks[over]
            over.set()
