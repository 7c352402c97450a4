"""Speech written down, over real sockets: what an attempt comes to, and what was sent."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from runner.bots import ModelChoice, Secret
from runner.clock import SystemClock
from runner.conversations.models import UserMessage
from runner.conversations.recordings import Recording, measure
from runner.errors import OperatorError
from runner.money.estimate import input_bound
from runner.money.prices import ModelLimits, Price, Rates
from runner.money.usage import Usage
from runner.ports.dialogue import ModelReply, ModelRequest
from runner.ports.outcomes import Completed, FateUnknown, FaultKind, NotRun, Outcome
from runner.ports.provider import Provider
from runner.providers.catalogue import Catalogue, define
from runner.testing.model_script import At, Drop, Fault, Hang, Say
from runner.testing.model_server import ModelServer
from runner.testing.recordings import opus, wav

KEY = "sk-very-secret"
BY_SECOND = Price("w", "openai", Rates(100, 0), limits=ModelLimits(min_audio_seconds=1))


def a_request(file: bytes) -> ModelRequest:
    recording = measure(file)
    assert isinstance(recording, Recording)
    return ModelRequest(ModelChoice("openai", "whisper-1"), "", (), recording=recording)


VOICE = a_request(opus(4.5))


@dataclass
class World:
    provider: Provider
    server: ModelServer

    async def ask(self, request: ModelRequest = VOICE, timeout_s: float = 30.0) -> Outcome:
        return await self.provider.complete(self.provider.prepare(request), 1, timeout_s)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    server = ModelServer(key=KEY)
    url = await server.start()
    definition = define("openai", base_url=f"{url}/v1", api_key=Secret(KEY))
    catalogue = Catalogue({"openai": definition}, clock=SystemClock(), find_price=lambda *_: None)
    yield World(catalogue.transcriber("openai"), server)
    await catalogue.close()
    await server.stop()


@pytest.mark.parametrize("file", [opus(4.5), wav(5)])
async def test_what_was_said(world: World, file: bytes) -> None:
    world.server.script(Say("  Grüße ﷺ\n"))
    outcome = await world.ask(a_request(file))
    assert outcome == Completed(ModelReply("Grüße ﷺ"), Usage(5), "heard_1")
    assert (world.server.bill[0].usage, world.server.bill[0].answered) == (Usage(5), True)
    seen = world.server.requests[0]
    assert (seen.body["model"], seen.body["response_format"], seen.body["temperature"]) == (
        "whisper-1",
        "verbose_json",
        "0",
    )
    assert file in seen.raw


async def test_the_bound_is_above_what_is_used(world: World) -> None:
    size = world.provider.prepare(VOICE).size
    outcome = await world.ask()
    assert isinstance(outcome, Completed)
    assert outcome.usage.input_tokens < input_bound(size, BY_SECOND) <= 6


async def test_equal_requests_are_equal_bytes(world: World) -> None:
    assert world.provider.prepare(VOICE) == world.provider.prepare(a_request(opus(4.5)))


async def test_a_server_that_names_no_length_is_billed_by_our_own_count(world: World) -> None:
    world.server.script(Say("hello", usage=Usage(3), tells_usage=False))
    assert await world.ask() == Completed(ModelReply("hello"), Usage(5), "heard_1")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, FaultKind.REJECTED),
        (401, FaultKind.REJECTED),
        (413, FaultKind.REJECTED),
        (429, FaultKind.RATE_LIMITED),
        (503, FaultKind.OVERLOADED),
    ],
)
async def test_what_never_ran(world: World, status: int, kind: FaultKind) -> None:
    world.server.script(Fault(status, f"because of {KEY}", retry_after="7"))
    assert await world.ask() == NotRun(kind, f"HTTP {status}: because of ***", status, 7.0, "heard_1")


@pytest.mark.parametrize("status", [500, 502])
async def test_a_server_error_may_have_run(world: World, status: int) -> None:
    world.server.script(Fault(status, usage=Usage(5)))
    outcome = await world.ask()
    assert isinstance(outcome, FateUnknown)
    assert (outcome.kind, outcome.status) == (FaultKind.SERVER, status)


async def test_no_redirect_is_followed(world: World) -> None:
    world.server.script(Fault(307, location=f"{world.server.url}/v1/audio/transcriptions"))
    assert isinstance(await world.ask(), FateUnknown)
    assert len(world.server.requests) == 1


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (Drop(usage=Usage(5)), FaultKind.CUT),
        (Say("one two three", cut_at=At.START), FaultKind.CUT),
        (Say("one two three", cut_at=At.MIDDLE), FaultKind.CUT),
        (Say("one two three", error_at=At.MIDDLE), FaultKind.CUT),
    ],
)
async def test_an_answer_that_breaks_off(world: World, behaviour: Say | Drop, kind: FaultKind) -> None:
    world.server.script(behaviour)
    outcome = await world.ask()
    assert isinstance(outcome, FateUnknown)
    assert (outcome.kind, outcome.reply) == (kind, None)


async def test_a_whole_answer_counts_however_its_connection_ended(world: World) -> None:
    world.server.script(Say("all of it", cut_at=At.STOP))
    assert await world.ask() == Completed(ModelReply("all of it"), Usage(5), "heard_1")


@pytest.mark.parametrize("behaviour", [Hang(usage=Usage(5)), Say("one two three", stall_at=At.MIDDLE)])
async def test_silence_ends_in_time(world: World, behaviour: Hang | Say) -> None:
    world.server.script(behaviour)
    outcome = await world.ask(timeout_s=0.5)
    assert isinstance(outcome, FateUnknown)
    assert outcome.kind is FaultKind.TIMEOUT


async def test_cancelled_it_closes_its_connection(world: World) -> None:
    world.server.script(Hang())
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(world.ask(), name="asking")
        await world.server.wait_for(lambda server: len(server.requests) == 1)
        asking.cancel()
        await world.server.wait_for(lambda server: server.gone == 1)
    assert asking.cancelled()


async def test_no_server_to_connect_to() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        definition = define(
            "groq", base_url=f"http://127.0.0.1:{unheard.getsockname()[1]}", api_key=Secret(KEY)
        )
        catalogue = Catalogue({"groq": definition}, clock=SystemClock(), find_price=lambda *_: None)
        provider = catalogue.transcriber("groq")
        outcome = await provider.complete(provider.prepare(VOICE), 1, 30.0)
        await catalogue.close()
    assert isinstance(outcome, NotRun)
    assert outcome.kind is FaultKind.CONNECT


async def test_a_connection_is_used_again(world: World) -> None:
    for _ in range(3):
        assert isinstance(await world.ask(), Completed)
    assert world.server.peers == 1


async def test_the_key_is_sent_and_never_shown(world: World) -> None:
    await world.ask()
    assert world.server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(world.provider)


async def test_who_writes_speech_down() -> None:
    definitions = {"house": define("house", kind="openai", base_url="http://127.0.0.1:9/v1")}
    catalogue = Catalogue(definitions, clock=SystemClock(), find_price=lambda *_: None)
    assert catalogue.transcriber("house") is catalogue.transcriber("house")
    assert catalogue.transcriber("house") is not catalogue.get("house")
    assert catalogue.transcriber("openai", Secret("one")) is not catalogue.transcriber(
        "openai", Secret("two")
    )
    for name, why in (("anthropic", "write speech"), ("echo", "write speech"), ("groq", "no API key")):
        with pytest.raises(OperatorError, match=why):
            catalogue.transcriber(name)
    with pytest.raises(ValueError, match="no recording"):
        catalogue.transcriber("house").prepare(ModelRequest(ModelChoice("h", "w"), "", (UserMessage("hi"),)))
    await catalogue.close()
