"""`schedule:` of a bot: when, what, and what cannot be meant."""

import pytest

from runner.bots import Schedule
from runner.clock import MS_PER_DAY
from runner.config.loader import parse
from runner.config.problems import Problems
from runner.config.secrets import Sources
from runner.config.settings import Loaded

KEYS = Sources({"HOME": "/home/op", "ANTHROPIC_API_KEY": "k"})
HOUR = 3_600_000


def read(entries: str, model: str = "claude-haiku-4-5") -> Loaded | Problems:
    text = f"""
prices: {{single: {{input: "1", output: "2"}}}}
bots:
  shop:
    platform: custom
    llm_model: {model}
    spending_cap_cents: 100
    schedule: {entries}
"""
    return parse(text, "bots.yaml", KEYS)


def test_each_day_or_every_so_often() -> None:
    loaded = read(
        '[{name: digest, at: "02:30", prompts: d.jsonl}, {name: inbox, every: 6h, prompts: p/i.jsonl},'
        " {name: weekly, every: 7d, prompts: w.jsonl}, {name: early, at: 00:05, prompts: e.jsonl}]"
    )
    assert isinstance(loaded, Loaded), str(loaded)
    assert loaded.settings.bots[0].schedule == (
        Schedule("digest", "d.jsonl", MS_PER_DAY, 2 * HOUR + HOUR // 2),
        Schedule("inbox", "p/i.jsonl", 6 * HOUR),
        Schedule("weekly", "w.jsonl", 7 * MS_PER_DAY),
        Schedule("early", "e.jsonl", MS_PER_DAY, 300_000),
    )


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ("[{name: a, prompts: p}]", "needs either at"),
        ('[{name: a, at: "02:30", every: 6h, prompts: p}]', "needs either at"),
        ('[{name: a, at: "24:00", prompts: p}]', "schedule[0].at"),
        ("[{name: a, every: 6, prompts: p}]", "schedule[0].every"),
        ("[{name: a, every: 4m, prompts: p}]", "from 5m to 31d"),
        ("[{name: a, every: 32d, prompts: p}]", "from 5m to 31d"),
        ("[{name: A b, every: 6h, prompts: p}]", "schedule[0].name"),
        ("[{name: a, every: 6h}]", "schedule[0].prompts"),
        ("[{name: a, every: 6h, prompts: p, file: q}]", "schedule[0].file"),
        (
            "[{name: a, every: 6h, prompts: p}, {name: a, every: 1h, prompts: q}]",
            "two entries of bot shop are called a",
        ),
    ],
)
def test_what_cannot_be_meant(entries: str, said: str) -> None:
    found = read(entries)
    assert isinstance(found, Problems)
    assert said in str(found)


def test_a_model_that_is_served_one_by_one_only() -> None:
    found = read("[{name: a, every: 6h, prompts: p}]", "single")
    assert isinstance(found, Problems)
    assert "anthropic/single has no price for batches" in str(found)
