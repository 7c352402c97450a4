"""Each shipped template is a whole file that passes `check`, and says of itself what a form needs."""

import pytest

from runner.bots import Bot
from runner.config.loader import parse
from runner.config.secrets import Sources
from runner.config.settings import Loaded
from runner.config.templates import template, templates, variables_of
from runner.errors import OperatorError

NAMES = ("community", "sales", "support")
ENVIRON = {
    "SUPPORT_TOKEN": "123456:ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghi",
    "SALES_TOKEN": "123457:ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghi",
    "COMMUNITY_TOKEN": "MTA5NzM0MDI0NjUxMjM0NTY3OA.GabcDE.abcdefghijklmnopqrstuvwxyz0123456789ABCD",
    "ANTHROPIC_API_KEY": "sk-ant-x",
}


def the_bot(name: str) -> Bot:
    found = parse(template(name).text, "bots.yaml", Sources(ENVIRON))
    assert isinstance(found, Loaded), str(found)
    assert found.warnings == ()
    [bot] = found.settings.bots
    return bot


def test_which_there_are() -> None:
    assert tuple(each.id for each in templates()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_it_passes_check_and_is_bounded_in_every_way(name: str) -> None:
    bot = the_bot(name)
    assert bot.id == name
    assert bot.cap is not None
    assert bot.caps
    assert bot.limits.max_output_tokens < 1000
    assert "Context - " in bot.system_prompt


@pytest.mark.parametrize("name", NAMES)
def test_what_a_form_asks_for_is_what_the_example_says(name: str) -> None:
    made, bot = template(name), the_bot(name)
    lines = [line for line in bot.system_prompt.splitlines() if line.startswith("Context - ")]
    assert [line.removeprefix("Context - ").partition(":")[0] for line in lines] == list(made.values)
    assert "Context - " not in made.fields["system_prompt"]
    assert "x-template" not in made.text
    assert {"name", "platform", "platform_config"}.isdisjoint(made.fields)
    assert variables_of(made) == ("ANTHROPIC_API_KEY", f"{name.upper()}_TOKEN")


def test_a_name_that_is_none() -> None:
    with pytest.raises(OperatorError, match="no template 'casino'"):
        template("casino")
