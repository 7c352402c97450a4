"""Money is whole pico-dollars: nothing in runner/money may make a float."""

import ast

import pytest

from tests.guards.tree import here, parsed, python_files


def floats(tree: ast.AST) -> list[str]:
    """Each place where a float is named, written or made by division."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Name(id="float") | ast.Constant(value=float() | complex()):
                found.append(node.lineno)
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                found.append(node.lineno)
            case ast.Import(names=[*names]) if "math" in {name.name for name in names}:
                found.append(node.lineno)
            case ast.Constant(value=str(text)) if text == "float":
                found.append(node.lineno)
    return [f"line {line}" for line in sorted(set(found))]


def test_money_knows_no_float() -> None:
    assert not {here(path): lines for path in python_files("runner/money") if (lines := floats(parsed(path)))}


@pytest.mark.parametrize(
    "code",
    [
        "x: float",
        "x: 'float'",
        "1.0",
        "a / b",
        "a /= b",
        "float(x)",
        "def f() -> float | None: ...",
        "import math",
        "1e6",
    ],
)
def test_the_guard_bites(code: str) -> None:
    assert floats(ast.parse(code)) == ["line 1"]


@pytest.mark.parametrize("code", ["a // b", "1_000", "'a float in words'", "Decimal('0.5')"])
def test_the_guard_lets_whole_numbers_pass(code: str) -> None:
    assert not floats(ast.parse(code))
