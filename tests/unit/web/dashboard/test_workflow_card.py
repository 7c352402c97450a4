"""A workflow's card: the path of a run, the figures of all, and what cannot be read; drawn, with nothing unescaped."""

import json
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from runner.bots import Workflow
from runner.money.amounts import from_usd
from runner.store.memory import MemoryStore
from runner.testing.dashboard_bots import NOW, bot_page, frame
from runner.testing.dashboard_flows import SUPPORT, run_records
from runner.testing.workflows import node, trigger, workflow
from runner.web.dashboard.flow_drawing import workflow_picture
from runner.web.dashboard.flow_view import FlowLink, FlowNode, WorkflowCard
from runner.web.dashboard.render import Renderer, load_assets
from runner.web.dashboard_pages.flowing import card_of, workflow_card

SOURCE = json.dumps(SUPPORT)
RECORDS = run_records(NOW)


def path_of(card: WorkflowCard) -> list[str]:
    return [each.id for each in card.nodes if each.on_path]


def ways_of(card: WorkflowCard) -> set[str]:
    return {f"{each.source} {each.handle}> {each.target}" for each in card.links if each.on_path}


def test_the_latest_runs_path_and_where_it_waits() -> None:
    card = card_of(SOURCE, RECORDS)
    assert card.shown == "rt4100"
    assert path_of(card) == ["start", "classify", "lookup", "eligible", "approve"]
    assert [each.id for each in card.nodes if each.waits] == ["approve"]
    assert ways_of(card) == {
        "start > classify",
        "classify order, billing> lookup",
        "lookup > eligible",
        "eligible true> approve",
    }


def test_another_run_may_be_shown() -> None:
    assert path_of(card_of(SOURCE, RECORDS, "rt4099"))[-2:] == ["refund", "done"]
    failed = card_of(SOURCE, RECORDS, "rt4098")
    assert path_of(failed) == ["start", "classify", "handbook", "broken", "apology"]
    assert "classify other> handbook" in ways_of(failed)
    assert "handbook > explain" not in ways_of(failed)
    assert card_of(SOURCE, RECORDS, "rt1").shown == "rt4100"


def test_figures_are_of_all_runs() -> None:
    nodes = {each.id: each for each in card_of(SOURCE, RECORDS).nodes}
    assert (nodes["classify"].times, nodes["classify"].cost) == (4, from_usd("0.00124"))
    assert (nodes["eligible"].times, nodes["handbook"].times, nodes["handbook"].failures) == (2, 2, 1)
    assert nodes["sorry"].times == 0


def test_runs_tell_how_they_ended() -> None:
    rows = card_of(SOURCE, RECORDS).runs
    assert [(row.word, row.why) for row in rows] == [
        ("Waits", "for a reviewer"),
        ("Done", ""),
        ("Failed", "there is no collection 'handbook'"),
        ("Done", ""),
    ]
    assert rows[3].cost == from_usd("0.00451")
    assert [line.node for line in rows[0].lines] == ["classify", "lookup", "approve"]


@pytest.mark.parametrize("state", ["", "{}", "[]", '{"version": 99}', "null"])
def test_a_state_that_cannot_be_read_has_no_path(state: str) -> None:
    card = card_of(SOURCE, [replace(RECORDS[0], state=state)])
    assert (card.shown, path_of(card), len(card.runs)) == ("", [], 1)


@pytest.mark.parametrize(
    "trace",
    ["", "{}", "[1, null]", '[{"node": 7, "ms": "x", "cost_usd": "oh", "tokens_input": true, "output": {}}]'],
)  # fmt: skip
def test_half_a_trace_is_shown_as_far_as_it_goes(trace: str) -> None:
    [row] = card_of(SOURCE, [replace(RECORDS[0], trace=trace)]).runs
    assert (row.cost, row.took_ms) == (0, 0)
    assert [line.node for line in row.lines] == (["7"] if "node" in trace else [])


def test_a_parallel_comes_together_and_a_loop_was_gone_through() -> None:
    source = json.dumps(
        workflow(
            {
                "t": trigger(),
                "p": node("parallel", join="j"),
                "a": node("send_message", text="a"),
                "j": node("send_message", text="j"),
            },
            "t > p",
            "p > a",
        )
    )
    card = card_of(source, [])
    assert FlowLink("p", "j", "join", "join") in card.links
    assert (card.shown, card.runs) == ("", ())


async def test_a_bot_without_a_workflow_has_no_card() -> None:
    store = MemoryStore()
    await store.open()
    assert await workflow_card(None, "bot", store.runs, None) is None
    card = await workflow_card(Workflow(SOURCE), "bot", store.runs, "rt1")
    assert card is not None
    assert card.runs == ()


HOSTILE = "</text><script>alert(1)</script>\"'&"


def test_the_picture_is_sound_and_escapes_everything() -> None:
    nodes = (FlowNode(HOSTILE, HOSTILE, "llm_call", times=2, failures=1), FlowNode("b", "b" * 500, HOSTILE))
    links = (FlowLink(HOSTILE, "b", HOSTILE, on_path=True), FlowLink("b", HOSTILE, "error", "error"))
    drawn = workflow_picture(WorkflowCard(nodes, links), "it")
    root = ET.fromstring(drawn)
    assert not [each for each in root.iter() if each.tag == "script"]
    assert "style=" not in drawn
    assert [each.text for each in root.iter("text") if each.get("class") == "figure"] == ["2 × · 1 failed"]


def test_the_page_shows_picture_and_runs_and_escapes_them() -> None:
    page = Renderer(load_assets()).page(frame(), bot_page())
    assert 'class="flow"' in page
    assert "&lt;b&gt;eve&lt;/b&gt;" in page
    assert "<b>eve" not in page
    assert 'id="run-rt4100"' in page
    fault = replace(bot_page(), workflow=WorkflowCard((), (), fault="nodes[0].type: unknown <type>"))
    assert "unknown &lt;type&gt;" in Renderer(load_assets()).page(frame(), fault)
