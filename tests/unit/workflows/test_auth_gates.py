"""auth_gate: who is let through, who is asked, who is turned away; and that a crash changes none of it."""

from typing import Any

import pytest

from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.testing.scenes import a_message
from runner.workflows.doers.gate import (
    ANSWER_WITHIN_MS,
    ASK_CODE,
    ASK_LINK,
    IDENTITY,
    NO_MORE,
    WRONG,
    GateDoer,
)
from runner.workflows.doers.passes import Passes
from runner.workflows.doing import Outcome
from runner.workflows.engine import Done, Failed, Paused
from runner.workflows.expressions import Json
from runner.workflows.state import Wait
from tests.unit.workflows.doing_world import doing

SENT: dict[str, Json] = {"sent": {"code": "12 34-56"}}
BY_TOOL: dict[str, Json] = {"mode": "code", "code": "{{sent.code}}"}
BY_OPERATOR: dict[str, Json] = {"mode": "code"}
LINK: dict[str, Json] = {"mode": "link"}
DENIED = Done(handle="denied", removed=(IDENTITY,))


class Gate:
    """A gate, its passes and its clock, as a run of one node after another meets it."""

    def __init__(self, store: MemoryStore) -> None:
        self.clock = ManualClock()
        self.memories = store.runs
        self.passes = Passes(self.memories, self.clock)
        self.doer = GateDoer(self.passes, self.clock)

    async def begin(self, data: dict[str, Json], text: str = "hello", **more: Any) -> Outcome:
        return await self.doer.do(doing("auth_gate", data, message=a_message(text), variables=SENT, **more))

    async def reply(self, data: dict[str, Json], text: str, turn: str, run: str = "rt1") -> Outcome:
        it = doing("auth_gate", data, message=a_message(text), variables=SENT, turn=turn, run=run, reply=text)
        return await self.doer.do(it)


@pytest.fixture
async def gate() -> Gate:
    store = MemoryStore()
    await store.open()
    return Gate(store)


def verified(identity: str) -> Done:
    return Done(handle="verified", variables={IDENTITY: identity})


async def test_a_list_lets_through_who_is_on_it(gate: Gate) -> None:
    data: dict[str, Json] = {"mode": "allow_list", "allow": ["ada", "4711"]}
    assert await gate.begin(data) == Outcome(verified("ada"))
    assert await gate.begin(data, user="eve") == Outcome(DENIED)
    assert await gate.begin(data, user="ad") == Outcome(DENIED)


@pytest.mark.parametrize(("data", "asks"), [(BY_TOOL, ASK_CODE), (BY_OPERATOR, ASK_CODE), (LINK, ASK_LINK)])
async def test_who_has_to_show_something_is_asked_for_it(
    gate: Gate, data: dict[str, Json], asks: str
) -> None:
    wait = Wait("reply", gate.clock.now_ms() + ANSWER_WITHIN_MS)
    assert await gate.begin(data) == Outcome(Paused(wait), say=(asks,))
    assert (await gate.begin({**data, "text": "Your code, {{message}}?"})).say == ("Your code, hello?",)


@pytest.mark.parametrize("answer", ["123456", " 123 456 ", "12-34-56", "1.2.3.4.5.6"])
async def test_a_code_that_a_tool_sent(gate: Gate, answer: str) -> None:
    assert await gate.reply(BY_TOOL, answer, "t2") == Outcome(verified("ada"))


@pytest.mark.parametrize("answer", ["123457", "", "12345", "1234567", "the code is 123456"])
async def test_a_wrong_answer_is_asked_again_twice_and_then_turned_away(gate: Gate, answer: str) -> None:
    for turn in ("t2", "t3"):
        again = await gate.reply(BY_TOOL, answer, turn)
        assert isinstance(again.result, Paused)
        assert again.say == (WRONG,)
    assert await gate.reply(BY_TOOL, answer, "t4") == Outcome(DENIED, say=(NO_MORE,))


async def test_a_turn_begun_again_is_one_try(gate: Gate) -> None:
    for _ in range(5):
        assert isinstance((await gate.reply(BY_TOOL, "1", "t2")).result, Paused)
    assert (await gate.reply(BY_TOOL, "123456", "t3")).result == verified("ada")


async def test_a_tool_that_sent_nothing_fails_the_node(gate: Gate) -> None:
    result = (await gate.begin({"mode": "code", "code": "{{nothing}}"})).result
    assert isinstance(result, Failed)


async def test_a_code_of_the_operator_lets_its_user_through_once(gate: Gate) -> None:
    issued = await gate.passes.issue_code("bot", "ada", "ada@example.org", 60)
    assert len(issued.text) == 6
    assert isinstance((await gate.reply(BY_OPERATOR, issued.text, "t2", run="of another")).result, Done)
    issued = await gate.passes.issue_code("bot", "ada", "ada@example.org", 60)
    for _ in range(2):  # the second time, the turn was begun again
        assert (await gate.reply(BY_OPERATOR, issued.text, "t2")).result == verified("ada@example.org")
    assert isinstance((await gate.reply(BY_OPERATOR, issued.text, "t9", run="rt8")).result, Paused)


async def test_a_code_is_for_one_user_and_for_a_time(gate: Gate) -> None:
    issued = await gate.passes.issue_code("bot", "bob", "", 60)
    assert isinstance((await gate.reply(BY_OPERATOR, issued.text, "t2")).result, Paused)
    mine = await gate.passes.issue_code("bot", "ada", "", 60)
    gate.clock.advance(3600)
    assert isinstance((await gate.reply(BY_OPERATOR, mine.text, "t3")).result, Paused)


async def test_three_wrong_tries_end_a_code_over_all_runs(gate: Gate) -> None:
    issued = await gate.passes.issue_code("bot", "ada", "", 60)
    wrong = "000000" if issued.text != "000000" else "000001"
    for at in range(3):
        await gate.reply(BY_OPERATOR, wrong, f"t{at}", run=f"r{at}")
    assert isinstance((await gate.reply(BY_OPERATOR, issued.text, "t9", run="r9")).result, Paused)


async def test_a_link_in_the_message_or_in_the_answer(gate: Gate) -> None:
    issued = await gate.passes.issue_token("bot", "customer 7", 60)
    link = f"https://example.org/hello?pass={issued.text}&x=1"
    for _ in range(2):
        assert await gate.begin(LINK, link) == Outcome(verified("customer 7"))
    assert isinstance((await gate.begin(LINK, link, run="rt7")).result, Paused)
    other = await gate.passes.issue_token("bot", "customer 8", 60)
    assert await gate.reply(LINK, other.text, "t2", run="rt7") == Outcome(verified("customer 8"))


@pytest.mark.parametrize("shown", ["{}x", "x{}", "{}-{}"])
async def test_more_or_less_than_a_token_is_none(gate: Gate, shown: str) -> None:
    issued = await gate.passes.issue_token("bot", "customer 7", 60)
    assert isinstance((await gate.reply(LINK, shown.format(issued.text, "y"), "t2")).result, Paused)
    assert isinstance((await gate.reply(LINK, issued.text[:-1], "t3")).result, Paused)


async def test_what_is_kept_of_a_pass_does_not_show_it(gate: Gate) -> None:
    code = await gate.passes.issue_code("bot", "ada", "", 60)
    token = await gate.passes.issue_token("bot", "x", 60)
    kept = repr(vars(gate.memories)["_memories"])
    assert "pass:" in kept
    assert f'"{code.text}"' not in kept
    assert token.text not in kept
