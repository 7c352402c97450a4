"""One suite for everybody who runs batches: what each call and each line comes to, whatever the protocol.

A world is a server of batches and the fake behind it: `openai` and `anthropic` over real sockets, `fake` in process.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import cast

import pytest

from runner.bots import ModelChoice, Secret
from runner.clock import SystemClock
from runner.conversations.models import AssistantMessage, ToolCall, ToolMessage, ToolResult, UserMessage
from runner.errors import OperatorError
from runner.money.estimate import input_bound
from runner.money.prices import Price, Rates
from runner.money.usage import Usage
from runner.ports.batch_server import BatchItem, BatchServer, NotTaken, RemoteBatch, RemoteState
from runner.ports.dialogue import FinishReason, ModelRequest, ToolSpec
from runner.ports.outcomes import Completed, FateUnknown, FaultKind, NotRun, Outcome
from runner.ports.provider import Provider
from runner.providers import batch_calls
from runner.providers.catalogue import Catalogue, define
from runner.testing.batch_server import FakeBatchServer
from runner.testing.clock import ManualClock
from runner.testing.model_batches import Call, CutOff, Expired, Fate, Garbled, Trouble
from runner.testing.model_script import Drop, Fault, Hang, Say
from runner.testing.model_server import ModelServer
from runner.testing.provider import FakeProvider

KEY = "sk-very-secret"
PATIENCE_S = 30.0
FREE = Price("m", "p", Rates(0, 0))
LOOKUP = ToolSpec("lookup", "Looks up.", {"type": "object", "properties": {"q": {"type": "string"}}})
CALLS = (ToolCall("call_1", "lookup", '{"q":"a"}'), ToolCall("call_2", "lookup", '{"q":"ü"}'))
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


@pytest.fixture(params=["openai", "anthropic", "fake"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "fake":
        clock = ManualClock()
        fake = FakeBatchServer(clock)
        yield World("fake", fake, FakeProvider(clock), fake)
        return
    async for made in over_sockets(request.param):
        yield made


@pytest.fixture(params=["openai", "anthropic"])
async def wired(request: pytest.FixtureRequest) -> AsyncIterator[Wired]:
    async for made in over_sockets(request.param):
        yield made


async def test_a_batch_from_end_to_end(world: World) -> None:
    used = Usage(40, 9, cache_read_tokens=20, cache_write_5m_tokens=10, reasoning_tokens=4)
    world.behind.book.fates["b-2"] = Say("Grüße ﷺ, you.", usage=used)
    made = await world.submit("a", "b-2", "C_3")
    assert (made.state, made.done, made.failed) == (RemoteState.RUNNING, 0, 0)
    assert made.ours == ("our-1" if world.keeps_marks else "")
    assert world.behind.bill == []
    ended = await world.look(made)
    assert (ended.state, ended.total, ended.done, ended.failed) == (RemoteState.ENDED, 3, 3, 0)
    told = cast("list[tuple[str, Outcome]]", await world.results(made))
    assert [custom_id for custom_id, _ in told] != ["a", "b-2", "C_3"]
    outcomes = dict(told)
    assert set(outcomes) == {"a", "b-2", "C_3"}
    answered = outcomes["b-2"]
    assert isinstance(answered, Completed)
    assert (answered.reply.text, answered.reply.finish) == ("Grüße ﷺ, you.", FinishReason.END)
    assert (answered.usage, answered.charged) == (used, None)
    assert [(row.batch, row.answered) for row in world.behind.bill] == [(True, True)] * 3
    billed = {row.request_id: row.usage for row in world.behind.bill}
    assert billed == {o.request_id: o.usage for o in outcomes.values() if isinstance(o, Completed)}


async def test_results_can_be_read_again(world: World) -> None:
    made = await world.submit("a", "b")
    await world.look(made)
    assert await world.results(made) == await world.results(made)
    assert len(world.behind.bill) == 2


async def test_how_far_it_is(world: World) -> None:
    world.behind.book.looks = 3
    made = await world.submit("a", "b", "c")
    seen = [await world.look(made) for _ in range(3)]
    assert [batch.state for batch in seen] == [RemoteState.RUNNING, RemoteState.RUNNING, RemoteState.ENDED]
    assert {batch.total for batch in seen} == {3}
    done = [batch.done for batch in seen]
    assert done == ([0, 0, 3] if world.name == "anthropic" else [1, 2, 3])


async def test_what_one_line_comes_to(world: World) -> None:
    no_usage = await world.outcome_of(Say("Hi.", tells_usage=False))
    assert isinstance(no_usage, FateUnknown)
    assert (no_usage.kind, no_usage.reply and no_usage.reply.text) == (FaultKind.NO_USAGE, "Hi.")
    tools = await world.outcome_of(Say("Let me look.", tools=CALLS))
    assert isinstance(tools, Completed)
    assert (tools.reply.text, tools.reply.finish) == ("Let me look.", FinishReason.TOOLS)
    assert [(c.id, c.name, json.loads(c.arguments)) for c in tools.reply.tool_calls] == [
        (c.id, c.name, json.loads(c.arguments)) for c in CALLS
    ]
    refused = await world.outcome_of(Fault(400, "because"))
    assert isinstance(refused, NotRun)
    assert refused.kind is FaultKind.REJECTED
    assert "because" in refused.why
    expired = await world.outcome_of(Expired())
    assert isinstance(expired, NotRun)
    garbled = await world.outcome_of(Garbled(b'{"custom_id":"a","result":', Usage(3, 4)))
    assert isinstance(garbled, FateUnknown)


async def test_an_error_on_the_way_is_billed_by_one_and_not_by_the_other(world: World) -> None:
    outcome = await world.outcome_of(Fault(500, "broke down"))
    assert isinstance(outcome, NotRun if world.name == "anthropic" else FateUnknown)
    assert outcome.kind is FaultKind.SERVER


async def test_the_most_that_a_line_can_use_is_within_the_bound(world: World) -> None:
    world.behind.book.standing = Say("on and on", at_bound=True)
    made = await world.submit("a")
    await world.look(made)
    ((_, outcome),) = cast("list[tuple[str, Outcome]]", await world.results(made))
    assert isinstance(outcome, Completed)
    assert outcome.usage.input_tokens <= input_bound(world.items("a")[0].prepared.size, FREE)
    assert (outcome.usage.output_tokens, outcome.reply.finish) == (500, FinishReason.LENGTH)


async def test_a_canceled_batch(world: World) -> None:
    world.behind.book.looks = 3
    made = await world.submit("a", "b", "c", "d")
    await world.look(made)
    canceled = await world.server.cancel(made.id, PATIENCE_S)
    assert isinstance(canceled, RemoteBatch)
    assert canceled.state is RemoteState.CANCELING
    ended = await world.look(made)
    assert (ended.state, ended.done, ended.failed) == (RemoteState.ENDED, 1, 3)
    outcomes = dict(cast("list[tuple[str, Outcome]]", await world.results(made)))
    assert isinstance(outcomes.pop("a"), Completed)
    assert [type(outcome) for outcome in outcomes.values()] == [NotRun] * 3
    assert len(world.behind.bill) == 1
    again = await world.server.cancel(made.id, PATIENCE_S)
    assert isinstance(again, NotTaken)
    assert (again.certain, again.again_s) == (True, None)


async def test_what_was_made_lately(world: World) -> None:
    made = [await world.submit("a", mark=f"our-{number}") for number in range(3)]
    lately = await world.server.recent(made[0].created_ms, PATIENCE_S)
    assert isinstance(lately, list)
    assert [batch.id for batch in lately] == [batch.id for batch in reversed(made)]
    assert [batch.ours for batch in lately] == (
        ["our-2", "our-1", "our-0"] if world.keeps_marks else [""] * 3
    )
    assert await world.server.recent(made[-1].created_ms + 2000, PATIENCE_S) == []


async def test_a_submission_that_was_cut_off_can_be_found(world: World) -> None:
    world.behind.book.script("submit", CutOff())
    outcome = await world.server.submit(world.items("a", "b"), "our-7", PATIENCE_S)
    assert isinstance(outcome, NotTaken)
    assert (outcome.certain, outcome.again_s) == (False, batch_calls.AGAIN_S)
    found = await world.server.recent(0, PATIENCE_S)
    assert isinstance(found, list)
    assert [(batch.total, batch.ours) for batch in found] == [(2, "our-7" if world.keeps_marks else "")]


CALLS_OF_ALL: list[Call] = ["submit", "look", "recent", "cancel", "results"]


@pytest.mark.parametrize("call", CALLS_OF_ALL)
async def test_a_call_that_comes_to_nothing(world: World, call: Call) -> None:
    made = await world.submit("a")
    await world.look(made)
    world.behind.book.script(call, Fault(429, f"slow down, {KEY}", retry_after="7"), Fault(400), Fault(503))
    too_many, wrong, busy = [await world.call(call) for _ in range(3)]
    assert isinstance(too_many, NotTaken)
    assert (too_many.certain, too_many.again_s) == (True, 7.0)
    assert world.name == "fake" or KEY not in too_many.why
    assert isinstance(wrong, NotTaken)
    assert (wrong.certain, wrong.again_s) == (True, None)
    assert isinstance(busy, NotTaken)
    assert (busy.certain, busy.again_s) == (True, batch_calls.AGAIN_S)
    assert len(world.behind.book.made) == 1


@pytest.mark.parametrize("call", CALLS_OF_ALL)
async def test_a_call_of_which_nobody_knows(world: World, call: Call) -> None:
    troubles: list[Trouble] = [Fault(500), Drop(), CutOff()]
    for made_so_far, trouble in enumerate(troubles):
        made = await world.submit("a")
        if call == "results":
            await world.look(made)
        world.behind.book.script(call, *[trouble] * world.asked(call, trouble))
        told = await world.call(call, made.id)
        assert isinstance(told, NotTaken)
        assert (told.certain, told.again_s) == (False, batch_calls.AGAIN_S)
        done = isinstance(trouble, CutOff)
        assert len(world.behind.book.made) == made_so_far + 1 + (done and call == "submit")
        canceled = world.behind.book.made[made.id].state is RemoteState.CANCELING
        assert canceled == (done and call == "cancel")


async def test_results_that_break_off_tell_what_came(world: World) -> None:
    made = await world.submit("a", "b", "c")
    await world.look(made)
    world.behind.book.script("results", CutOff(lines=2))
    *whole, last = await world.results(made)
    assert all(isinstance(told, tuple) for told in whole)
    assert isinstance(last, NotTaken)
    assert len(whole) <= 2
    assert len(await world.results(made)) == 3


async def test_a_batch_that_nobody_knows(world: World) -> None:
    unknown = RemoteBatch("batch/../7", RemoteState.ENDED)
    outcomes = [
        await world.server.look(unknown.id, PATIENCE_S),
        await world.server.cancel(unknown.id, PATIENCE_S),
        *await world.results(unknown),
    ]
    assert len(outcomes) == 3
    for outcome in outcomes:
        assert isinstance(outcome, NotTaken)
        assert (outcome.certain, outcome.again_s) == (True, None)


async def test_no_results_before_the_end(world: World) -> None:
    world.behind.book.looks = None
    made = await world.submit("a")
    (told,) = await world.results(made)
    assert isinstance(told, NotTaken)
    assert world.behind.bill == []


# ------------------------------------------------------------------------------- over sockets only


async def test_what_is_sent(wired: Wired) -> None:
    await wired.submit("a", "b")
    (batch,) = wired.behind.book.made.values()
    prepared = [json.loads(item.prepared.body) for item in wired.items("a", "b")]
    if wired.name == "anthropic":
        assert wired.paths == ["/v1/messages/batches"]
        left_out, limit = {"stream"}, "max_tokens"
        assert [line.body["service_tier"] for line in batch.lines] == ["standard_only"] * 2
    else:
        assert wired.paths == ["/v1/files", "/v1/batches"]
        left_out, limit = {"stream", "stream_options", "service_tier"}, "max_completion_tokens"
    for line, body in zip(batch.lines, prepared, strict=True):
        assert line.body == {field: body[field] for field in body if field not in left_out} | {limit: 500}


async def test_silence_ends_in_time(wired: Wired) -> None:
    made = await wired.submit("a")
    await wired.look(made)
    for call in CALLS_OF_ALL:
        wired.behind.book.script(call, Hang())
    async with asyncio.TaskGroup() as tasks:
        calls = [
            tasks.create_task(wired.call(call, made.id, timeout_s=1.0), name=call) for call in CALLS_OF_ALL
        ]
    for told in (each.result() for each in calls):
        assert isinstance(told, NotTaken)
        assert (told.certain, told.again_s) == (False, batch_calls.AGAIN_S)


async def test_a_file_alone_is_no_batch(wired: Wired) -> None:
    if wired.name == "anthropic":
        return  # it takes no files
    for trouble in (Fault(500), Drop(), CutOff(), Fault(429), Hang()):
        wired.behind.book.script("upload", trouble)
        told = await wired.call("submit", timeout_s=0.2 if trouble == Hang() else PATIENCE_S)
        assert isinstance(told, NotTaken)
        assert (told.certain, told.again_s) == (True, batch_calls.AGAIN_S)
    assert wired.behind.book.made == {}


async def test_each_call_is_one_request(wired: Wired) -> None:
    made = await wired.submit("a")
    faults = (Fault(500), Fault(503, retry_after="0"), Fault(429, retry_after="0"))
    calls: dict[Call, tuple[Fault | Drop, ...]] = {
        "look": faults,
        "recent": faults,
        "cancel": (*faults, Drop()),
    }
    for call, troubles in calls.items():
        for trouble in troubles:
            wired.behind.book.script(call, trouble)
            asked_before = len(wired.paths)
            await wired.call(call)
            assert len(wired.paths) == asked_before + 1
    wired.behind.book.script("submit", Drop(), Fault(500))
    for _ in range(2):
        await wired.call("submit")
    assert list(wired.behind.book.made) == [made.id]
    assert sum(path.endswith("/batches") for path in wired.paths) == 1 + 2 + len(faults)


async def test_no_redirect_is_followed(wired: Wired) -> None:
    for call in ("submit", "look", "results"):
        await wired.submit("a")
        wired.behind.book.script(call, Fault(307, location="/v1/elsewhere"))
        assert isinstance(await wired.call(call), NotTaken)
    assert "/v1/elsewhere" not in wired.paths


async def test_another_key_is_refused(wired: Wired) -> None:
    address = {"openai": f"{wired.behind.url}/v1", "anthropic": wired.behind.url}[wired.name]
    definition = define(wired.name, base_url=address, api_key=Secret("sk-another"))
    catalogue = Catalogue({wired.name: definition}, clock=SystemClock(), find_price=lambda *_: None)
    server = catalogue.batches(wired.name)
    assert server is not None
    told = await server.submit(wired.items("a"), "our-1", PATIENCE_S)
    assert isinstance(told, NotTaken)
    assert (told.certain, told.again_s) == (True, None)
    assert "sk-another" not in repr((told, server))
    own = catalogue.batches(wired.name, Secret(KEY))
    assert own is not None
    assert isinstance(await own.submit(wired.items("a"), "our-1", PATIENCE_S), RemoteBatch)
    await catalogue.close()


async def test_no_server_to_connect_to(wired: Wired) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{unheard.getsockname()[1]}/v1"
        definition = define(wired.name, base_url=nobody, api_key=Secret(KEY))
        catalogue = Catalogue({wired.name: definition}, clock=SystemClock(), find_price=lambda *_: None)
        server = catalogue.batches(wired.name)
        assert server is not None
        told = await server.submit(wired.items("a"), "our-1", PATIENCE_S)
        await catalogue.close()
    assert isinstance(told, NotTaken)
    assert (told.certain, told.again_s) == (True, batch_calls.AGAIN_S)


async def test_a_connection_is_used_again(wired: Wired) -> None:
    made = await wired.submit("a")
    for _ in range(2):
        await wired.look(made)
        await wired.results(made)
    assert wired.behind.peers == 1


async def test_a_result_that_tells_not_even_whose_it_is(wired: Wired) -> None:
    wired.behind.book.fates |= {
        "a": Garbled(b"no JSON at all", Usage(1, 1)),
        "b": Garbled(b'{"custom_id": 7}'),
    }
    made = await wired.submit("a", "b", "c")
    await wired.look(made)
    (custom_id, _), lost = cast("tuple[tuple[str, Outcome], NotTaken]", await wired.results(made))
    assert custom_id == "c"
    assert isinstance(lost, NotTaken)
    assert (lost.certain, lost.again_s) == (False, None)
    assert lost.why.startswith("2 lines")


@pytest.mark.parametrize(
    "result",
    [
        b'"result":{"type":"succeeded","message":{"content":7}},"response":{"status_code":200,"body":7}',
        b'"result":{"type":"odd"},"response":null',
        b'"result":{"type":"succeeded","message":{"content":[],"stop_reason":"end_turn","usage":{"a":"x"}}}',
        b'"response":{"status_code":200,"body":{"choices":[{"message":{},"finish_reason":"stop"}],"usage":{"a":1}}}',
    ],
)
async def test_a_result_that_makes_no_sense(wired: Wired, result: bytes) -> None:
    outcome = await wired.outcome_of(Garbled(b'{"custom_id":"a",%s}' % result))
    assert isinstance(outcome, FateUnknown)


async def test_a_batch_that_is_refused_as_a_whole(wired: Wired) -> None:
    if wired.name == "anthropic":
        return
    wired.behind.book.invalid = "line 1 is wrong"
    failed = await wired.look(await wired.submit("a"))
    assert (failed.state, failed.why, failed.done) == (RemoteState.FAILED, "line 1 is wrong", 0)
    assert await wired.results(failed) == []


async def test_a_list_goes_on_from_page_to_page(wired: Wired, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_calls, "PAGE", 2)
    made = [(await wired.submit("a")).id for _ in range(5)]
    lately = await wired.server.recent(0, PATIENCE_S)
    assert isinstance(lately, list)
    assert [batch.id for batch in lately] == made[::-1]
    monkeypatch.setattr(batch_calls, "MOST_PAGES", 2)
    endless = await wired.server.recent(0, PATIENCE_S)
    assert isinstance(endless, NotTaken)  # never: "it is not there"
    assert endless.certain is False


async def test_what_nobody_would_take_is_not_sent(wired: Wired) -> None:
    for items in ([], wired.items("a", "a"), wired.items("no id"), wired.items("x" * 65)):
        told = await wired.server.submit(items, "our-1", PATIENCE_S)
        assert isinstance(told, NotTaken)
        assert (told.certain, told.again_s) == (True, None)
    assert wired.paths == []


async def test_who_has_batches() -> None:
    definitions = {
        "house": define("house", kind="openai", base_url="http://127.0.0.1:9/v1"),
        "claude": define("claude", kind="anthropic", base_url="http://127.0.0.1:9"),
    }
    catalogue = Catalogue(definitions, clock=SystemClock(), find_price=lambda *_: None)
    key = Secret("one")
    having = [name for name in ("openai", "anthropic", "house", "claude") if catalogue.batches(name, key)]
    assert having == ["openai", "anthropic", "house", "claude"]
    others = ("gemini", "groq", "openrouter", "workers-ai", "ollama", "echo")
    assert [catalogue.batches(name, key) for name in others] == [None] * len(others)
    for name in ("openai", "anthropic"):
        with pytest.raises(OperatorError, match="no API key"):
            catalogue.batches(name)
    with pytest.raises(OperatorError, match="no provider"):
        catalogue.batches("nobody")
    await catalogue.close()
