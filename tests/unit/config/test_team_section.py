"""`team:` as a file says it: three ways to write it, and what is wrong with members."""

import pytest

from runner.bots import Teammate
from runner.config.loader import parse
from runner.config.problems import Problems
from runner.config.secrets import Sources
from runner.config.settings import Loaded

ECHO = "platform: custom, llm_provider: echo, llm_model: echo"


def parsed(team: str, *, more: str = "", billing: str = "", tools: str = "[]") -> Loaded | Problems:
    return parse(
        f"bots:\n"
        f"  reception: {{{ECHO}, team: {team}, tools: {tools}}}\n"
        f"  billing: {{{ECHO}{billing}}}\n"
        f"  repairs: {{{ECHO}}}\n{more}",
        "bots.yaml",
        Sources(),
    )


def problems(team: str, **more: str) -> list[str]:
    found = parsed(team, **more)
    assert isinstance(found, Problems), found
    return [f"{problem.path}: {problem.message}" for problem in found.problems]


@pytest.mark.parametrize(
    "team",
    [
        "{billing: invoices, repairs: broken things}",
        "[{bot: billing, for: invoices}, {bot: repairs, for: broken things}]",
        "[{billing: invoices}, {bot: repairs, for: broken things}]",
    ],
)
def test_a_team_in_three_ways(team: str) -> None:
    found = parsed(team)
    assert isinstance(found, Loaded), str(found)
    expected = (Teammate("billing", "invoices"), Teammate("repairs", "broken things"))
    assert [bot.team for bot in found.settings.bots] == [expected, (), ()]
    assert found.warnings == ()


def test_two_bots_may_name_one_another() -> None:
    found = parsed("{billing: invoices}", billing=", team: {reception: all else}")
    assert isinstance(found, Loaded)


def test_an_unknown_member_is_guessed() -> None:
    assert problems("[{bot: biling, for: invoices}]") == [
        "bots.reception.team[0]: there is no bot 'biling', did you mean billing?"
    ]


def test_a_member_stands_in_a_team_once() -> None:
    assert problems("[{billing: invoices}, {billing: refunds}]") == [
        "bots.reception.team[1]: bot billing is in this team already"
    ]


def test_a_disabled_member_is_a_warning() -> None:
    found = parsed("{billing: invoices}", billing=", enabled: false")
    assert isinstance(found, Loaded)
    assert [f"{one.path}: {one.message}" for one in found.warnings] == [
        "bots.reception.team.billing: bot billing is disabled: work is not handed over to it until it is enabled"
    ]


def test_a_member_whose_tool_would_have_too_long_a_name() -> None:
    name = "b" * 53
    assert problems(f"{{{name}: x}}", more=f"  {name}: {{{ECHO}}}\n") == [
        f"bots.reception.team.{name}: a member's id has at most 52 characters, for its tool's name"
    ]


def test_tools_leave_the_names_of_teams_alone() -> None:
    tool = "[{name: delegate_to_x, description: d, url: 'http://x'}]"
    assert problems("{billing: invoices}", tools=tool) == [
        "bots.reception.tools[0].name: names that begin with delegate_to_ belong to the bot's team"
    ]
