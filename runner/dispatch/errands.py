"""Errands: what the runner owes itself, at a time or after a decision, as messages of their lane.

    turn's end (T4) or a decision ──▶ stored errand ──▶ due ──▶ inbox row (once, in one transaction) ──▶ its lane
                                                                 {"errand": {…}, "message": {the message it is about}}

    resume   a run goes on: its time has come, or a reviewer has decided
    say      a text that was to be said at that time; no model is asked

Rules: an errand is read from the wrapper alone that is written here, and nothing that a platform brings is ever read
as one: its message is written down by `inbound_to_json`, which begins otherwise whatever the message says. Errands
become messages in the order of their times, so that after a jump of the clock all that is due comes at once, in
order; each does so once, wherever the clock goes then. Where a platform lets a bot write for some time only after
its user has written, as WhatsApp does, it is the platform that refuses a text that comes too late.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from adapters.messages import InboundMessage, inbound_from_json, inbound_to_json
from runner.clock import Clock
from runner.dispatch.trouble import Trouble
from runner.errors import StoreError
from runner.ports.observer import ErrandBegun, ErrandsOwed, Event, HandoffDecided, Observer
from runner.ports.runs import Errand, Handoff, RunRecord, RunStore

LOOK_AGAIN_S = 30.0
"""A wall clock may be set at any time: nobody sleeps longer."""
FLEET_LOOK_S = 2.0
"""The same where other daemons owe something, too, which they may not live to see to."""
FAULT_WAIT_S = 0.5
AT_ONCE = 100
AT_ONCE_DUE = 0
"""Unix ms: due, whatever the clock says."""
_BEGINS = '{"errand":'


@dataclass(frozen=True, slots=True)
class Resume:
    """A run goes on.

    Attributes:
        decision: a reviewer's, with their `comment` and name; empty: a time has come.
        step: whose time that is, by its number in the run; `until_ms`: which time.
    """

    run: str
    decision: str = ""
    comment: str = ""
    by: str = ""
    step: int = 0
    until_ms: int = 0


@dataclass(frozen=True, slots=True)
class Say:
    """Something is said to the user."""

    text: str


Duty = Resume | Say
"""What an errand is for."""


@dataclass(frozen=True, slots=True)
class Owed:
    """What a turn leaves behind of a workflow run; written with the turn's end."""

    run: RunRecord | None = None
    errands: tuple[Errand, ...] = ()
    handoff: Handoff | None = None


NOTHING_OWED = Owed()


# ── payloads ─────────────────────────────────────────────────────────────────────────────────────────────
def wrap(duty: Duty, message: InboundMessage) -> str:
    """An errand's payload. `message`: what it is about: it says who is answered, and where."""
    kind = {"kind": "say" if isinstance(duty, Say) else "resume", **asdict(duty)}
    about = json.loads(inbound_to_json(message))
    return json.dumps({"errand": kind, "message": about}, ensure_ascii=False, separators=(",", ":"))


def unwrap(payload: str) -> tuple[InboundMessage, Duty | None]:
    """An inbox row's message, and what is to be done where it is an errand. Raises ValueError, KeyError, TypeError."""
    if not payload.startswith(_BEGINS):
        return inbound_from_json(payload), None
    wrapper: dict[str, Any] = json.loads(payload)
    duty = dict(wrapper["errand"])
    message = inbound_from_json(json.dumps(wrapper["message"], ensure_ascii=False))
    return message, Say(**duty) if duty.pop("kind") == "say" else Resume(**duty)


# ── the clock's part ─────────────────────────────────────────────────────────────────────────────────────
class Backlog(Protocol):
    """What stands behind the inbox; `runner.dispatch.lanes.Lanes` is one."""

    def wake(self, lane: str) -> None:
        """There is something to do in this lane."""

    def accepted(self, bot: str) -> None:
        """Count one message more."""


class ErrandBell:
    """An Observer that rings when something more is owed. A ring that is lost costs `LOOK_AGAIN_S` at most."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def note(self, event: Event) -> None:
        """Ring, if it is about that."""
        if isinstance(event, ErrandsOwed | HandoffDecided):
            self.ring()

    def ring(self) -> None:
        """Look once more."""
        self._rung.set()

    def still(self) -> None:
        """Whatever rang before has been heard."""
        self._rung.clear()

    async def heard(self) -> None:
        """Wait until it rings."""
        await self._rung.wait()


class ErrandWatch:
    """Makes messages of errands when they are due. `look_s`: how often it looks whatever the bell says."""

    def __init__(
        self,
        runs: RunStore,
        backlog: Backlog,
        clock: Clock,
        observer: Observer,
        bell: ErrandBell,
        look_s: float = LOOK_AGAIN_S,
    ) -> None:
        self._look_s = look_s
        self._runs = runs
        self._backlog = backlog
        self._clock = clock
        self._observer = observer
        self._bell = bell

    def look(self) -> None:
        """Something more may be owed."""
        self._bell.ring()

    async def run(self) -> None:
        """For ever."""
        trouble = Trouble("errands", self._observer)
        while True:
            self._bell.still()
            try:
                await self._send_due()
                due_ms = await self._runs.next_errand_ms()
            except StoreError as error:
                trouble.begins(error)
                await self._clock.sleep(FAULT_WAIT_S)
            else:
                trouble.ends()
                await self._pause(due_ms)

    async def _send_due(self) -> None:
        now_ms = self._clock.now_ms()
        while due := await self._runs.errands(now_ms, AT_ONCE):
            for errand in due:
                await self._send(errand)

    async def _send(self, errand: Errand) -> None:
        inbox_id = await self._runs.send_errand(errand.key, self._clock.now_ms())
        if inbox_id is not None:
            self._observer.note(ErrandBegun(errand.bot, errand.channel, f"t{inbox_id}", errand.run))
            self._backlog.accepted(errand.bot)
            self._backlog.wake(errand.lane)

    async def _pause(self, due_ms: int | None) -> None:
        """Until the next is due by the clock, until the bell rings, or a while."""
        if due_ms is None:
            try:
                async with asyncio.timeout(self._look_s):
                    await self._bell.heard()
            except TimeoutError:
                pass
            return
        wait_s = min(self._look_s, max(0.0, (due_ms - self._clock.now_ms()) / 1000))
        async with asyncio.TaskGroup() as group:
            alarm = group.create_task(self._ring_after(wait_s), name="errands' alarm")
            await self._bell.heard()
            alarm.cancel()

    async def _ring_after(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._bell.ring()
