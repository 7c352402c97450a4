"""bench cost runs: the real daemon over HTTP beside each baseline, and every saving that a file can switch."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.cost.__main__ import main
from bench.cost.making import Size, support
from bench.cost.subjects import OURS, ablations
from bench.cost.trial import play
from runner.config.price_books import load_book

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
SONNET = "anthropic/claude-sonnet-4-6"


def test_a_quick_run_tells_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plot = tmp_path / "cost.svg"

    assert main(["--quick", "--json", "--faults", "7", "--plot", str(plot)]) == 0

    told = json.loads(capsys.readouterr().out)
    (part,) = told["parts"]
    runs = {(run["subject"], run["model"]): run for run in part["runs"]}
    assert len(runs) == 8
    ours = runs["botrunner", SONNET]
    others = {name: run["cost"] for (name, _), run in runs.items() if not name.startswith("botrunner")}
    assert ours["cost"] < others["window of 20, cached"] < others["window of 20"] < others["full history"]
    assert all(run["broken"] == 0 for run in part["runs"])
    assert len(ET.fromstring(plot.read_text()).findall("{http://www.w3.org/2000/svg}rect")) == 8


def test_conversations_from_a_file_are_played_to_ours_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = {"id": "x", "function": {"name": "find", "arguments": '{"price": "$5"}'}}
    messages = [
        {"role": "user", "content": "কত দাম? ${HOME}"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "x", "content": ""},
        {"role": "assistant", "content": "$5."},
    ]
    file = tmp_path / "mine.jsonl"
    line = json.dumps({"system": "You sell for ${PRICE}.", "messages": messages * 3})
    file.write_text(f"{line}\n{line}\n")

    given = ["--workload", str(file), "--join", "2", "--model", "openai/gpt-4o", "--no-ablation", "--json"]
    main(given)

    (part,) = json.loads(capsys.readouterr().out)["parts"]
    assert (part["workload"], part["messages"]) == ("mine", 6)
    assert all(run["broken"] == 0 for run in part["runs"])
    ours = next(run for run in part["runs"] if run["subject"] == "botrunner")
    assert (ours["calls"], ours["kept"]) == (12, 0)


async def test_every_saving_that_a_file_can_switch_is_played() -> None:
    workload = support(1, Size(chats=1, turns=3))

    for subject in (OURS, *ablations(workload, SONNET)):
        figures = await play(workload, subject, SONNET, load_book("default"), lambda: None)
        assert (figures.messages, figures.broken) == (3, 0), subject.name
        assert (figures.good is not None) == subject.name.startswith("routing")


def test_what_cannot_be_played_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    for given, says in (
        (["--plot", "x.png"], "ends in .svg"),
        (["--only", "nonsense"], "nonsense"),
        (["--model", "anthropic/claude-none"], "claude-none"),
        (["--workload", str(empty)], "no conversation"),
    ):
        with pytest.raises(SystemExit):
            main(given)
        assert says in capsys.readouterr().err
