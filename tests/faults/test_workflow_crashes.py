"""A workflow's run, killed before any call of the store that it comes to: it ends right, paid once, said once."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from adapters.testing.fake import FakeAdapter
from runner.bots import Workflow
from runner.conversations.models import UserMessage
from runner.money.reservation import ReservationState
from runner.ports.books import LedgerFilter
from runner.ports.dialogue import ModelRequest
from runner.ports.runs import Decision, RunStatus
from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.testing.model_script import Say
from runner.testing.pipeline import INSTANT_S, Pipeline, pipeline
from runner.testing.provider import FakeProvider
from runner.testing.scenes import FunctionToolbox, a_bot, a_message
from runner.testing.workflows import ask, node, send, trigger, workflow

SOURCE = workflow(
    {
        "t": trigger(),
        "classify": ask("Kind of {{message}}?", "intent"),
        "order": node("mcp_tool", tool="order", arguments={"text": "{{message}}"}, outputVariable="order"),
        "known": send("{{intent.text}}: {{order.status}}"),
        "unknown": send("{{intent.text}}: nobody knows"),
        "later": node("wait_delay", seconds=60),
        "write": ask("Write about {{intent.text}}", "letter"),
        "said": send("{{letter.text}}"),
        "review": node("action", actionType="human_handoff", reason="{{letter.text}}?"),
        "yes": send("Done: {{handoff.comment}}"),
        "no": send("Not done."),
    },
    "t > classify",
    "classify > order",
    "order > known",
    "order error> unknown",
    "known > later",
    "unknown > later",
    "later > write",
    "write > said",
    "said > review",
    "review approved> yes",
    "review rejected> no",
)
BOT = a_bot(workflow=Workflow(json.dumps(SOURCE)))
ESCALATED = "I have escalated this to a reviewer. You will hear back shortly."
AT_MOST_S = 60


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Doom:
    """Counts the store's calls and ends the process before one of them: none of its calls comes through after that.

    `at`: from 1; 0: never.
    """

    at: int = 0
    passed: int = 0
    method: str = ""
    dead: bool = False
    quiet: bool = False

    def __call__(self, method: str) -> None:
        if method == "open":
            self.dead = False
        if self.dead:
            raise Killed
        if self.quiet or method in {"open", "recover"}:
            return
        self.passed += 1
        if self.passed == self.at:
            self.method, self.dead = method, True
            raise Killed

    @contextmanager
    def looking(self) -> Iterator[None]:
        self.quiet = True
        try:
            yield
        finally:
            self.quiet = False


def answer(request: ModelRequest) -> Say:
    asked = request.messages[-1]
    assert isinstance(asked, UserMessage)
    return Say("billing" if asked.text.startswith("Kind") else "a letter")


@dataclass
class World:
    """What outlives a process, and what was seen of all of them."""

    doom: Doom
    toolbox: FunctionToolbox
    clock: ManualClock = field(default_factory=lambda: ManualClock(instant_s=INSTANT_S))
    adapters: list[FakeAdapter] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = MemoryStore(self.doom)
        self.provider = FakeProvider(self.clock, answer)

    async def live(self) -> None:
        """One process, until the run has ended and all is said, or it is killed."""
        self.adapters.append(FakeAdapter())
        async with pipeline(
            BOT,
            self.toolbox,
            adapter=self.adapters[-1],
            provider=self.provider,
            store=self.store,
            clock=self.clock,
        ) as walk:
            await walk.adapter.inject(a_message("where is my order?", "e1"))
            async with asyncio.timeout(AT_MOST_S):
                while not await self._over(walk):
                    await self.clock.sleep(0)

    async def _over(self, walk: Pipeline) -> bool:
        with self.doom.looking():
            runs = await self.store.runs.runs(BOT.id, 2)
            asked = await self.store.runs.handoffs(Decision.PENDING, 2)
            due = await self.store.runs.next_errand_ms()
            figures = await self.store.figures()
        if asked:
            await walk.handoffs.decide(asked[0].id, Decision.APPROVED, "bo", "fine")
        elif due is not None and due > self.clock.now_ms():
            self.clock.advance((due - self.clock.now_ms()) / 1000)
            walk.errands.look()
        ended = bool(runs) and runs[0].status is not RunStatus.WAITING
        return ended and not figures.outbox and not figures.waiting

    async def to_the_end(self) -> None:
        """As many processes as it takes."""
        try:
            await self.live()
        except* Killed:
            pass
        else:
            return
        await self.live()

    @property
    def said(self) -> Counter[str]:
        return Counter(message.text for adapter in self.adapters for message in adapter.sent)

    async def paid(self) -> Counter[str]:
        """How often each node was paid."""
        rows = [row async for row in self.store.ledger(LedgerFilter())]
        return Counter(row.attempt.feature for row in rows if row.state is ReservationState.SETTLED)


def a_world(at: int, *, repeatable: bool) -> World:
    return World(Doom(at), FunctionToolbox(repeatable, order=lambda _: '{"status": "delivered"}'))


def calls_of_a_whole_run(*, repeatable: bool) -> int:
    world = a_world(0, repeatable=repeatable)
    asyncio.run(world.to_the_end())
    return world.doom.passed


async def right_end(world: World) -> None:
    """The run came to its end: each node was paid once, each text said once but where nobody can know."""
    world.doom.quiet = True
    [run] = await world.store.runs.runs(BOT.id, 2)
    assert (run.id, run.status) == ("rt1", RunStatus.FINISHED), (world.doom, run.state)
    assert await world.paid() == {"workflow:classify": 1, "workflow:write": 1}, world.doom
    texts = {text: count for text, count in world.said.items() if text not in FIRST}
    assert texts.keys() == {"a letter", ESCALATED, "Done: fine"}, world.doom
    assert sum(world.said[text] for text in FIRST) >= 1, world.doom
    doubled = [text for text, count in world.said.items() if count > 1]
    assert len(doubled) <= (1 if world.doom.method == "end_sending" else 0), (world.doom, world.said)


FIRST = ("billing: delivered", "billing: nobody knows")


def test_a_run_that_is_killed_anywhere_ends_right() -> None:
    total = calls_of_a_whole_run(repeatable=True)
    assert total > 20
    for at in range(1, total + 1):
        world = a_world(at, repeatable=True)
        asyncio.run(world.to_the_end())
        asyncio.run(right_end(world))
        assert world.said[FIRST[0]] >= 1, world.doom
        assert len(world.provider.calls) <= 3, world.doom


def test_a_tool_that_may_do_harm_is_never_called_twice() -> None:
    total = calls_of_a_whole_run(repeatable=False)
    ends: Counter[str] = Counter()
    for at in range(1, total + 1):
        world = a_world(at, repeatable=False)
        asyncio.run(world.to_the_end())
        asyncio.run(right_end(world))
        assert len(world.toolbox.calls) == 1, world.doom
        ends.update(text for text in FIRST if world.said[text])
    assert ends[FIRST[1]] == 1, "killed while it was called: nobody knows what came of it"
