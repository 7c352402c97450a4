"""The model of bench cost says what the workload says, whoever asks, and sees what is wrong with what it is asked."""

from typing import Any

import pytest

from bench.cost.plain import HABITS, Habit, Step, first_kept
from bench.cost.player import Player, context_of
from bench.cost.plot import svg_of
from bench.cost.subjects import (
    AUTOMATIC,
    FULL,
    OURS,
    OURS_EVEN,
    OURS_WIDE,
    SLIDING,
    Part,
    ablations,
    parts_of,
)
from bench.cost.tables import Result, as_json, broken_promises, table_of
from bench.cost.trial import Figures, Subject, Unsound, play
from bench.cost.workload import Call, Chat, Persona, Reply, Tool, Turn, Workload
from runner.config.price_books import load_book
from runner.money.amounts import Money
from runner.money.usage import Usage
from runner.testing.driven_clock import DrivenClock
from runner.testing.model_script import Fault, Say

SONNET = "anthropic/claude-sonnet-4-6"
TOOLS = tuple(Tool(name, f"{name}s.", {"type": "object", "properties": {}}) for name in ("look", "seek"))
LOOKS = Reply("One moment.", (Call("look", '{"a": 1}', "first"), Call("look", '{"a": 2}', "second")))
TURNS = (
    Turn("Where?", (LOOKS, Reply("There.")), gap_s=1),
    Turn("And then?", (Reply("Nothing."),), gap_s=60),
)
LITTLE = Workload("little", (Persona("You help. " * 900, TOOLS),), (Chat("c", TURNS), Chat("d", TURNS)))


def request(*messages: dict[str, Any], system: str = LITTLE.personas[0].system) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "system", "content": system}, *messages]}


ASKED = {"role": "user", "content": "Where?"}
CALLED = {"role": "assistant", "content": "One moment.", "tool_calls": []}
BROUGHT = [{"role": "tool", "tool_call_id": f"call_0_0_0_{at}", "content": "x"} for at in (0, 1)]


def player(**more: Any) -> Player:
    made = Player(LITTLE, DrivenClock(), **more)
    made.begin(0, 0)
    return made


def test_each_request_gets_what_comes_next() -> None:
    one = player()

    said = one.pick(request(ASKED))
    assert isinstance(said, Say)
    assert (said.text, [call.id for call in said.tools]) == (
        "One moment.",
        ["call_0_0_0_0", "call_0_0_0_1"],
    )
    assert [one.bring("look", {"a": number}) for number in (2, 1)] == ["second", "first"]
    then = one.pick(request(ASKED, CALLED, *BROUGHT))
    assert isinstance(then, Say)
    assert then.text == "There."
    one.end("There.")
    assert one.heard.strange == []
    assert [(asked.context, asked.history) for asked in one.heard.asked] == [(1, 1), (3, 3)]


def test_side_work_is_answered_and_no_part_of_the_chat() -> None:
    one = player()

    assert isinstance(one.pick(request({"role": "user", "content": "Sum up."})), Say)
    assert isinstance(one.pick(request(ASKED, system="Label it: easy or hard.")), Say)
    assert (one.heard.side, one.heard.asked) == (2, [])


def test_a_turn_that_ends_early_or_with_other_words_is_strange() -> None:
    early, wrong = player(), player()
    early.pick(request(ASKED))
    early.end("There.")
    wrong.end("Something else.")

    assert len(early.heard.strange) == len(wrong.heard.strange) == 1


def test_an_answer_without_the_model_is_an_answer_that_was_kept() -> None:
    one = player()
    one.end("There.")

    assert (one.heard.cached_answers, one.heard.strange) == (1, [])


def test_a_tool_that_nobody_asked_for_is_strange() -> None:
    one = player()
    one.bring("look", {})

    assert len(one.heard.strange) == 1


def test_each_nth_request_is_refused() -> None:
    one = player(fault_every=2)

    kinds = [type(one.pick(request(ASKED))) for _ in range(4)]
    assert kinds == [Say, Fault, Say, Fault]
    assert one.heard.refused == 2


def test_what_is_sent_goes_on_or_its_window_moves_or_it_is_broken() -> None:
    """The second turn: five messages in all."""
    one = player()
    said = {"role": "assistant", "content": "There."}
    then = {"role": "user", "content": "And then?"}
    one.pick(request(ASKED))
    one.begin(0, 1)
    one.pick(request(ASKED, CALLED, *BROUGHT, said, then))
    assert (one.heard.extended, one.heard.moved, one.heard.broken) == (1, 0, 0)

    one.pick(request(then))
    assert (one.heard.extended, one.heard.moved, one.heard.broken) == (1, 1, 0)

    one.pick(request(ASKED, CALLED, *BROUGHT, said, then))
    one.pick({**request(then), "tools": [{"name": "x"}]})
    one.pick({**request(then), "tools": [{"name": "y"}]})
    assert (one.heard.extended, one.heard.moved, one.heard.broken) == (1, 1, 3)


