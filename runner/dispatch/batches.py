"""The batch desk: takes batches in, and sees each of them through to its end, over restarts.

Rules: one task a batch, which makes its steps one after another and rests in between: `FIRST_REST_S`, doubling to
`LONGEST_REST_S` while nothing changes; whoever asks to cancel wakes it. At most `MOST_OPEN` batches are open. A
store or a client that fails is told and tried again; a stop lets steps under way finish for a while, and what it
cuts off is found again by the next start.

On a fleet every daemon takes batches in and one of them sees to all (`run`, under a lease): it is told of what is new
and of who asked to cancel (BATCHES), looks every `FLEET_LOOK_S`, and drops all where it stands once it is another's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runner.agent.batch_meter.opening import BatchAsk, BatchOpener, NotOpened
from runner.agent.batch_meter.requests import BatchPrompt
from runner.agent.batch_meter.steps import BatchMeter, Stepped
from runner.bots import Bot
from runner.clock import Clock
from runner.errors import StoreError
from runner.ports.batches import Batch, BatchState, BatchStore, Kept
from runner.ports.fleet import Fleet, News, NewsKind
from runner.ports.observer import Fault, Observer

FIRST_REST_S = 5.0
LONGEST_REST_S = 60.0
LONGEST_ASKED_S = 3600.0
"""The longest that a provider may ask us to wait."""
MOST_OPEN = 100
FLEET_LOOK_S = 5.0


@dataclass(frozen=True, slots=True)
class _Follower:
    """Who sees a batch through. `woken`: there is a reason to look at once."""

    task: asyncio.Task[None]
    woken: asyncio.Event


class BatchDesk:
    """Does it.

    Args:
        new_id: a text that is unique for ever, at least 16 of [a-z0-9].
        fleet: the other daemons, one of whom may be the one who sees to all; None: there are none.
    """

    def __init__(
        self,
        opener: BatchOpener,
        meter: BatchMeter,
        store: BatchStore,
        clock: Clock,
        observer: Observer,
        new_id: Callable[[], str],
        fleet: Fleet | None = None,
    ) -> None:
        self._fleet = fleet
        self._opener = opener
        self._meter = meter
        self._store = store
        self._clock = clock
        self._observer = observer
        self._new_id = new_id
        self._fresh: asyncio.Queue[str] = asyncio.Queue()
        self._begun = 0
        self._followers: dict[str, _Follower] = {}
        self._stepping: set[str] = set()
        self._settled = asyncio.Event()
        self._look = asyncio.Event()
        self._stopping = asyncio.Event()

    # ── for people ───────────────────────────────────────────────────────────────────────────────────────
    async def submit(
        self, bot: Bot, prompts: Sequence[BatchPrompt], key: str = "", label: str = ""
    ) -> Kept | NotOpened:
        """Hold money for every line and begin; the same `key` again is the same batch. Raises StoreError."""
        if self._begun >= MOST_OPEN or await self._is_full():
            return NotOpened("busy", f"{MOST_OPEN} batches are open: wait for one to end")
        self._begun += 1  # before anything is waited for: this also bounds the queue
        fresh = False
        try:
            done = await self._opener.open(BatchAsk(f"b{self._new_id()[:16]}", bot, prompts, key, label))
            fresh = isinstance(done, Kept) and done.fresh
        finally:
            self._begun -= not fresh or self._fleet is not None
        if isinstance(done, Kept) and fresh:
            await self._begin(done.batch.id)
        return done

    async def _is_full(self) -> bool:
        """Whether the fleet has as many open batches as it may."""
        return self._fleet is not None and len(await self._store.open_batches()) >= MOST_OPEN

    async def _begin(self, name: str) -> None:
        """Have a new one seen to."""
        if self._fleet is None:
            self._fresh.put_nowait(name)
        else:
            self._look.set()
            await self._fleet.tell([News(NewsKind.BATCHES, name)])

    async def refuse(self, bot: Bot, why: str, key: str, label: str) -> Batch:
        """Remember that what was to be run could not be. Raises StoreError."""
        now = self._clock.now_ms()
        refused = Batch(
            id=f"b{self._new_id()[:16]}",
            bot=bot.id,
            provider=bot.choice.provider,
            model=bot.choice.model,
            made_ms=now,
            lines=0,
            state=BatchState.REFUSED,
            key=key,
            label=label,
            ended_ms=now,
            why=why,
        )
        kept = await self._store.add(refused, (), ())
        return kept.batch if isinstance(kept, Kept) else refused

    async def cancel(self, batch_id: str) -> Batch | None:
        """Ask it to stop, as soon as may be; None: there is no such batch. Raises StoreError."""
        batch = await self._store.ask_cancel(batch_id)
        follower = self._followers.get(batch_id)
        if follower is not None:
            follower.woken.set()
        elif self._fleet is not None and batch is not None:
            await self._fleet.tell([News(NewsKind.BATCHES, batch_id)])
        return batch

    def heard(self, batch_id: str) -> None:
        """Another daemon has told of a batch; an empty text: of any."""
        follower = self._followers.get(batch_id)
        if follower is not None:
            follower.woken.set()
        self._look.set()

    # ── life ─────────────────────────────────────────────────────────────────────────────────────────────
    async def run(self) -> None:
        """See all open batches through, those of earlier starts first, until cancelled.

        On a fleet it may be done again, once all that it began before has ended.
        """
        async with asyncio.TaskGroup() as group:
            if self._fleet is not None:
                await self._see_to_all(group)
            earlier = await self._open_ids()
            self._begun += len(earlier)
            for name in earlier:
                self._follow(name, group)
            while True:
                self._follow(await self._fresh.get(), group)

    async def _see_to_all(self, group: asyncio.TaskGroup) -> None:
        """Find what is open, whoever took it in. Runs for ever."""
        while True:
            self._look.clear()
            for name in await self._open_ids():
                if name not in self._followers:
                    self._begun += 1
                    self._follow(name, group)
            await self._rest(self._look, FLEET_LOOK_S)

    async def stop(self, timeout_s: float) -> None:
        """Begin no more steps; wait for those under way."""
        self._stopping.set()
        end = self._clock.monotonic() + timeout_s
        while self._stepping and (left := end - self._clock.monotonic()) > 0:
            self._settled.clear()
            try:
                async with asyncio.timeout(left):
                    await self._settled.wait()
            except TimeoutError:
                return

    async def _open_ids(self) -> list[str]:
        while True:
            try:
                return [batch.id for batch in await self._store.open_batches()]
            except StoreError as error:
                self._observer.note(Fault("batches", str(error)))
                await self._clock.sleep(FIRST_REST_S)

    def _follow(self, name: str, group: asyncio.TaskGroup) -> None:
        if name in self._followers:  # made while the start's list was read: it is in the queue, too
            self._begun -= 1
            return
        woken = asyncio.Event()
        task = group.create_task(self._see_through(name, woken), name=f"batch {name}")
        self._followers[name] = _Follower(task, woken)
        task.add_done_callback(lambda _: self._left(name))

    def _left(self, name: str) -> None:
        del self._followers[name]
        self._begun -= 1

    async def _see_through(self, name: str, woken: asyncio.Event) -> None:
        rest_s, before = FIRST_REST_S, None
        while not self._stopping.is_set():
            stepped = await self._step(name)
            if stepped is not None and not stepped.batch.is_open:
                return
            after = before if stepped is None else _way(stepped.batch)
            if after != before:
                rest_s, before = FIRST_REST_S, after
            asked = rest_s if stepped is None or stepped.wait_s is None else stepped.wait_s
            await self._rest(woken, min(asked, LONGEST_ASKED_S))
            rest_s = min(rest_s * 2, LONGEST_REST_S)

    async def _step(self, name: str) -> Stepped | None:
        """Make a step; None: it went wrong and is tried again."""
        bot = ""
        self._stepping.add(name)
        try:
            batch = await self._known(name)
            bot = batch.bot
            return await self._meter.step(batch) if batch.is_open else Stepped(batch)
        except StoreError as error:
            self._observer.note(Fault("batches", str(error), bot, name))
        except Exception as error:  # noqa: BLE001 - a fault with one batch must not end the others
            self._observer.note(Fault("batches", repr(error), bot, name, error))
        finally:
            self._stepping.discard(name)
            self._settled.set()
        return None

    async def _known(self, name: str) -> Batch:
        batch = await self._store.batch(name)
        if batch is None:
            raise LookupError(f"there is no batch {name}")
        return batch

    async def _rest(self, woken: asyncio.Event, seconds: float) -> None:
        """So long, or until woken."""
        async with asyncio.TaskGroup() as group:
            resting = group.create_task(self._clock.sleep(seconds), name="batch rests")
            waiting = group.create_task(woken.wait(), name="batch may be woken")
            await asyncio.wait((resting, waiting), return_when=asyncio.FIRST_COMPLETED)
            resting.cancel()
            waiting.cancel()
        woken.clear()


def _way(batch: Batch) -> tuple[BatchState, int]:
    """How far it is: what is news."""
    return batch.state, batch.reached
