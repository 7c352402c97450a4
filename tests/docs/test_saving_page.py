"""docs/saving.md: each line that turns something off does, each name of a figure is a real one."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from runner.advice.counsel import Kind
from runner.cli.ledger_export import COLUMNS
from runner.cli.usage import FIGURES
from runner.config.loader import parse
from runner.config.secrets import Sources
from runner.config.settings import Loaded, Settings
from runner.web.api.report_models import UsageLine
from tests.unit.advice.writing import read_bot

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "saving.md").read_text(encoding="utf-8")
SMALL, LARGE = "openai/gpt-4o-mini", "openai/gpt-4o"
EVERYTHING: dict[str, Any] = {
    "platform": "custom",
    "llm_provider": "openai",
    "llm_model": "gpt-4o",
    "prompt_cache": "auto",
    "context": "auto",
    "summarize": True,
    "max_tool_result_chars": 500,
    "routing": {"tiers": {"small": SMALL, "standard": LARGE}},
    "response_cache": True,
}


def off_lines() -> list[str]:
    table = PAGE.split("\n\n")[2]
    return re.findall(r"\| `([a-z_]+: [^`]+)` \|$", table, re.MULTILINE)


def test_each_saving_has_its_line() -> None:
    assert [line.partition(":")[0] for line in off_lines()] == [
        "prompt_cache",
        "context",
        "summarize",
        "max_tool_result_chars",
        "routing",
        "response_cache",
    ]


@pytest.mark.parametrize("line", off_lines())
def test_one_line_turns_it_off(line: str) -> None:
    written = YAML(typ="safe", pure=True).load(line)
    on, off = read_bot(EVERYTHING), read_bot({**EVERYTHING, **written})
    assert on != off
    [(name, value)] = written.items()
    shown = {
        "prompt_cache": off.prompt_cache,
        "context": off.conversations.context,
        "summarize": off.conversations.summarize,
        "max_tool_result_chars": off.limits.max_tool_result_chars,
        "routing": "off" if off.routing is None else "on",
        "response_cache": off.response_cache is not None,
    }
    assert shown[name] == value


def settings(text: str) -> Settings:
    result = parse(text, "bots.yaml", Sources({"HOME": "/home/op"}))
    assert isinstance(result, Loaded), f"{result}\n{text}"
    assert result.warnings == (), text
    return result.settings


def test_each_file_of_the_page_works() -> None:
    files = [settings(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
    assert len(files) == 3
    assert files[2].bots[0].response_cache is not None
    assert files[2].bots[0].response_cache.ttl_ms == 12 * 3_600_000


def test_the_figures_are_real() -> None:
    [api] = re.findall(r"^\| `GET /api/usage` \| (.*) \|$", PAGE, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", api)) <= set(UsageLine.model_fields)
    assert {"cache_saved_usd", "batch_saved_usd", "kept_answers_saved_usd", "saved_usd"} <= set(FIGURES)
    [ledger] = re.findall(r"^\| the ledger \| (.*) \|$", PAGE, re.MULTILINE)
    values = {"batch", "summary", "classify", "cache"}
    assert set(re.findall(r"`(\w+)`", ledger)) - values <= set(COLUMNS)


def test_each_kind_of_advice_is_there() -> None:
    """A word of each in the table."""
    words = {
        Kind.MODEL: "another model",
        Kind.TASK: "a task",
        Kind.CACHE: "`prompt_cache`",
        Kind.WINDOW: "another window",
        Kind.MAX_TOKENS: "`max_tokens_per_turn`",
        Kind.LOOPS: "`max_loop_iterations`",
        Kind.RETRIES: "repeated attempts",
        Kind.UNKNOWN: "unknown fates",
        Kind.CAP: "a cap",
        Kind.USER_CAP: "an allowance",
        Kind.JUMP: "a warning",
    }
    first = re.findall(r"^\| (.*?) \|", PAGE.split("## Advice")[1], re.MULTILINE)
    assert set(words) == set(Kind)
    assert not {kind for kind, word in words.items() if not any(word in cell for cell in first)}


def test_no_link_leads_nowhere() -> None:
    heads = {
        name: re.findall(r"^#+ (.*)$", (DOCS / name).read_text(encoding="utf-8"), re.MULTILINE)
        for name in ("saving.md", "money.md", "routing.md", "cli.md", "batches.md")
    }
    links = re.findall(r"\]\(([\w.-]*)(?:#([\w-]+))?\)", PAGE)
    back = re.findall(r"\]\((saving\.md)#([\w-]+)\)", (DOCS / "cli.md").read_text(encoding="utf-8"))
    for name, anchor in [*links, *back]:
        known = {head.lower().replace(" ", "-") for head in heads[name or "saving.md"]}
        assert not anchor or anchor in known, (name, anchor)
