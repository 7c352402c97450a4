"""`workflow:`, `workflow_json:` and `workflows:`: what is read, what is found wrong, and at which line."""

import json

import pytest

from runner.bots import Workflow
from runner.config.loader import parse
from runner.config.problems import Problems
from runner.config.reload import difference
from runner.config.secrets import Sources
from runner.config.settings import Loaded

KEYS = Sources({"HOME": "/home/op", "ANTHROPIC_API_KEY": "k"})
START = "{id: t, type: trigger}"


def file_of(*nodes: str, edges: str = "", more: str = "", bot: str = "") -> str:
    listed = "\n".join(f"        - {node}" for node in (START, *nodes))
    return f"""bots:
  shop:
    platform: custom
    llm_model: claude-haiku-4-5
    spending_cap_cents: 100
    tools: [{{name: get_order, description: d, url: "https://shop.example/o"}}]
    workspace_id: house
    {bot or "prompt_cache: auto"}
    workflow_enabled: true
    workflow:
      nodes:
{listed}
      edges: [{edges}]
  other: {{platform: custom, llm_model: claude-haiku-4-5}}
workspaces: {{house: {{servers: {{shop: {{command: shop, tools: [search]}}, open: {{command: open}}}}}}}}
{more}
"""


def found(text: str) -> list[str]:
    read = parse(text, "bots.yaml", KEYS)
    return str(read).splitlines() if isinstance(read, Problems) else []


def loaded(text: str) -> Loaded:
    read = parse(text, "bots.yaml", KEYS)
    assert isinstance(read, Loaded), str(read)
    return read


def to(*targets: str) -> str:
    return ", ".join(f"{{source: t, target: {target}}}" for target in targets)


def test_a_workflow_is_kept_as_json_and_equal_files_are_equal_bots() -> None:
    text = file_of("{id: s, type: send_message, data: {text: Hi}}", edges=to("s"))
    read, again = loaded(text), loaded(text)
    workflow = read.settings.bots[0].workflow
    assert isinstance(workflow, Workflow)
    assert [node["id"] for node in json.loads(workflow.source)["nodes"]] == ["t", "s"]
    assert difference(read.settings, again.settings).is_empty
    [change] = difference(read.settings, loaded(text.replace("Hi", "Ho")).settings).changed
    assert change.fields == ("workflow",)


def test_it_may_be_json_as_text_or_as_a_mapping() -> None:
    source = {"nodes": [{"id": "t", "type": "trigger"}], "edges": []}
    for written in (json.dumps(source), repr(json.dumps(source))):
        text = f"""bots:
  shop: {{platform: custom, llm_model: claude-haiku-4-5, workflow_enabled: true, workflow_json: {written}}}
"""
        workflow = loaded(text).settings.bots[0].workflow
        assert workflow is not None
        assert json.loads(workflow.source) == source


def test_all_faults_are_told_at_once_each_at_its_line() -> None:
    text = file_of(
        "{id: a, type: llm_cal, data: {}}",
        "{id: b, type: send_message, data: {txt: Hi}}",
        edges=f"{to('a', 'b')}, {{source: b, target: c}}",
    )
    assert found(text) == [
        "bots.yaml:13: bots.shop.workflow.nodes[1].type: unknown type 'llm_cal', did you mean llm_call?",
        "bots.yaml:14: bots.shop.workflow.nodes[2].data.text: required",
        "bots.yaml:14: bots.shop.workflow.nodes[2].data.txt: unknown field, did you mean text?",
        "bots.yaml:15: bots.shop.workflow.edges[2].target: no node has the id 'c'",
    ]


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ("type: function_call, data: {tool: get_ordr}", "no HTTP tool 'get_ordr', did you mean get_order?"),
        ("type: function_call, data: {tool: shop__search}", "no HTTP tool 'shop__search'"),
        ("type: mcp_tool, data: {tool: shop__buy}", "'buy' is not among the tools of shop"),
        ("type: mcp_tool, data: {tool: sho__buy}", "no tool 'sho__buy'"),
        (
            "type: agent_loop, data: {prompt: p, tools: [get_order, nope]}",
            "data.tools[1]: bot shop has no tool",
        ),
        ("type: delegate_to_bot, data: {target_bot_id: shop}", "cannot hand work over to itself"),
        ("type: delegate_to_bot, data: {target_bot_id: othr}", "no bot 'othr', did you mean other?"),
        ("type: sub_workflow, data: {name: gret}", "no 'gret' under workflows:"),
        ("type: image_generate, data: {prompt: p, outputVariable: o}", "image_generate is not offered"),
        (
            "type: knowledge_retrieval, data: {collection: c, query: q, outputVariable: o}",
            "no collection 'c'",
        ),
        (
            "type: structured_output, data: {prompt: p, schema: {type: strin}, outputVariable: o}",
            "data.schema: not a JSON schema",
        ),
        (
            "type: llm_call, data: {prompt: p, outputVariable: o, model: openai/gpt-4o-mini}",
            "data.model: bot shop needs a key for openai",
        ),
        (
            "type: llm_call, data: {prompt: p, outputVariable: o, model: nobody/knows}",
            "data.model: unknown provider 'nobody'",
        ),
        (
            "type: llm_call, data: {prompt: p, outputVariable: o, model: claude-haiku-44}",
            "the model claude-haiku-44 of anthropic has no price",
        ),
    ],
)
def test_what_is_not_there_is_told(node: str, said: str) -> None:
    [problem, *_] = found(file_of(f"{{id: n, {node}}}", edges=to("n")))
    assert problem.startswith("bots.yaml:13: bots.shop.workflow.nodes[1]")
    assert said in problem


