import pytest

from runner.workflows.conditions import MAX_CONDITION, condition
from runner.workflows.expressions import ExpressionError, Json
from runner.workflows.patterns import MAX_PATTERN, compiled

VARIABLES: dict[str, Json] = {
    "intent": {"text": " Billing\n"},
    "order": {"total": 120, "status": "on its way", "tags": ["VIP", 7], "notes": {"gift": True}},
    "bold": "**Billing**.\n",
    "dots": "...",
    "number": "42",
    "code": "AbC",
    "yes": True,
    "no": False,
    "said_no": "false",
    "blank": "  ",
    "list": [],
    "zero": 0,
}


@pytest.mark.parametrize(
    "true",
    [
        "{{intent.text}} == billing",
        "{{intent.text}}==BILLING",
        "{{intent.text}} != refund",
        "{{intent.text}} != 'billing'",
        "{{order.status}} == on its way",
        "{{bold}} == billing and not {{bold}} == 'billing'",
        "{{dots}} == ... and not {{dots}} == billing",
        "{{order.status}} contains ITS WAY",
        "{{order.status}} contains 'its way'",
        "{{order.total}} > 100 and {{order.total}} <= 120",
        "{{number}} == 42.0 and {{number}} < 100",
        "{{order.tags}} contains vip and {{order.tags}} contains 7",
        "{{order.notes}} contains gift",
        "not {{order.tags}} contains 'vip'",
        "{{code}} == 'AbC' and not {{code}} == 'abc'",
        "{{code}} matches ^[A-Z][a-z][A-Z]$",
        "{{code}} matches '(?i)ABC|xyz'",
        "{{yes}} and not {{no}}",
        "{{yes}} == true and {{no}} == false",
        "not ({{no}} or {{said_no}} or {{blank}} or {{list}} or {{zero}} or {{nothing}})",
        "({{no}} and {{no}} or {{yes}})",
        "not {{no}} and {{yes}}",
        "{{nothing}} == null and {{nothing}} == ''",
        '{{intent.text}} == "{{intent.text}}"',
        "{{code}} > 'AbB'",
        "{{code}} == {{code}}",
        "5 > 3 and 'a' < 'b'",
        "{{order.status}} == 'on its way'",
        "{{yes}} == 'true'",
        "not {{order.status}} contains help!",
    ],
)
def test_it_holds(true: str) -> None:
    assert condition(true).holds(VARIABLES)


@pytest.mark.parametrize(
    "false",
    [
        "{{order.status}} > 5",
        "{{nothing}} > 0",
        "{{nothing}} contains {{nothing}}",
        "{{order}} contains ''",
        "{{code}} matches ^x",
        "{{yes}} == 1",
        "{{no}} or {{no}}",
        "{{order.tags}} == vip",
        "{{code}} == {{intent.text}}",
    ],
)
def test_it_does_not_hold(false: str) -> None:
    assert not condition(false).holds(VARIABLES)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "a value is missing at the end"),
        ("{{a}} = b", "equal is =="),
        ("!{{a}}", "write not"),
        ("{{a}} ==", "missing after '=='"),
        ("{{a}} == and {{b}}", "put it in quotes"),
        ("a == b", "write {{a}}"),
        ("({{a}}", ") is missing"),
        ("{{a}} {{b}}", "join conditions"),
        ("{{a}} == b == c", "join conditions"),
        ("== b", "missing before"),
        ("{{a}} matches {{b}}", "a pattern that is written there"),
        ("{{a}} matches '('", "not a regular expression"),
        ("{{a}} == {{b c}}", "not a variable"),
        ("(" * 50 + "{{a}}" + ")" * 50, "nested more than"),
        ("not " * 50 + "{{a}}", "nested more than"),
        ("x" * (MAX_CONDITION + 1), "at most"),
    ],
)
def test_what_is_not_understood_is_said(source: str, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        condition(source)
    assert said in str(caught.value)


def test_users_cannot_write_conditions() -> None:
    assert not condition("{{a}} == b").holds({"a": "x or {{b}} == b", "b": "b"})
    assert condition("{{a}} == 'x or 1 == 1'").holds({"a": "x or 1 == 1"})


def test_a_pattern_that_others_hang_on_takes_no_time() -> None:
    """Any engine that tries again and again would take longer than the world is old."""
    assert not compiled("^(a+)+$").is_in("a" * 100_000 + "b")
    assert not compiled("(x+x+)+y").is_in("x" * 100_000)


def test_patterns_are_bounded() -> None:
    with pytest.raises(ExpressionError):
        compiled("a" * (MAX_PATTERN + 1))
    with pytest.raises(ExpressionError):
        compiled("((a{100}){100}){100}")
    with pytest.raises(ExpressionError, match="not a regular expression"):
        compiled(r"(a)\1")


def test_patterns_are_what_was_written() -> None:
    assert compiled("a+") == compiled("a+") != compiled("a*")
    assert hash(compiled("a+")) == hash(compiled("a+"))
    assert compiled("a?b").is_in("\ud800b")
