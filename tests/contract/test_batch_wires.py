"""Batches over real sockets: what is sent, how often, to whom, and what becomes of strange answers."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import cast

import pytest

from runner.bots import Secret
from runner.clock import SystemClock
from runner.errors import OperatorError
from runner.money.usage import Usage
from runner.ports.batch_server import NotTaken, RemoteBatch, RemoteState
from runner.ports.outcomes import FateUnknown, Outcome
from runner.providers import batch_calls
from runner.providers.catalogue import Catalogue, define
from runner.testing.model_batches import Call, CutOff, Garbled
from runner.testing.model_script import Drop, Fault, Hang
from tests.contract.batch_worlds import CALLS_OF_ALL, KEY, PATIENCE_S, Wired, over_sockets


@pytest.fixture(params=["openai", "anthropic"])
async def wired(request: pytest.FixtureRequest) -> AsyncIterator[Wired]:
    async for made in over_sockets(request.param):
        yield made


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
