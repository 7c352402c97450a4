"""What a server offers becomes what bots may call: names that fit, bounds that hold, nothing that was not allowed."""

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runner.bots import ToolServer
from runner.tool_servers.listing import LONGEST_DESCRIPTION, MOST_TOOLS, Offered, listed
from runner.tool_servers.naming import served_name


def offered(name: str, schema: Any = None, **more: Any) -> Offered:
    return Offered(name, more.pop("description", "does it"), {} if schema is None else schema, **more)


def test_a_name_that_fits_is_plain() -> None:
    assert served_name("orders", "get_order") == "orders__get_order"


@given(st.from_regex(r"[a-z0-9]{1,31}", fullmatch=True), st.sets(st.text(min_size=1), min_size=2, max_size=5))
def test_any_name_fits_and_no_two_become_one(server: str, tools: set[str]) -> None:
    names = {served_name(server, tool) for tool in tools}
    assert len(names) == len(tools)
    assert all(
        re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) and name.startswith(f"{server}__") for name in names
    )
    assert names == {served_name(server, tool) for tool in tools}


def test_the_order_is_that_of_the_names() -> None:
    one = listed(ToolServer("s"), [offered("b"), offered("a")])
    assert [tool.name for tool in one.tools] == ["s__a", "s__b"]
    assert one == listed(ToolServer("s"), [offered("a"), offered("b")])


def test_only_what_is_allowed_is_there_and_what_is_not_there_is_told() -> None:
    found = listed(ToolServer("s", tools=("get", "put")), [offered("get"), offered("drop")])
    assert [tool.tool for tool in found.tools] == ["get"]
    assert found.remarks == ("it has no tool put",)


def test_a_schema_is_one_of_an_object_without_ornaments() -> None:
    schema = {
        "$schema": "x",
        "title": "T",
        "properties": {"title": {"type": "string"}},
        "required": ["title"],
    }
    (tool,) = listed(ToolServer("s"), [offered("t", schema)]).tools
    assert tool.parameters == {
        "type": "object",
        "properties": {"title": {"type": "string"}},
        "required": ["title"],
    }
    (bare,) = listed(ToolServer("s"), [offered("t")]).tools
    assert bare.parameters == {"type": "object", "properties": {}}


def test_a_schema_that_cannot_be_used_costs_its_tool_only() -> None:
    odd = [
        offered("list", {"type": "array"}),
        offered("odd", {"properties": []}),
        offered("long", {"description": "x" * 32_001}),
    ]
    found = listed(ToolServer("s"), [*odd, offered("good")])
    assert [tool.tool for tool in found.tools] == ["good"]
    assert found.remarks == tuple(f"the schema of {name} cannot be used" for name in ("list", "odd", "long"))


def test_what_would_swell_each_request_is_cut() -> None:
    found = listed(
        ToolServer("s"), [offered(f"t{n:03d}", description="x" * 5000) for n in range(MOST_TOOLS + 1)]
    )
    assert len(found.tools) == MOST_TOOLS
    assert {len(tool.description) for tool in found.tools} == {LONGEST_DESCRIPTION}
    assert found.remarks == ("it has 129 tools, of which 128 are used: name those you need",)


def test_a_tool_without_a_description_is_described_by_its_name() -> None:
    assert listed(ToolServer("s"), [offered("get", description=" ")]).tools[0].description == "get"
