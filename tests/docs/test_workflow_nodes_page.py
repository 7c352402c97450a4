"""docs/workflow-nodes.md: its examples are read, its figures are the code's, its links lead somewhere."""

import json
import re
from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML

from runner.config.knowledge_section import CollectionSection
from runner.ports import knowledge, runs
from runner.store.knowledge import library
from runner.web.dashboard_pages import flowing
from runner.workflows.doers import gate, later, memory, passes
from runner.workflows.graph import Graph, read_graph
from runner.workflows.nodes.kinds import KINDS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "workflow-nodes.md").read_text(encoding="utf-8")


def test_its_examples_are_read() -> None:
    seen = set()
    for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL):
        head, dash, nodes = block.partition("- {id:")
        for name, section in (YAML(typ="safe").load(StringIO(head)) or {}).get("knowledge", {}).items():
            assert CollectionSection(**section).files, name
        made = YAML(typ="safe").load(StringIO(dash + nodes))
        trigger = {"id": "t", "type": "trigger", "data": {}}
        edges = [{"source": "t", "target": one["id"]} for one in made]
        graph = read_graph(json.dumps({"nodes": [trigger, *made], "edges": edges}))
        assert isinstance(graph, Graph), graph
        seen |= {one.type for one in graph.nodes.values()}
    assert seen >= {"memory_store", "knowledge_retrieval", "schedule_message", "send_proactive"}


def test_its_nodes_are_there() -> None:
    heads = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    named = {word for head in heads for word in head.split(" and ") if "_" in word}
    assert named <= set(KINDS)
    assert "auth_gate" in named


def test_its_figures_are_the_codes() -> None:
    told = {
        "1 to 200 characters": memory.LONGEST_KEY == 200,
        "up to 64 KiB": memory.LONGEST_VALUE == 64 << 10,
        "room for 1000 keys": runs.MOST_MEMORIES == 1000,
        "at most 20) passages": knowledge.MOST_FOUND == 20,
        "has 1500 characters at most": knowledge.MAX_PASSAGE == 1500,
        "every 30 seconds at most": library.LOOK_AGAIN_S == 30,
        "15 minutes for each of three tries": (gate.ANSWER_WITHIN_MS, passes.MOST_TRIES) == (900_000, 3),
        "more than a year away fails": later.LONGEST_MS == 366 * 86_400_000,
        "up to 20 000 characters": later.LONGEST_TEXT == 20_000,
        "in the last ten runs": flowing.RUNS_SHOWN == 10,
    }
    assert [words for words in told if words not in " ".join(PAGE.split())] == []
    assert [words for words, true in told.items() if not true] == []


def test_its_links_lead_somewhere() -> None:
    for page in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (DOCS / page).is_file(), page
    for name in ("bots-yaml.md", "cli.md", "admin-api.md"):
        for heading in re.findall(r"\(workflow-nodes\.md#([\w-]+)\)", (DOCS / name).read_text("utf-8")):
            assert re.search(rf"^## {re.escape(heading)}$", PAGE, re.MULTILINE), heading
