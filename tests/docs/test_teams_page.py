"""docs/teams.md and docs/templates.md: what they show works as it stands."""

import json
import re

from runner.bots import Teammate
from runner.config.loader import parse
from runner.config.secrets import Sources
from runner.config.settings import Loaded
from runner.config.templates import templates
from runner.teams.roster import MOST_HOPS
from runner.web.api.setup import NewSetup
from tests.guards.tree import ROOT

TEAMS = (ROOT / "docs" / "teams.md").read_text(encoding="utf-8")
TEMPLATES = (ROOT / "docs" / "templates.md").read_text(encoding="utf-8")
ENVIRON = {"RECEPTION_TOKEN": "123456:ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghi", "ANTHROPIC_API_KEY": "sk-ant-x"}


def test_the_team_of_the_page() -> None:
    [text] = re.findall(r"```yaml\n(.*?)```", TEAMS, re.DOTALL)
    found = parse(text, "bots.yaml", Sources(ENVIRON))
    assert isinstance(found, Loaded), str(found)
    assert found.settings.bots[0].team == (
        Teammate("billing", "invoices, payments and refunds"),
        Teammate("repairs", "broken devices, and when they are ready"),
    )


def test_how_far_a_message_is_handed_on() -> None:
    assert MOST_HOPS == 3
    assert "three times at most" in TEAMS


def test_every_template_is_there_and_no_other() -> None:
    assert re.findall(r"^\| `([a-z]+)` \|", TEMPLATES, re.MULTILINE) == ["support", "community", "sales"]
    assert {each.id for each in templates()} == {"support", "community", "sales"}


def test_the_call_of_the_page() -> None:
    [body] = re.findall(r"-d '(\{.*?\n  \})'", TEMPLATES, re.DOTALL)
    assert NewSetup.model_validate(json.loads(body)).template_id == "community"
