"""Our books against the server's bill: whatever a server does, what we take as known is what it charges.

Completed     it charges exactly that usage, within the bound that was held
NotRun        it charges nothing
FateUnknown   it may charge; never more than the bound, and exactly the input that was told at the start
"""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.bots import ModelChoice, Secret
from runner.clock import SystemClock, UnixMs
from runner.conversations.models import ToolCall, UserMessage
from runner.money.estimate import input_bound
from runner.money.prices import CacheWrites, Price, Rates
from runner.money.usage import Usage
from runner.ports.dialogue import CachePlan, ModelRequest
from runner.ports.outcomes import Completed, FateUnknown, NotRun, Outcome
from runner.ports.provider import Prepared, Provider
from runner.providers.catalogue import Catalogue, define
from runner.testing.model_script import At, Behaviour, Billed, Drop, Fault, Hang, Say
from runner.testing.model_server import ModelServer
from runner.testing.provider import FakeProvider

FREE = Price("m", "p", Rates(0, 0))
LIMIT = 40
ASKED = ModelRequest(
    ModelChoice("p", "m"),
    "Be kind.",
    (UserMessage("Hello?"),),
    cache=CachePlan(CacheWrites.HOUR, CacheWrites.HOUR),
)
USED = Usage(30, 20, cache_read_tokens=9, cache_write_5m_tokens=8, reasoning_tokens=7)

says = st.builds(
    Say,
    text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
    tools=st.sampled_from([(), (ToolCall("a", "look", '{"q": 1}'),)]),
    usage=st.sampled_from([None, USED]),
    at_bound=st.booleans(),
    tells_usage=st.booleans(),
    cut_at=st.sampled_from([None, None, *At]),
    error_at=st.sampled_from([None, None, At.FIRST, At.START, At.MIDDLE]),
    pieces=st.integers(1, 9),
)
faults = st.builds(
    Fault, st.sampled_from([400, 401, 402, 403, 404, 408, 422, 429, 503, 529]), retry_after=st.just("1")
)
broken = st.builds(Fault, st.sampled_from([500, 502, 504]), usage=st.sampled_from([None, USED]))
silent = st.sampled_from([Hang(USED), Hang(), Drop(USED), Drop(), Say(stall_at=At.MIDDLE, usage=USED)])
behaviours = st.lists(st.one_of(says, says, faults, broken, silent), min_size=1, max_size=6)


class Instant:
    def now_ms(self) -> UnixMs:
        return UnixMs(0)

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)  # noqa: TID251 - gives way


def agree(prepared: Prepared, outcome: Outcome, billed: list[Billed]) -> None:
    """Hold one outcome against what the server charged for it."""
    bound = input_bound(prepared.size, FREE)
    for row in billed:
        assert row.usage.input_tokens <= bound
        assert row.usage.output_tokens <= row.limit == LIMIT
    match outcome:
        case Completed():
            assert [row.usage for row in billed] == [outcome.usage]
            assert [row.request_id for row in billed] == [outcome.request_id]
        case NotRun():
            assert billed == []
        case FateUnknown():
            told = [replace(row.usage, output_tokens=0, reasoning_tokens=0) for row in billed]
            assert told == [outcome.started] if outcome.started else len(told) <= 1


async def try_all(provider: Provider, behind: ModelServer | FakeProvider, script: list[Behaviour]) -> None:
    prepared = provider.prepare(ASKED)
    for behaviour in script:
        behind.script(behaviour)
        before = len(behind.bill)
        outcome = await provider.complete(prepared, LIMIT, 0.05)
        agree(prepared, outcome, behind.bill[before:])


@settings(max_examples=25)
@given(script=behaviours)
@pytest.mark.parametrize("name", ["openai", "anthropic"])
async def test_over_sockets(name: str, script: list[Behaviour]) -> None:
    server = ModelServer()
    url = await server.start()
    address = f"{url}/v1" if name == "openai" else url
    definition = define(name, base_url=address, api_key=Secret("sk"))
    catalogue = Catalogue({name: definition}, clock=SystemClock(), find_price=lambda *_: None)
    await catalogue.warm(name)
    try:
        await try_all(catalogue.get(name), server, script)
    finally:
        await catalogue.close()
        await server.stop()


@given(script=behaviours)
async def test_in_process(script: list[Behaviour]) -> None:
    provider = FakeProvider(Instant())
    await try_all(provider, provider, script)
