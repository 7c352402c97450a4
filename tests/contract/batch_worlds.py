"""Servers of batches for tests, each with the fake behind it: two over real sockets, one in process."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import cast

from runner.bots import ModelChoice, Secret
from runner.clock import SystemClock
from runner.conversations.models import AssistantMessage, ToolCall, ToolMessage, ToolResult, UserMessage
from runner.ports.batch_server import BatchItem, BatchServer, NotTaken, RemoteBatch
from runner.ports.dialogue import ModelRequest, ToolSpec
from runner.ports.outcomes import Outcome
from runner.ports.provider import Provider
from runner.providers.catalogue import Catalogue, define
from runner.testing.batch_server import FakeBatchServer
from runner.testing.clock import ManualClock
from runner.testing.model_batches import Call, CutOff, Fate, Trouble
from runner.testing.model_script import Drop
from runner.testing.model_server import ModelServer
from runner.testing.provider import FakeProvider

KEY = "sk-very-secret"
PATIENCE_S = 30.0
LOOKUP = ToolSpec("lookup", "Looks up.", {"type": "object", "properties": {"q": {"type": "string"}}})
CALLS = (ToolCall("call_1", "lookup", '{"q":"a"}'), ToolCall("call_2", "lookup", '{"q":"ü"}'))
CALLS_OF_ALL: list[Call] = ["submit", "look", "recent", "cancel", "results"]
TALK = (
    UserMessage("Hello? Привет ﷺ"),
    AssistantMessage("", CALLS),
    ToolMessage((ToolResult("call_1", "lookup", "found"), ToolResult("call_2", "lookup", "", ok=False))),
)


def asked(text: str) -> ModelRequest:
    return ModelRequest(ModelChoice("p", "some-model"), "Be kind.", (UserMessage(text), *TALK[1:]), (LOOKUP,))


@dataclass
class World:
    name: str
    server: BatchServer
    provider: Provider
    behind: ModelServer | FakeBatchServer

    @property
    def keeps_marks(self) -> bool:
        return self.name != "anthropic"

    def items(self, *ids: str, limit: int = 500) -> list[BatchItem]:
        return [BatchItem(each, self.provider.prepare(asked(f"I am {each}")), limit) for each in ids]

    async def submit(self, *ids: str, mark: str = "our-1") -> RemoteBatch:
        made = await self.server.submit(self.items(*ids), mark, PATIENCE_S)
        assert isinstance(made, RemoteBatch), made
        return made

    async def look(self, batch: RemoteBatch) -> RemoteBatch:
        seen = await self.server.look(batch.id, PATIENCE_S)
        assert isinstance(seen, RemoteBatch), seen
        return seen

    async def results(self, batch: RemoteBatch) -> list[tuple[str, Outcome] | NotTaken]:
        return [told async for told in self.server.results(batch.id, PATIENCE_S)]

    def asked(self, call: Call, trouble: Trouble) -> int:
        """How often the server sees that call: a GET on a connection that was closed is sent once more."""
        again = call in ("look", "recent", "results") and isinstance(trouble, Drop | CutOff)
        return 2 if again and self.name != "fake" else 1

    async def outcome_of(self, fate: Fate) -> Outcome:
        """What becomes of one line with that fate."""
        self.behind.book.fates["a"] = fate
        batch = await self.submit("a")
        await self.look(batch)
        ((custom_id, outcome),) = cast("list[tuple[str, Outcome]]", await self.results(batch))
        assert custom_id == "a"
        return outcome

    async def call(self, call: Call, batch_id: str = "", timeout_s: float = PATIENCE_S) -> object:
        """Make that call, of the first batch if none is named."""
        batch_id = batch_id or next(iter(self.behind.book.made), "batch_1")
        match call:
            case "submit" | "upload":
                return await self.server.submit(self.items("x"), "our-2", timeout_s)
            case "look":
                return await self.server.look(batch_id, timeout_s)
            case "recent":
                return await self.server.recent(0, timeout_s)
            case "cancel":
                return await self.server.cancel(batch_id, timeout_s)
            case "results":
                return [told async for told in self.server.results(batch_id, timeout_s)][-1]


@dataclass
class Wired(World):
    """A world over real sockets."""

    behind: ModelServer

    @property
    def paths(self) -> list[str]:
        return [seen.path for seen in self.behind.requests]


async def over_sockets(name: str) -> AsyncIterator[Wired]:
    behind = ModelServer(key=KEY)
    url = await behind.start()
    address = {"openai": f"{url}/v1", "anthropic": url}[name]
    definition = define(name, base_url=address, api_key=Secret(KEY))
    catalogue = Catalogue({name: definition}, clock=SystemClock(), find_price=lambda *_: None)
    server = catalogue.batches(name)
    assert server is not None
    yield Wired(name, server, catalogue.get(name), behind)
    await server.close()
    await catalogue.close()
    await behind.stop()


async def in_process() -> AsyncIterator[World]:
    clock = ManualClock()
    fake = FakeBatchServer(clock)
    yield World("fake", fake, FakeProvider(clock), fake)
