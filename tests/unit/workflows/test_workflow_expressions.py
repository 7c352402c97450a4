import pytest

from runner.workflows.expressions import (
    MAX_RENDERED,
    MAX_TEMPLATE,
    ExpressionError,
    Json,
    filled,
    reference,
    template,
    text_of,
    tree,
)

VARIABLES: dict[str, Json] = {
    "message": "Where is {{secret}}?",
    "secret": "hidden",
    "order": {"id": 7, "items": [{"name": "cup"}, {"name": "pot"}], "odd key": 1, "length": "long"},
    "empty": None,
    "yes": True,
    "price": 3.0,
}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("plain", "plain"),
        ("", ""),
        ("Order {{order.id}}.", "Order 7."),
        ("{{ order.items[1].name }}", "pot"),
        ("{{order.items.0.name}}", "cup"),
        ('{{order["odd key"]}}', "1"),
        ("{{order.items.length}} things", "2 things"),
        ("{{order.length}}", "long"),
        ("{{message.length}}", "20"),
        ("{{order.items}}", '[{"name": "cup"}, {"name": "pot"}]'),
        ("{{yes}}|{{price}}|{{empty}}", "true|3|"),
        ("{{nothing.at.all}}{{order.items[9].name}}{{message[0]}}", ""),
        ("{{message}}", "Where is {{secret}}?"),
        (r"\{{message}} and {{yes}}", "{{message}} and true"),
        ('{"a": {"b": 1}}', '{"a": {"b": 1}}'),
    ],
)
def test_variables_are_put_in(source: str, text: str) -> None:
    assert template(source).text(VARIABLES) == text


@pytest.mark.parametrize(
    "source", ["{{", "{{}}", "{{1a}}", "{{a b}}", "{{a.}}", "{{a[x]}}", "{{a}", "{{a|upper}}"]
)
def test_what_is_no_variable_is_said_when_it_is_read(source: str) -> None:
    with pytest.raises(ExpressionError):
        template(source)


def test_texts_are_bounded() -> None:
    with pytest.raises(ExpressionError, match="at most"):
        template("x" * (MAX_TEMPLATE + 1))
    with pytest.raises(ExpressionError, match="variables in it"):
        template("{{a}}" * 600)
    with pytest.raises(ExpressionError, match="longer than"):
        template("{{a}}{{a}}").text({"a": "x" * (MAX_RENDERED // 2 + 1)})


def test_one_reference_alone_keeps_its_kind() -> None:
    arguments = tree({"items": "{{order.items}}", "note": "for {{order.id}}", "deep": [["{{yes}}", 1, None]]})
    assert filled(arguments, VARIABLES) == {
        "items": [{"name": "cup"}, {"name": "pot"}],
        "note": "for 7",
        "deep": [[True, 1, None]],
    }


def test_values_that_are_too_deep_are_an_error_of_our_own() -> None:
    deep: Json = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ExpressionError):
        text_of(deep)
    with pytest.raises(ExpressionError):
        tree(deep)
    while isinstance(deep, list) and deep:  # taken apart step by step, for so does nobody else
        deep = deep[0]


def test_a_reference_that_is_long_is_shown_short() -> None:
    with pytest.raises(ExpressionError) as caught:
        reference("a " + "b" * 1000)
    assert len(str(caught.value)) < 200
