"""An outbox with its store and a platform that sends when it is told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from adapters.contract import Capabilities
from adapters.messages import ChatRef, OutboundMessage, SendResult, outbound_to_json
from adapters.testing.fake import FakeAdapter
from runner.dispatch.outbox import Outbox
from runner.errors import StoreError
from runner.ports.mail import ConversationState, FinishedTurn, NewInbound, NewOutbound, OutboxState, Outgoing
from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.testing.observer import RecordingObserver
from runner.testing.roster import FakeRoster
from runner.testing.scenes import a_bot

ALL = list(OutboxState)


class SlowAdapter(FakeAdapter):
    """Sends when it is told to."""

    def __init__(self, capabilities: Capabilities | None = None) -> None:
        super().__init__(capabilities)
        self.go = asyncio.Event()
        self.go.set()
        self.clock: ManualClock | None = None
        self.tried_at: list[float] = []

    async def send(self, message: OutboundMessage) -> SendResult:
        if not self.go.is_set():
            self.tried.append(message)
            self._ring()
            await self.go.wait()
            self.tried.pop()
        if self.clock is not None:
            self.tried_at.append(self.clock.monotonic())
        return await super().send(message)


@dataclass
class World:
    """An outbox and its store."""

    outbox: Outbox
    store: MemoryStore
    adapter: SlowAdapter
    roster: FakeRoster
    clock: ManualClock
    observer: RecordingObserver
    tasks: asyncio.TaskGroup
    faults: list[str]
    watching: list[asyncio.Task[None]] = field(default_factory=list)
    turns: int = 0

    def first_state(self, place: str, parts: int = 1) -> OutboxState:
        return self.outbox.first_state("bot", "chat", place, parts)

    async def reply(self, place: str, *texts: str, state: OutboxState | None = None) -> None:
        """Store a reply as a turn does and hand it on."""
        self.outbox.take(await self.store_reply(place, *texts, state=state))

    async def store_reply(self, place: str, *texts: str, state: OutboxState | None = None) -> list[Outgoing]:
        self.turns += 1
        event = f"e{self.turns}"
        taken = await self.store.accept(NewInbound("bot", "chat", "", event, event, "{}", 0))
        first = state or self.first_state(place, len(texts))
        parts = [
            NewOutbound("bot", "chat", place, outbound_to_json(OutboundMessage(text, ChatRef(place), text)))
            for text in texts
        ]
        await self.store.finish(
            FinishedTurn(
                taken.inbox_id,
                f"t{taken.inbox_id}",
                "bot",
                "chat",
                event,
                "ada",
                ConversationState(event, 0, 0),
                "answered",
                0,
                outbox=tuple(parts),
                first_state=first,
            ),
        )
        return await self.store.answers(taken.inbox_id)

    def watch(self) -> None:
        self.watching.append(self.tasks.create_task(self.outbox.watch(), name="watch"))

    async def started(self) -> None:
        """Run the watch until it has read the store once."""
        self.watch()
        while self.first_state("nowhere") is not OutboxState.SENDING:
            await self.clock.sleep(0)

    def sent(self) -> list[str]:
        return [message.text for message in self.adapter.sent]

    async def states(self) -> dict[str, str]:
        """What the store says of each part, `sent` left out."""
        found = {}
        for state in ALL:
            for row in await self.store.outgoing(state, 1000):
                if state is not OutboxState.SENT:
                    found[row.payload.split('"')[3]] = str(state)
        return found


@asynccontextmanager
async def a_world() -> AsyncIterator[World]:
    """Make one; its tasks end with the block."""
    faults: list[str] = []

    def before(method: str) -> None:
        if method in faults:
            faults.remove(method)
            raise StoreError("the disk is full")

    store, roster, clock = MemoryStore(before), FakeRoster(), ManualClock(instant_s=0.05)
    observer, adapter = RecordingObserver(), SlowAdapter()
    roster.add(a_bot(), adapter)
    await store.open()
    async with asyncio.TaskGroup() as tasks:
        sends = Outbox(store, roster, clock, observer, tasks)
        made = World(sends, store, adapter, roster, clock, observer, tasks, faults)
        yield made
        for task in made.watching:
            task.cancel()
        await sends.stop(0)
