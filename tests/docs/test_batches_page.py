"""docs/batches.md tells what is so."""

import re
from pathlib import Path

from runner.agent.batch_meter.requests import BatchPrompt
from runner.agent.batch_meter.steps import SURE_S
from runner.config.loader import parse
from runner.config.secrets import Sources
from runner.config.settings import Loaded
from runner.dispatch.batch_lines import LONGEST_ID, MOST_BYTES, MOST_LINES, read_jsonl
from runner.dispatch.batches import FIRST_REST_S, LONGEST_REST_S, MOST_OPEN
from runner.dispatch.schedules import TOO_LATE_MS
from runner.ports.batches import BatchState

PAGE = (Path(__file__).parents[2] / "docs" / "batches.md").read_text(encoding="utf-8")


def example(language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def test_the_lines_of_the_example_are_good() -> None:
    assert all(isinstance(line, BatchPrompt) for line in read_jsonl(example("json").encode()))


def test_the_schedule_of_the_example_is_one() -> None:
    keys = Sources({"HOME": "/home/op", "ANTHROPIC_API_KEY": "k"})
    loaded = parse(example("yaml"), "bots.yaml", keys)
    assert isinstance(loaded, Loaded), str(loaded)
    assert [entry.name for entry in loaded.settings.bots[0].schedule] == ["digest", "inbox"]


def test_figures_are_true() -> None:
    assert f"{MOST_LINES:,} of them and {MOST_BYTES >> 20} MiB" in PAGE
    assert f"up to {LONGEST_ID} characters" in PAGE
    assert (FIRST_REST_S, LONGEST_REST_S, MOST_OPEN) == (5, 60, 100)
    assert f"after {FIRST_REST_S:.0f} seconds" in PAGE
    assert f"At most {MOST_OPEN} batches" in PAGE
    assert (SURE_S, "for five minutes" in PAGE) == (300, True)
    assert f"more than {TOO_LATE_MS // 3_600_000} hours late" in PAGE


def test_each_state_is_there() -> None:
    assert all(f"`{state}`" in PAGE for state in BatchState)
