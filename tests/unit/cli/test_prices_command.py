"""prices."""

import json

from tests.unit.cli.desk import BOTS, Desk

OWN = 'prices: {my-model: {input: "0.10", output: "0.40", source: our contract}}\n'


def test_the_shipped_book_without_a_file(desk: Desk) -> None:
    lines = desk.type("prices").out.splitlines()
    assert ["echo", "echo", "1.00", "5.00", "0.10", "1.25", "2.00"] in [line.split()[:7] for line in lines]
    assert lines[-1] == f"{len(lines) - 2} models in the book default, US dollars per million tokens"


def test_the_operators_rows_are_in_force(desk: Desk) -> None:
    desk.write(OWN + BOTS)
    done = desk.type("prices", "my-model")
    assert done.out.splitlines()[0] == "my-model"
    assert "our contract" in done.out
    assert desk.type("prices", "--book", "default", "my-model").code == 1


def test_another_book(desk: Desk) -> None:
    seed = json.loads(desk.type("prices", "--book", "seed", "claude-haiku-4-5", "--json").out)
    assert seed["book"] == "seed"
    assert [(row["provider"], row["input"]) for row in seed["prices"]] == [("anthropic", "0.80")]


def test_a_model_with_steps(desk: Desk) -> None:
    out = desk.type("prices", "anthropic/claude-haiku-5-5").out
    assert "above 100,000" in out
    assert "batches cost 50 %" in out


def test_an_alias(desk: Desk) -> None:
    assert desk.type("prices", "claude-haiku-4-5-20251001").out.startswith("anthropic/claude-haiku-4-5\n")


def test_an_unknown_model(desk: Desk) -> None:
    done = desk.type("prices", "claude-haiku-4-6")
    assert done.code == 1
    assert done.err.startswith("error: claude-haiku-4-6 has no price, did you mean claude-")
    assert 'claude-haiku-4-6: {input: "0.10", output: "0.40"}' in done.err


def test_a_faulty_file_is_no_reason_to_see_nothing(desk: Desk) -> None:
    desk.write("bots: 5\n")
    done = desk.type("prices", "echo")
    assert done.code == 0
    assert done.err.startswith("note: bots.yaml has problems")
