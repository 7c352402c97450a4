"""docs/tools.md: its files work as they stand, its figures are the code's, its links lead somewhere."""

import re
from pathlib import Path

from runner.config.loader import parse
from runner.config.secrets import Sources
from runner.config.settings import Loaded
from runner.tool_servers import child, connection, listing, pool, web

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "tools.md").read_text(encoding="utf-8")


def test_its_files_work() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    defaults = "defaults: {platform: custom, llm_provider: echo, llm_model: echo}\n"
    for block in blocks:
        found = parse(defaults + block, "bots.yaml", Sources({"ORDERS_KEY": "k"}))
        assert isinstance(found, Loaded), str(found)
        assert found.warnings == ()
    assert len(blocks) == 2


def test_its_figures_are_the_codes() -> None:
    told = {
        "SIGTERM, after two more SIGKILL": child.GRACE_S == 2,
        "more than 4 MiB ends the call": {child.LONGEST_LINE, web.LONGEST_ANSWER} == {4 << 20},
        "after 1, 2, 4 … 60 seconds": (connection.FIRST_WAIT_S, connection.LONGEST_WAIT_S) == (1, 60),
        "at most once a second; otherwise every five minutes": (connection.CHANGES_APART_S, pool.REFRESH_S)
        == (1, 300),
        "the start waits five seconds": pool.FIRST_TRY_S == 5,
        "is eight\ncharacters or more": connection.SHORTEST_SECRET == 8,
        "cut at 4,000 characters": listing.LONGEST_DESCRIPTION == 4000,
        "more than 32,000 leaves its tool out": listing.LONGEST_SCHEMA == 32_000,
        "more than 128 tools": listing.MOST_TOOLS == 128,
    }
    assert [
        words for words, true in told.items() if words.replace("\n", " ") not in " ".join(PAGE.split())
    ] == []
    assert all(told.values())


def test_its_links_lead_somewhere() -> None:
    for page, _, heading in (link.partition("#") for link in re.findall(r"\]\(([^)]+)\)", PAGE)):
        text = (DOCS / page).read_text(encoding="utf-8")
        headings = {found.lower().replace(" ", "-") for found in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
        assert not heading or heading in headings, page
