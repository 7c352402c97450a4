"""What servers of tools bring to a bot: read once, checked before a server sees it, never a wall for other tools."""

from collections.abc import Mapping
from typing import Any

import pytest

from runner.agent.served_tools import ServedToolbox
from runner.agent.tools import EmptyToolbox, JointToolbox
from runner.conversations.models import ToolCall, ToolResult
from runner.ports.tool_servers import ServedTool, ToolAnswer
from runner.testing.scenes import FunctionToolbox

NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def tool(name: str, schema: Mapping[str, Any] = NUMBER, *, repeatable: bool = False) -> ServedTool:
    return ServedTool(f"shop__{name}", name, f"does {name}", schema, repeatable)


class Shop:
    name = "shop"

    def __init__(self, *tools: ServedTool, trouble: str = "", answer: ToolAnswer | None = None) -> None:
        self.tools = tools
        self.trouble = trouble
        self.answer = answer or ToolAnswer(ok=True, text="fine")
        self.calls: list[tuple[str, Mapping[str, Any], float]] = []

    async def call(self, tool: str, arguments: Mapping[str, Any], timeout_s: float) -> ToolAnswer:
        self.calls.append((tool, arguments, timeout_s))
        return self.answer


async def run(shop: Shop, name: str, arguments: str = "{}", cap: int = 1000) -> ToolResult:
    return await ServedToolbox([shop], cap).run(ToolCall("c", name, arguments), 5)


async def test_a_call_reaches_the_server_by_its_own_name() -> None:
    shop = Shop(tool("b"), tool("a"))
    result = await run(shop, "shop__b", '{"n": 1}')
    assert result == ToolResult("c", "shop__b", "fine", ok=True)
    assert shop.calls == [("b", {"n": 1}, 5)]
    assert [spec.name for spec in ServedToolbox([shop], 9).specs] == ["shop__a", "shop__b"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ('{"n": "x"}', "`n` must be of type integer"),
        ("{}", "`n` is missing"),
        ('{"n": 1, "m": 2}', "there is no argument `m`; there are: `n`"),
        ("nonsense", "the arguments are not valid JSON"),
    ],
)
async def test_bad_arguments_never_reach_the_server(arguments: str, why: str) -> None:
    shop = Shop(tool("a"))
    result = await run(shop, "shop__a", arguments)
    assert (result.ok, result.text) == (False, f"The call was not made: {why}.")
    assert not shop.calls


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {**NUMBER, "additionalProperties": {"type": "string"}},
        {**NUMBER, "required": [], "anyOf": [{"properties": {"m": {}}}]},
    ],
)
async def test_what_a_schema_leaves_open_is_the_servers_to_judge(schema: Mapping[str, Any]) -> None:
    shop = Shop(tool("a", schema))
    assert (await run(shop, "shop__a", '{"n": 1, "m": "2"}')).ok
    assert shop.calls


async def test_a_long_answer_is_capped() -> None:
    shop = Shop(tool("a"), answer=ToolAnswer(ok=False, text="x" * 500, cut=True))
    result = await run(shop, "shop__a", '{"n": 1}', cap=100)
    assert not result.ok
    assert len(result.text) == 100
    assert result.text.endswith("[cut: more than 500 characters in all]")


async def test_without_time_no_call_is_made() -> None:
    shop = Shop(tool("a"))
    result = await ServedToolbox([shop], 1000).run(ToolCall("c", "shop__a", '{"n": 1}'), 0)
    assert (result.ok, shop.calls) == (False, [])


async def test_a_turn_goes_on_with_what_it_began_with() -> None:
    shop = Shop(tool("a"))
    box = ServedToolbox([shop], 1000)
    shop.tools = ()
    assert [spec.name for spec in box.specs] == ["shop__a"]
    assert (await box.run(ToolCall("c", "shop__a", '{"n": 1}'), 5)).ok


async def test_a_tool_of_a_server_that_is_down() -> None:
    shop = Shop(trouble="it could not be reached")
    result = await run(shop, "shop__a")
    assert result.text == "The tool server shop cannot be used now: it could not be reached."
    assert not result.ok


async def test_a_tool_that_nobody_has() -> None:
    assert (await run(Shop(), "shop__a")).text == "There is no such tool: shop__a"
    assert (await run(Shop(trouble="down"), "other__a")).text == "There is no such tool: other__a"


def test_only_what_the_server_calls_harmless_is_made_again() -> None:
    box = ServedToolbox([Shop(tool("read", repeatable=True), tool("write"))], 1000)
    told = {name: box.is_repeatable(name) for name in ("shop__read", "shop__write", "shop__gone", "x__gone")}
    assert told == {"shop__read": True, "shop__write": False, "shop__gone": False, "x__gone": True}


async def test_several_boxes_are_one() -> None:
    own = FunctionToolbox(repeatable=False, zeta=lambda _: "own", shop__a=lambda _: "first")
    shop = Shop(tool("a"), tool("b", repeatable=True), trouble="gone")
    box = JointToolbox([own, ServedToolbox([shop], 1000)])
    assert [spec.name for spec in box.specs] == ["shop__a", "shop__b", "zeta"]
    assert (await box.run(ToolCall("c", "shop__a", "{}"), 5)).text == "first"
    assert (await box.run(ToolCall("c", "shop__b", '{"n": 1}'), 5)).text == "fine"
    assert "cannot be used now" in (await box.run(ToolCall("c", "shop__x", "{}"), 5)).text
    assert not box.is_repeatable("zeta")
    assert box.is_repeatable("shop__b")
    assert JointToolbox([EmptyToolbox()]).specs == ()