def test_results_of_calls_made_together_are_one_message() -> None:
    assert context_of(request(ASKED, CALLED, *BROUGHT, ASKED)) == 4


@pytest.mark.parametrize(("window", "kept"), [(None, 0), (5, 0), (4, 2), (3, 2), (1, 4)])
def test_a_plain_window_begins_with_a_user(window: int | None, kept: int) -> None:
    user, other = Step("q", of_user=True), Step("a")

    assert first_kept([user, other, user, other, user], window) == kept


@pytest.mark.parametrize("model", [SONNET, "openai/gpt-4o"])
@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit.name)
async def test_a_baseline_plays_all_of_it(habit: Habit, model: str) -> None:
    told: list[None] = []

    figures = await play(
        LITTLE, Subject("b", habit), model, load_book("default"), lambda: told.append(None), 3
    )

    assert (figures.messages, figures.calls, len(told)) == (4, 6, 4)
    assert (figures.broken, figures.moved, figures.side) == (0, 0, 0)
    cached = habit.marks is not None or model.startswith("openai/")
    assert (figures.usage.cache_read_tokens > 0) is cached


def figures(subject: Subject, usd: float, **more: Any) -> Figures:
    return Figures(
        subject=subject.name,
        model=SONNET,
        messages=1000,
        cost=Money(int(usd * 10**12)),
        usage=Usage(1000, 10, 500),
        calls=10,
        side=0,
        context=9.5,
        least=7,
        extended=8,
        moved=1,
        broken=more.pop("broken", 0),
        **more,
    )


def result(ours: float, wide: float = 1.0, **more: Any) -> Result:
    workload = Workload("w", LITTLE.personas, LITTLE.chats, promises=True)
    rows = [(FULL, 10.0), (SLIDING, 4.5), (AUTOMATIC, 1.6), (OURS_WIDE, wide)]
    each = [figures(subject, usd) for subject, usd in rows]
    return Result(Part(workload, SONNET, (), big=SONNET), (*each, figures(OURS, ours, **more)))


def test_promises_that_hold_are_not_spoken_of() -> None:
    assert list(broken_promises([result(1.0)], judged=True)) == []


@pytest.mark.parametrize(
    ("made", "judged", "says"),
    [
        (result(1.01), True, ["promised: 10", "promised: 4.5", "promised: 1.6"]),
        (result(1.7), True, ["6.2% dearer than: window of 20, cached", *["promised"] * 3]),
        (result(1.0, broken=2), True, ["broken 2 times"]),
        (result(9.0, broken=2), False, ["broken 2 times"]),
    ],
)
def test_a_broken_promise_is_named(made: Result, judged: bool, says: list[str]) -> None:  # noqa: FBT001 - a case
    lines = list(broken_promises([made], judged=judged))

    assert len(lines) == len(says)
    assert all(part in line for part, line in zip(says, lines, strict=True)), lines


def test_the_table_the_plot_and_the_json_have_each_run() -> None:
    made = result(1.0, good=0.975)

    assert table_of(made).row_count == 5
    assert list(table_of(made).columns[2].cells) == ["10.00", "4.50", "1.60", "1.00", ""]
    assert svg_of([made]).count("<rect") == 5
    assert "97.5% good enough" in svg_of([made])
    (told,) = as_json([made])
    assert [run["times_ours"] for run in told["runs"]] == [10, 4.5, 1.6, 1, 1]


def test_less_context_than_the_window_has_is_counted_place_by_place() -> None:
    made = result(1.0, contexts={(0, 0, 1): 1, (0, 1, 5): 3})
    window = figures(SLIDING, 4.5, contexts={(0, 0, 1): 1, (0, 1, 5): 5})
    both = Result(made.part, (made.ours, window))

    assert (both.smaller(made.ours), both.smaller(window)) == (0.5, 0.0)


def test_each_saving_is_taken_apart_with_the_first_model_only() -> None:
    parts = parts_of([LITTLE], [SONNET, "openai/gpt-4o"], "anthropic/claude-opus-4-6", ablate=True)

    assert [part.big for part in parts] == ["anthropic/claude-opus-4-6", None]
    assert len(parts[0].subjects) == 7 + len(ablations(LITTLE, SONNET))
    assert [subject.name for subject in parts[1].subjects] == [
        FULL.name,
        SLIDING.name,
        OURS.name,
        OURS_EVEN.name,
        OURS_WIDE.name,
    ]


async def test_a_run_whose_turns_did_not_end_proves_nothing() -> None:
    lame = Subject("lame", lines={"max_loop_iterations": 1})

    with pytest.raises(Unsound, match="chat 0, turn 0"):
        await play(LITTLE, lame, SONNET, load_book("default"), lambda: None)
