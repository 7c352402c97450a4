"""`workspaces:` as a file says it: servers that can be reached, names that fit, and the bots that have them."""

import pytest

from runner.bots import Secret, ToolServer, Workspace
from runner.config.loader import parse
from runner.config.problems import Problems
from runner.config.reload import difference
from runner.config.secrets import Sources
from runner.config.settings import Loaded, Settings

BOTS = """
bots:
  ada: {platform: custom, llm_provider: echo, llm_model: echo, workspace_id: shop}
  eve: {platform: custom, llm_provider: echo, llm_model: echo}
"""


def parsed(servers: str, bots: str = BOTS) -> Loaded | Problems:
    return parse(f"workspaces: {{shop: {{servers: {{{servers}}}}}}}{bots}", "bots.yaml", Sources())


def settings(servers: str) -> Settings:
    loaded = parsed(servers)
    assert isinstance(loaded, Loaded), str(loaded)
    return loaded.settings


def problems(servers: str, bots: str = BOTS) -> list[str]:
    found = parsed(servers, bots)
    assert isinstance(found, Problems)
    return [f"{problem.path}: {problem.message}" for problem in found.problems]


def test_a_bot_has_the_servers_of_its_workspace() -> None:
    found = settings(
        "time: {command: 'uvx \"mcp server\"', env: {KEY: k}, timeout_ms: 1500},"
        "orders: {url: 'https://x/mcp?key=k', headers: {A: b}, tools: [get, put]}"
    )
    shop = Workspace(
        "shop",
        (
            ToolServer("time", ("uvx", "mcp server"), env={"KEY": Secret("k")}, timeout_s=1.5),
            ToolServer(
                "orders",
                url=Secret("https://x/mcp?key=k"),
                headers={"A": Secret("b")},
                tools=("get", "put"),
            ),
        ),
    )
    assert [bot.workspace for bot in found.bots] == [shop, None]
    assert found.workspaces == {"shop": shop}


def test_a_command_may_be_a_list() -> None:
    assert settings("s: {command: [a b, c]}").workspaces["shop"].servers[0].command == ("a b", "c")


@pytest.mark.parametrize(
    ("servers", "problem"),
    [
        ("s: {}", "s: needs command or url"),
        ("s: {command: x, url: 'http://x'}", "s: has command and url: one of them"),
        ("s: {url: 'ftp://x'}", "s.url: must be a URL that starts with http:// or https://"),
        ("s: {command: 'a \"b'}", "s.command: must be a program and its arguments, quotes closed"),
        ("s: {command: ''}", "s.command: must be a program and its arguments, quotes closed"),
        ("s: {command: []}", "s.command: must be a program and its arguments, quotes closed"),
        ("s: {command: x, headers: {A: b}}", "s.headers: goes with url only"),
        ("s: {url: 'http://x', env: {A: b}}", "s.env: goes with command only"),
        ("s: {command: x, env: {'A=': b}}", "s.env.A=: must be the name of an environment variable"),
    ],
)
def test_a_server_that_cannot_be_reached(servers: str, problem: str) -> None:
    assert problems(servers) == [f"workspaces.shop.servers.{problem}"]


@pytest.mark.parametrize("name", ["a__b", "a_", "_a", "a b", "a" * 32, "é"])
def test_a_name_that_does_not_fit_into_a_tools_name(name: str) -> None:
    (found,) = problems(f"{name}: {{command: x}}")
    assert found.endswith("1 to 31 letters, digits, _ and -, without __ and without _ at its ends")


def test_a_bots_own_tool_keeps_off_a_servers_names() -> None:
    tool = "{name: time__now, description: d, url: 'http://x'}"
    bots = BOTS.replace("workspace_id: shop", f"workspace_id: shop, tools: [{tool}]")
    found = problems("time: {command: x}", bots)
    assert found == ["bots.ada.tools[0].name: names that begin with time__ belong to that tool server"]
    assert isinstance(parsed("other: {command: x}", bots), Loaded)


def test_a_workspace_that_is_not_there() -> None:
    found = problems("s: {command: x}", BOTS.replace("workspace_id: shop", "workspace_id: shopp"))
    assert found == [
        "bots.ada.workspace_id: there is no workspace 'shopp' under workspaces:, did you mean shop?"
    ]


def test_a_changed_workspace_touches_its_bots_only() -> None:
    found = difference(settings("s: {command: x}"), settings("s: {command: y}"))
    assert [(change.bot, change.fields) for change in found.changed] == [("ada", ("workspace",))]
    assert found.sections == ("workspaces.shop",)
