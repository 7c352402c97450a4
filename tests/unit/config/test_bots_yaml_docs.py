"""docs/bots-yaml.md knows every field, no others, and their true defaults."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from adapters import registry
from runner.bots import Signal
from runner.config import knowledge_section, models, routing_section
from runner.config.caps import CapsSection
from runner.config.known import PROVIDERS
from runner.config.loader import parse
from runner.config.secrets import Sources
from runner.config.settings import Loaded

DOC = (Path(__file__).parents[3] / "docs" / "bots-yaml.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([a-z_]+)` \| (.*?) ?\| ", re.MULTILINE)
SECTIONS: dict[str, type[BaseModel]] = {
    "The file": models.FileSection,
    "server": models.ServerSection,
    "store": models.StoreSection,
    "providers": models.ProviderSection,
    "plans": models.PlanSection,
    "wallet": models.WalletSection,
    "workspaces": models.ToolServerSection,
    "knowledge": knowledge_section.CollectionSection,
    "alerts": models.AlertsSection,
    "A bot": models.BotSection,
    "caps": CapsSection,
    "routing": routing_section.RoutingSection,
    "tools": models.ToolSection,
}
SAID_IN_WORDS = {
    "name",
    "url",
    "rate_limit_per_minute",
    "conversation_keep_messages",
    "parameters",
    "platform",
}
"""Fields whose default is worked out elsewhere and described."""


def chapters(mark: str) -> Iterator[tuple[str, str]]:
    """The chapters of one level: heading, text."""
    for part in re.split(rf"^{mark} ", DOC, flags=re.MULTILINE)[1:]:
        heading, _, text = part.partition("\n")
        yield heading, text


def rows(heading: str, mark: str = "##") -> dict[str, str]:
    text = dict(chapters(mark))[heading]
    return dict(ROW.findall(text))


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_field_is_there_and_no_other(heading: str) -> None:
    assert sorted(rows(heading)) == sorted(SECTIONS[heading].model_fields)


@pytest.mark.parametrize("platform", registry.platforms())
def test_every_field_of_a_platform_is_there_and_no_other(platform: str) -> None:
    text = dict(chapters("###"))[platform].split("\n## ")[0]
    config = registry.config_model(platform)
    documented = dict(ROW.findall(text))
    assert sorted(documented) == sorted(config.model_fields)
    compare(config, documented)


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_defaults_are_true(heading: str) -> None:
    documented = {} if heading == "caps" else rows(heading)
    compare(SECTIONS[heading], {k: v for k, v in documented.items() if k not in SAID_IN_WORDS})


def compare(model: type[BaseModel], documented: dict[str, str]) -> None:
    for name, said in documented.items():
        default = model.model_fields[name].default
        if default is PydanticUndefined:
            assert said in {"*required*", ""}, name
        elif isinstance(default, BaseModel) or default == "":
            assert said == "", name
        elif default is None:
            assert said in {"none", "`sqlite:botrunner.db`"}, name
        else:
            value = str(default).lower() if isinstance(default, bool) else f"{default}"
            whole = value.removesuffix(".0") if isinstance(default, float) else value
            assert said.strip("`") == whole, name


def test_each_kind_of_cap_is_there_with_all_that_it_may_hold() -> None:
    for name, said in rows("caps").items():
        section = next(part for part in get_args(CapsSection.model_fields[name].annotation) if part)
        known = section.model_fields.items()
        assert sorted(re.findall(r"`(\w+)`", said)) == sorted(field.alias or key for key, field in known)


def test_the_example_of_caps_is_one() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", dict(chapters("##"))["caps"], re.DOTALL)
    text = "bots: {b: {platform: custom, llm_provider: echo, llm_model: echo}}\ndefaults:\n"
    result = parse(text + textwrap.indent(example, "  "), "bots.yaml", Sources({"HOME": "/home/op"}))
    assert isinstance(result, Loaded), str(result)
    assert len(result.settings.bots[0].caps) == 7


def test_the_example_of_routing_is_one_that_nothing_is_odd_about() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", dict(chapters("##"))["routing"], re.DOTALL)
    text = "bots: {b: {platform: custom, spending_cap_cents: 5}}\ndefaults:\n" + textwrap.indent(
        example, "  "
    )
    keys = {"HOME": "/home/op", "OPENROUTER_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}
    result = parse(text, "bots.yaml", Sources(keys))
    assert isinstance(result, Loaded), str(result)
    assert (result.warnings, len(result.settings.bots[0].routing.rules)) == ((), 4)  # type: ignore[union-attr]


def test_what_routing_may_hold_is_named_in_its_chapter() -> None:
    text = dict(chapters("##"))["routing"]
    for model in (
        routing_section.TierSection,
        routing_section.RuleSection,
        routing_section.ClassifierSection,
        routing_section.EscalateSection,
    ):
        for name in model.model_fields:
            assert re.search(rf"\b{name}\b", text), name
    for signal in Signal:
        assert f"`{signal}`" in text


def test_fields_of_small_mappings_are_named() -> None:
    for model in (
        models.LlmConfigSection,
        models.AccessSection,
        models.WorkspaceSection,
        models.ChannelSection,
    ):
        for name in model.model_fields:
            assert name in DOC, name


def test_the_known_providers_and_their_variables_are_named() -> None:
    for name, provider in PROVIDERS.items():
        assert f"`{name}`" in DOC
        assert provider.key_variable is None or f"`{provider.key_variable}`" in DOC
