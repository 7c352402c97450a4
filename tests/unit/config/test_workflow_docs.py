"""docs/workflows.md and docs/workflow-nodes.md: every node is there, with an example that can be read."""

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from runner.config.loader import parse, sources_of
from runner.config.settings import Loaded
from runner.workflows.faults import Faults
from runner.workflows.nodes.fields import Fields
from runner.workflows.nodes.kinds import KINDS

DOCS = Path(__file__).parents[3] / "docs"
PAGES = ("workflows.md", "workflow-nodes.md")
_BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
_NODE = re.compile(r"^- .*?(?=^\S|\Z)", re.DOTALL | re.MULTILINE)


def blocks() -> list[str]:
    return [block for page in PAGES for block in _BLOCK.findall((DOCS / page).read_text())]


def nodes() -> list[dict[str, Any]]:
    """All nodes of the examples that are lists of nodes."""
    lists = ["\n".join(_NODE.findall(block)) for block in blocks() if not block.startswith("bots:")]
    return [node for text in lists for node in YAML(typ="safe").load(text) or ()]


def test_each_example_of_a_node_can_be_read() -> None:
    for node in nodes():
        faults = Faults()
        fields = Fields((node["id"], "data"), node.get("data") or {}, faults)
        KINDS[node["type"]](fields)
        fields.end()
        assert not faults.found, "\n".join(map(str, faults.in_order()))


def test_every_type_of_node_is_told_of() -> None:
    told = "\n".join((DOCS / page).read_text() for page in PAGES)
    assert [kind for kind in KINDS if f"{kind}" not in told] == []
    shown = {node["type"] for node in nodes()}
    without = {"auth_gate", "vision_analyze", "document_parse", "image_generate"}
    assert KINDS.keys() - shown == without


def test_the_whole_example_is_a_file_that_runs() -> None:
    [whole] = [block for block in blocks() if block.startswith("bots:")]
    path = Path("bots.yaml")
    read = parse(whole, str(path), sources_of(path, {}))
    assert isinstance(read, Loaded), read
    assert read.settings.bots[0].workflow is not None
    assert read.warnings == ()
