"""Answers that are collected on one daemon of a fleet while another daemon makes them.

    accepted here ─▶ remembered ─▶ its turn ended here ─▶ forgotten: it was handed out
                          ├─ ANSWERED is heard ─▶ handed out from the store
                          └─ nothing for a while ─▶ looked for in the store, until `PATIENCE_S` are over
    ended here, and not remembered ─▶ ANSWERED is told to the others

Rules: an Observer, so that it knows of a message before its turn can end; who waits for an answer is the adapter's
to know: one that nobody waits for any more is handed out to nobody. What came a second time is looked for sooner: the
first may have come to another daemon, which then tells nobody. At most `MOST` are remembered, the oldest forgotten
first: they ask again, and a message that is done is answered at once.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from heapq import heappop, heappush

from runner.clock import Clock
from runner.errors import StoreError
from runner.ports.fleet import Fleet, News, NewsKind
from runner.ports.observer import Event, Fault, MessageAccepted, Observer, TurnFinished
from runner.ports.roster import Roster

LOOK_AGAIN_S = 1.0
SOON_S = 0.2
"""After how long what came a second time is looked for; then after twice as long, up to `LOOK_AGAIN_S`."""
PATIENCE_S = 620.0
"""Longer than any adapter lets a request wait."""
MOST = 20_000
MOST_UNTOLD = 10_000
AT_ONCE = 200
"""Messages that are looked for at a time."""
_TURN = re.compile(r"t(\d+)")

HandOut = Callable[[str, str, int], Awaitable[bool]]


@dataclass(slots=True)
class _Awaited:
    """`wait`: how long until it is looked for, seconds."""

    bot: str
    channel: str
    since: float
    wait: float


class Collecting:
    """Hands out what was answered elsewhere."""

    def __init__(self, fleet: Fleet, roster: Roster, clock: Clock, observer: Observer) -> None:
        self._fleet = fleet
        self._roster = roster
        self._hand_out: HandOut | None = None
        self._clock = clock
        self._observer = observer
        self._awaited: OrderedDict[int, _Awaited] = OrderedDict()
        self._looks: list[tuple[float, int]] = []
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
                self._remember(event)
            case TurnFinished() if self._collects(event.bot, event.channel):
                inbox_id = _inbox_of(event.turn)
                if inbox_id is not None and self._awaited.pop(inbox_id, None) is None:
                    self._untold.append(inbox_id)
                    self._rung.set()
            case _:
                pass

    def _remember(self, event: MessageAccepted) -> None:
        inbox_id, now = _inbox_of(event.turn), self._clock.monotonic()
        if inbox_id is None or inbox_id in self._awaited:
            return
        wait = LOOK_AGAIN_S if event.fresh else SOON_S
        self._awaited[inbox_id] = _Awaited(event.bot, event.channel, now, wait)
        heappush(self._looks, (now + wait, inbox_id))
        if len(self._awaited) > MOST:
            self._awaited.popitem(last=False)

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
            await self._clock.sleep(SOON_S)
            now = self._clock.monotonic()
            for inbox_id in self._due(now):
                awaited = self._awaited.get(inbox_id)
                if awaited is None:
                    continue
                if now - awaited.since > PATIENCE_S:
                    del self._awaited[inbox_id]
                    continue
                await self._try(inbox_id)
                awaited.wait = min(LOOK_AGAIN_S, awaited.wait * 2)
                heappush(self._looks, (now + awaited.wait, inbox_id))

    def _due(self, now: float) -> list[int]:
        """What is to be looked for now."""
        due: list[int] = []
        while self._looks and self._looks[0][0] <= now and len(due) < AT_ONCE:
            _, inbox_id = heappop(self._looks)
            if inbox_id in self._awaited:
                due.append(inbox_id)
        return due

    async def _try(self, inbox_id: int) -> None:
        """Hand one out, if it is answered."""
        awaited = self._awaited.get(inbox_id)
        if awaited is None or self._hand_out is None:
            return
        try:
            if await self._hand_out(awaited.bot, awaited.channel, inbox_id):
                self._awaited.pop(inbox_id, None)
        except StoreError:
            pass  # told by whoever works; looked for again
        except Exception as error:  # noqa: BLE001 - the answer is kept: only this hand-out failed
            self._observer.note(Fault("send", repr(error), awaited.bot, f"t{inbox_id}", error))
            self._awaited.pop(inbox_id, None)

    def _collects(self, bot: str, channel: str) -> bool:
        adapter = self._roster.adapter(bot, channel)
        return adapter is not None and adapter.capabilities.collects


def _inbox_of(turn: str) -> int | None:
    found = _TURN.fullmatch(turn)
    return None if found is None else int(found[1])