@pytest.mark.parametrize(
    "node",
    [
        "type: function_call, data: {tool: get_order}",
        "type: mcp_tool, data: {tool: shop__search}",
        "type: mcp_tool, data: {tool: open__anything}",
        "type: mcp_tool, data: {tool: get_order}",
        "type: llm_call, data: {prompt: p, outputVariable: o, model: claude-sonnet-4-6}",
        "type: llm_call, data: {prompt: p, outputVariable: o, model: anthropic/claude-sonnet-4-6}",
        "type: delegate_to_bot, data: {target_bot_id: other}",
        "type: sub_workflow, data: {name: greet}",
    ],
)
def test_what_is_there_is_taken(node: str) -> None:
    more = "workflows: {greet: {nodes: [{id: t, type: trigger}]}}"
    assert found(file_of(f"{{id: n, {node}}}", edges=to("n"), more=more)) == []


def test_a_script_is_taken_as_it_stands() -> None:
    code = "ctx.variables.a = `${ctx.variables.message} $$ ${HOME}`;"
    read = loaded(file_of(f"{{id: c, type: code_block, data: {{code: '{code}'}}}}", edges=to("c")))
    workflow = read.settings.bots[0].workflow
    assert workflow is not None
    assert json.loads(workflow.source)["nodes"][1]["data"]["code"] == code


PARTS = """workflows:
  greet:
    nodes: [{id: t, type: trigger}, {id: w, type: wait_delay, data: {seconds: 60}}]
    edges: [{source: t, target: w}]
  round:
    nodes: [{id: t, type: trigger}, {id: r, type: sub_workflow, data: {name: round}}]
    edges: [{source: t, target: r}]
"""


def test_a_part_never_waits_and_never_comes_to_itself() -> None:
    nodes = (
        "{id: g, type: sub_workflow, data: {name: greet}}",
        "{id: r, type: sub_workflow, data: {name: round}}",
    )
    told = found(file_of(*nodes, edges=to("g", "r"), more=PARTS))
    assert [line.split(": ", 2)[1] for line in told] == ["workflows.greet.nodes[1]", "workflows.round"]
    assert "never waits" in told[0]
    assert "comes to itself" in told[1]


def test_the_parts_of_parts_come_along() -> None:
    more = """workflows:
  one:
    nodes: [{id: t, type: trigger}, {id: s, type: sub_workflow, data: {name: two}}]
    edges: [{source: t, target: s}]
  two: {nodes: [{id: t, type: trigger}]}
  none: {nodes: [{id: t, type: trigger}]}
"""
    read = loaded(file_of("{id: s, type: sub_workflow, data: {name: one}}", edges=to("s"), more=more))
    workflow = read.settings.bots[0].workflow
    assert workflow is not None
    assert [name for name, _ in workflow.parts] == ["one", "two"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("workflow_enabled: true", "needs workflow or workflow_json"),
        ("workflow_enabled: true, workflow: {nodes: []}, workflow_json: '{}'", "not both"),
        ("workflow_enabled: true, workflow_json: '{'", "workflow_json: not JSON"),
    ],
)
def test_a_workflow_is_given_once(fields: str, said: str) -> None:
    text = f"bots: {{shop: {{platform: custom, llm_model: claude-haiku-4-5, {fields}}}}}"
    [problem] = found(text)
    assert said in problem


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("response_cache: true", "response_cache: is not used: the bot's workflow answers"),
        (
            "routing: {tiers: {small: anthropic/claude-haiku-4-5}, default: small}",
            "routing: only its default tier is asked",
        ),
    ],
)
def test_what_a_workflow_makes_nothing_of_is_a_warning(field: str, said: str) -> None:
    text = file_of(bot=field).replace("    llm_model: claude-haiku-4-5\n", "", int("routing" in field))
    assert said in "\n".join(map(str, loaded(text).warnings))


def test_a_workflow_that_is_not_enabled_is_a_warning() -> None:
    text = "bots: {shop: {platform: custom, llm_model: claude-haiku-4-5, workflow: {nodes: []}}}"
    read = loaded(text)
    assert read.settings.bots[0].workflow is None
    assert [str(warning).split(": ", 1)[1] for warning in read.warnings][-1] == (
        "bots.shop.workflow: is not used without workflow_enabled: true"
    )
