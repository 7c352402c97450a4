"""No file tells on which machine, or from which mirror, it was made."""

import re

import pytest

from tests.guards.tree import committed, here

TELLTALE = re.compile(
    r"(?:(?<![\w./~-])|(?<=file://))/(?:root|work|home/[a-z]+|tmp/[\w-]+)/"  # a path on somebody's machine
    r"|\b[\w.-]*(?:pythonhosted|npmjs)\.org"  # a registry's host
    r"|//[\w.-]+(?::\d+)?/(?:[\w-]+/)*simple\b"  # a package index
    r"|--(?:extra-)?index-url|--find-links|--trusted-host"
)
THIS = "tests/guards/test_nothing_from_here.py"


def test_no_file_tells_where_it_was_made() -> None:
    telling = []
    for path in committed():
        if here(path) == THIS:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        telling += [f"{here(path)}: {match.group()}" for match in TELLTALE.finditer(text)]
    assert not telling


@pytest.mark.parametrize(
    "line",
    [
        "/work/main/x",
        "file:///root/.cache",
        "https://files.pythonhosted.org/packages",
        "http://mirror:8080/pypi/simple/",
        "--index-url x",
    ],
)
def test_a_telltale_is_seen(line: str) -> None:
    assert TELLTALE.search(line)


@pytest.mark.parametrize("line", ["/api/work/1", "~/work/x", "a simple thing", "/var/lib/botrunner", "/tmp"])
def test_other_paths_pass(line: str) -> None:
    assert not TELLTALE.search(line)
