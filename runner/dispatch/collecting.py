"""Answers that are collected on one daemon of a fleet while another daemon makes them.

    accepted here ─▶ remembered ─▶ its turn ended here ─▶ forgotten: it was handed out
                          ├─ ANSWERED is heard ─▶ handed out from the store
                          └─ nothing for `LOOK_AGAIN_S` ─▶ looked for in the store, until `PATIENCE_S` are over
    ended here, and not remembered ─▶ ANSWERED is told to the others

Rules: an Observer, so that it knows of a message before its turn can end; who waits for an answer is the adapter's
to know: one that nobody waits for any more is handed out to nobody. At most `MOST` are remembered, the oldest
forgotten first: they ask again, and a message that is done is answered at once.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from runner.clock import Clock
from runner.errors import StoreError
from runner.ports.fleet import Fleet, News, NewsKind
from runner.ports.observer import Event, Fault, MessageAccepted, Observer, TurnFinished
from runner.ports.roster import Roster

LOOK_AGAIN_S = 1.0
PATIENCE_S = 620.0
"""Longer than any adapter lets a request wait."""
MOST = 20_000
MOST_UNTOLD = 10_000
AT_ONCE = 200
"""Messages that are looked for at a time, those that were looked for longest ago first."""
_TURN = re.compile(r"t(\d+)")

HandOut = Callable[[str, str, int], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class _Awaited:
    bot: str
    channel: str
    since: float


class Collecting:
    """Hands out what was answered elsewhere."""

    def __init__(self, fleet: Fleet, roster: Roster, clock: Clock, observer: Observer) -> None:
        self._fleet = fleet
        self._roster = roster
        self._hand_out: HandOut | None = None
        self._clock = clock
        self._observer = observer
        self._awaited: OrderedDict[int, _Awaited] = OrderedDict()
        self._answered: deque[int] = deque(maxlen=MOST)
        self._untold: deque[int] = deque(maxlen=MOST_UNTOLD)
        self._rung = asyncio.Event()

    @property
    def awaited(self) -> int:
        """Messages whose answer somebody here may wait for."""
        return len(self._awaited)

    def note(self, event: Event) -> None:
        """Remember what was accepted, forget what is answered."""
        match event:
            case MessageAccepted() if self._collects(event.bot, event.channel):
                inbox_id = _inbox_of(event.turn)
                if inbox_id is not None and inbox_id not in self._awaited:
                    self._awaited[inbox_id] = _Awaited(event.bot, event.channel, self._clock.monotonic())
                    if len(self._awaited) > MOST:
                        self._awaited.popitem(last=False)
            case TurnFinished() if self._collects(event.bot, event.channel):
                inbox_id = _inbox_of(event.turn)
                if inbox_id is not None and self._awaited.pop(inbox_id, None) is None:
                    self._untold.append(inbox_id)
                    self._rung.set()
            case _:
                pass

    def heard(self, text: str) -> None:
        """Another daemon has told that a message is answered; an empty text: some may be."""
        if text.isdecimal() and int(text) in self._awaited:
            self._answered.append(int(text))
            self._rung.set()

    async def run(self, hand_out: HandOut) -> None:
        """Tell and hand out. Runs for ever. `hand_out`: as `Outbox.hand_out`."""
        self._hand_out = hand_out
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell_and_hear(), name="answers told")
            group.create_task(self._look(), name="answers looked for")

    async def _tell_and_hear(self) -> None:
        while True:
            await self._rung.wait()
            self._rung.clear()
            untold = [News(NewsKind.ANSWERED, str(inbox_id)) for inbox_id in self._untold]
            self._untold.clear()
            if untold:
                await self._fleet.tell(untold)
            while self._answered:
                await self._try(self._answered.popleft())

    async def _look(self) -> None:
        """What took a while may have been answered without our hearing of it."""
        while True:
            await self._clock.sleep(LOOK_AGAIN_S)
            now = self._clock.monotonic()
            for inbox_id in list(self._awaited)[:AT_ONCE]:
                awaited = self._awaited.get(inbox_id)
                if awaited is None or now - awaited.since < LOOK_AGAIN_S:
                    continue
                if now - awaited.since > PATIENCE_S:
                    del self._awaited[inbox_id]
                    continue
                self._awaited.move_to_end(inbox_id)
                if not await self._try(inbox_id):
                    break

    async def _try(self, inbox_id: int) -> bool:
        """Hand one out, if it is answered; False where the store cannot say now."""
        awaited = self._awaited.get(inbox_id)
        if awaited is None or self._hand_out is None:
            return True
        try:
            if await self._hand_out(awaited.bot, awaited.channel, inbox_id):
                self._awaited.pop(inbox_id, None)
        except StoreError:
            return False  # told by whoever works; looked for again
        except Exception as error:  # noqa: BLE001 - the answer is kept: only this hand-out failed
            self._observer.note(Fault("send", repr(error), awaited.bot, f"t{inbox_id}", error))
            self._awaited.pop(inbox_id, None)
        return True

    def _collects(self, bot: str, channel: str) -> bool:
        adapter = self._roster.adapter(bot, channel)
        return adapter is not None and adapter.capabilities.collects


def _inbox_of(turn: str) -> int | None:
    found = _TURN.fullmatch(turn)
    return None if found is None else int(found[1])
