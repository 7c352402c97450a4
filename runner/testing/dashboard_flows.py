"""A made-up workflow of the support bot, with runs of it that went different ways."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from runner.clock import UnixMs
from runner.ports.runs import RunRecord, RunStatus
from runner.testing.workflows import choose, node, readable, send, trigger, workflow
from runner.web.dashboard.flow_view import WorkflowCard
from runner.web.dashboard_pages.flowing import card_of
from runner.workflows.engine import Done, Failed, Paused, Result, Run, advance, begin, steps
from runner.workflows.expressions import Json
from runner.workflows.state import Wait, to_json

SUPPORT = workflow(
    {
        "start": trigger(),
        "classify": node("llm_router", prompt="What is it about?", routes=["billing", "order", "other"]),
        "lookup": {
            "label": "Look up the order",
            **node(
                "mcp_tool", tool="shop__get_order", arguments={"id": "{{message}}"}, outputVariable="order"
            ),
        },
        "handbook": node(
            "knowledge_retrieval", collection="handbook", query="{{message}}", outputVariable="pages"
        ),
        "eligible": choose("{{order.status}} == delivered"),
        "approve": node("action", actionType="human_handoff", reason="A refund of {{order.total}}"),
        "refund": node("mcp_tool", tool="shop__refund", arguments={"id": "{{message}}"}),
        "explain": node("llm_call", prompt="Explain it.", outputVariable="answer"),
        "sorry": send("That is not possible."),
        "done": send("Your refund is on its way."),
        "reply": send("{{answer.text}}"),
        "broken": node("error_handler"),
        "apology": send("Something went wrong. We will write to you."),
    },
    "start > classify",
    "classify order> lookup",
    "classify billing> lookup",
    "classify other> handbook",
    "handbook > explain",
    "lookup > eligible",
    "lookup error> explain",
    "eligible true> approve",
    "eligible false> explain",
    "approve approved> refund",
    "approve rejected> sorry",
    "refund > done",
    "explain > reply",
    "broken > apology",
)
_USD = {"classify": "0.00031", "explain": "0.0042"}
_ORDER: Json = {"status": "delivered", "total": "$48.00", "items": ["kettle"]}
_DECIDED: Json = {"decision": "approved", "comment": "", "reviewer": "ann"}
_WAITS = Paused(Wait("decision"))
_WAYS: Sequence[tuple[str, RunStatus, Mapping[str, Result]]] = (
    (
        "maria.schneider",
        RunStatus.WAITING,
        {"classify": Done("order", "order"), "lookup": Done(_ORDER), "approve": _WAITS},
    ),
    (
        "4711",
        RunStatus.FINISHED,
        {"classify": Done("order", "order"), "lookup": Done(_ORDER), "approve": Done(_DECIDED, "approved")},
    ),
    (
        "<b>eve</b>",
        RunStatus.FAILED,
        {"classify": Done("other", "other"), "handbook": Failed("there is no collection 'handbook'")},
    ),
    ("ada", RunStatus.FINISHED, {"classify": Done("other", "other")}),
)


def workflow_card(now_ms: int) -> WorkflowCard:
    """The card of the support bot."""
    return card_of(json.dumps(SUPPORT), run_records(now_ms))


def run_records(now_ms: int) -> list[RunRecord]:
    """Runs, the latest first."""
    return [
        _record(number, user, status, results, now_ms - number * 2_400_000 - 90_000)
        for number, (user, status, results) in enumerate(_WAYS)
    ]


def _record(
    number: int, user: str, status: RunStatus, results: Mapping[str, Result], at_ms: int
) -> RunRecord:
    """A run that went where these results lead; all other nodes are done with nothing."""
    graph = readable(SUPPORT)
    state = begin(graph, {"message": "Where is <my> order 4711?"})
    trace: list[Json] = []
    while runs := [step for step in steps(graph, state) if isinstance(step, Run)]:
        step = runs[0]
        result = results.get(step.placed.id, Done())
        trace.append(_line(step, result, number))
        state = advance(graph, state, step.step, result)
    return RunRecord(
        id=f"rt{4100 - number}",
        bot="support",
        conversation=f"c{number}",
        channel="telegram",
        user=user,
        status=status,
        started_ms=UnixMs(at_ms),
        at_ms=UnixMs(at_ms),
        state=to_json(state),
        trace=json.dumps(trace),
        turn=f"t{4100 - number}",
        waiting_for="a reviewer" if status is RunStatus.WAITING else "",
    )


def _line(step: Run, result: Result, number: int) -> Json:
    asks = step.placed.id in _USD
    return {
        "node": step.placed.id,
        "type": step.placed.type,
        "inputs": json.dumps(step.inputs),
        "output": json.dumps(result.output) if isinstance(result, Done) else "null",
        "handle": result.handle if isinstance(result, Done) else "",
        "tokens_input": 410 + 7 * number if asks else 0,
        "tokens_output": 38 if asks else 0,
        "cost_usd": _USD.get(step.placed.id, "0.00"),
        "ms": 640 + 90 * number if asks else 12,
        "failure": result.message if isinstance(result, Failed) else None,
    }
