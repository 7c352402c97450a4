"""Runs of prompts by the clock: a file becomes a batch when its time has come.

    dealt with up to ──┐          ┌── due            now
    ───────────────────┴──────────┴───────────────────┴──▶    a run at `due`, unless that is `TOO_LATE_MS` ago

Rules: up to when runs are dealt with is remembered in the store, and each run's batch has a key made of its time, so
that a restart, or a clock that jumps, neither doubles a run nor forgets it. Of several that were missed only the
latest is made up for. A schedule that was never seen begins now. What cannot be run is remembered as a refused
batch, and is not tried again before its next time; where others hold the money, or the store fails, it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from runner.agent.batch_meter.opening import NotOpened
from runner.agent.batch_meter.requests import BatchPrompt
from runner.bots import Bot, Schedule
from runner.clock import Clock, UnixMs, iso
from runner.dispatch.batch_lines import LineFault, read_jsonl
from runner.dispatch.batches import BatchDesk
from runner.errors import StoreError
from runner.ports.batches import BatchStore
from runner.ports.observer import Fault, Observer
from runner.ports.roster import Roster

TOO_LATE_MS = 12 * 3_600_000
LOOK_EVERY_S = 20.0


def latest_due(schedule: Schedule, now_ms: int) -> int:
    """The latest time that it was due at, up to now; Unix ms."""
    return (now_ms - schedule.offset_ms) // schedule.period_ms * schedule.period_ms + schedule.offset_ms


def is_off(schedule: Schedule, until_ms: int, now_ms: int) -> bool:
    """Whether what is remembered is of a calendar that was set back since: further ahead than any run can be."""
    return until_ms > now_ms + schedule.period_ms


class Schedules:
    """Looks at all bots' schedules. `read`: the bytes of a file that bots.yaml names; raises OSError."""

    def __init__(
        self,
        desk: BatchDesk,
        store: BatchStore,
        roster: Roster,
        read: Callable[[str], bytes],
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._desk = desk
        self._store = store
        self._roster = roster
        self._read = read
        self._clock = clock
        self._observer = observer

    async def run(self) -> None:
        """Now and every `LOOK_EVERY_S`, until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Begin what is due."""
        bots = [bot for name in tuple(self._roster.bot_ids()) if (bot := self._roster.bot(name)) is not None]
        for bot in bots:
            for schedule in bot.schedule:
                try:
                    await self._look_at(bot, schedule)
                except StoreError as error:
                    self._observer.note(Fault("schedule", str(error), bot.id))
                except Exception as error:  # noqa: BLE001 - a fault with one must not keep the others from their time
                    self._observer.note(Fault("schedule", repr(error), bot.id, error=error))

    async def _look_at(self, bot: Bot, schedule: Schedule) -> None:
        now = self._clock.now_ms()
        until = await self._store.last_run(bot.id, schedule.name)
        if until is None or is_off(schedule, until, now):
            await self._store.set_last_run(bot.id, schedule.name, now)
            return
        due = latest_due(schedule, now)
        if due <= until:
            return
        if now - due > TOO_LATE_MS:
            why = f"the run of {schedule.name} at {iso(UnixMs(due))} is left out: it is too late for it"
            self._observer.note(Fault("schedule", why, bot.id))
        elif not await self._made(bot, schedule, f"{bot.id}/{schedule.name}@{iso(UnixMs(due))}"):
            return
        await self._store.set_last_run(bot.id, schedule.name, due)

    async def _made(self, bot: Bot, schedule: Schedule, key: str) -> bool:
        """Hand it in; False: it is worth another try soon."""
        prompts = await self._prompts(bot, schedule)
        if isinstance(prompts, str):
            await self._refuse(bot, schedule, prompts, key)
            return True
        done = await self._desk.submit(bot, prompts, key, schedule.name)
        if isinstance(done, NotOpened):
            if done.kind == "busy":
                return False
            await self._refuse(bot, schedule, done.why, key)
        return True

    async def _prompts(self, bot: Bot, schedule: Schedule) -> list[BatchPrompt] | str:
        """The file's lines, or why there are none."""
        try:
            data = await asyncio.to_thread(self._read, schedule.prompts)
        except OSError as error:
            return f"{schedule.prompts} cannot be read: {error.strerror}"
        prompts: list[BatchPrompt] = []
        for line in read_jsonl(data, bot.limits.max_output_tokens):
            if isinstance(line, LineFault):
                place = f"{schedule.prompts}:{line.line}" if line.line else schedule.prompts
                return f"{place}: {line.field}{': ' if line.field else ''}{line.message}"
            prompts.append(line)
        return prompts

    async def _refuse(self, bot: Bot, schedule: Schedule, why: str, key: str) -> None:
        self._observer.note(Fault("schedule", f"{schedule.name}: {why}", bot.id))
        await self._desk.refuse(bot, why, key, schedule.name)
