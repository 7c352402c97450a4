"""Small files, small functions, names that say something."""

import ast

from tests.guards.tree import committed, here, parsed, python_files

LONGEST_FILE = 400
LONGEST_FUNCTION = 80
SAYS_NOTHING = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}
CODE = {".css", ".html", ".js", ".py", ".sql"}


def test_no_file_is_long() -> None:
    long = {
        here(path): lines
        for path in committed()
        if path.suffix in CODE
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE
    }
    assert not long


def test_no_function_is_long() -> None:
    long = [
        f"{here(path)}:{node.lineno} {node.name}"
        for path in python_files()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= LONGEST_FUNCTION
    ]
    assert not long


def test_each_file_has_a_name() -> None:
    nameless = [
        here(path) for path in python_files() if SAYS_NOTHING & set(here(path.with_suffix("")).split("/"))
    ]
    assert not nameless
