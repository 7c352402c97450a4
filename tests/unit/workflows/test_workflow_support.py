"""A customer asks for a refund: classify, look up the order, decide in JavaScript, respond. Two model calls."""

import json

import pytest

from runner.testing.workflows import path_of, readable
from runner.workflows.engine import Done, Failed, Result, Run, advance, begin, steps
from runner.workflows.expressions import Json
from runner.workflows.graph import read_graph
from runner.workflows.nodes.working import CodeBlock
from runner.workflows.sandbox import Changes, Sandbox
from runner.workflows.state import RunState

CODE_BLOCK = """{
"type": "code_block",
"data": {
"code": "const order = ctx.variables.order_data; ctx.variables.is_eligible = order.status === 'delivered' && order.days_since_delivery < 30;"
}
}"""  # noqa: E501 - as it stands in the documents that people follow

WORKFLOW = f"""{{
"nodes": [
  {{"id": "start", "type": "trigger", "data": {{"triggerType": "message_received"}}}},
  {{"id": "classify", "type": "llm_call", "data": {{
    "prompt": "One word, billing or other: {{{{message}}}}", "outputVariable": "intent", "maxTokens": 5}}}},
  {{"id": "which", "type": "logic", "data": {{"logicType": "if_else", "condition": "{{{{intent.text}}}} == billing"}}}},
  {{"id": "order", "type": "mcp_tool", "data": {{
    "tool": "shop__get_order", "arguments": {{"customer": "{{{{user_id}}}}"}}, "outputVariable": "order_data"}}}},
  {CODE_BLOCK.replace("{", '{"id": "eligible",', 1)},
  {{"id": "respond", "type": "llm_call", "data": {{
    "prompt": "Refund possible: {{{{is_eligible}}}}. Answer: {{{{message}}}}", "outputVariable": "reply"}}}},
  {{"id": "send", "type": "send_message", "data": {{"text": "{{{{reply.text}}}}"}}}},
  {{"id": "sorry", "type": "send_message", "data": {{"text": "Sorry, {{{{user_name}}}}, I only help with orders."}}}}
],
"edges": [
  {{"source": "start", "target": "classify"}},
  {{"source": "classify", "target": "which"}},
  {{"source": "which", "target": "order", "sourceHandle": "true"}},
  {{"source": "which", "target": "sorry", "sourceHandle": "false"}},
  {{"source": "order", "target": "eligible"}},
  {{"source": "eligible", "target": "respond"}},
  {{"source": "respond", "target": "send"}}
]
}}"""


class Shop:
    """Does what the nodes ask for, and remembers it."""

    def __init__(self, days: int, intent: str) -> None:
        self.days = days
        self.intent = intent
        self.prompts: list[Json] = []
        self.sent: list[Json] = []

    async def do(self, run: Run) -> Result:
        match run.placed.type:
            case "llm_call":
                self.prompts.append(run.inputs["prompt"])
                text = self.intent if run.placed.id == "classify" else f"Answer {len(self.prompts)}"
                return Done({"text": text, "tokensInput": 10, "tokensOutput": 2})
            case "mcp_tool":
                return Done({"status": "delivered", "days_since_delivery": self.days})
            case "code_block":
                node, variables = run.placed.node, run.inputs["variables"]
                assert isinstance(node, CodeBlock)
                assert isinstance(variables, dict)
                made = await Sandbox().run(node.code, variables)
                if isinstance(made, Changes):
                    return Done(variables=made.variables, removed=made.removed)
                return Failed(made.message)
            case _:
                self.sent.append(run.inputs["text"])
                return Done()

    async def run(self) -> RunState:
        graph = readable(json.loads(WORKFLOW))
        state = begin(graph, {"message": "I want my money back", "user_id": "u1", "user_name": "Ann"})
        while state.status == "running":
            [step] = steps(graph, state)
            assert isinstance(step, Run)
            state = advance(graph, state, step.step, await self.do(step))
        return state


@pytest.mark.parametrize(("days", "eligible"), [(3, "true"), (31, "false")])
async def test_a_refund(days: int, eligible: str) -> None:
    shop = Shop(days, "Billing.")
    state = await shop.run()
    assert state.status == "finished"
    assert path_of(state) == ["start", "classify", "which", "order", "eligible", "respond", "send"]
    assert shop.prompts == [
        "One word, billing or other: I want my money back",
        f"Refund possible: {eligible}. Answer: I want my money back",
    ]
    assert shop.sent == ["Answer 2"]


async def test_something_else() -> None:
    shop = Shop(3, "other")
    await shop.run()
    assert shop.sent == ["Sorry, Ann, I only help with orders."]
    assert len(shop.prompts) == 1


def test_the_text_and_what_it_says_are_one_workflow() -> None:
    assert read_graph(WORKFLOW) == read_graph(json.loads(WORKFLOW))
