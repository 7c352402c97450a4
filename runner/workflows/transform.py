"""JMESPath: `order.items[?price > `10`].name`. Pure; the library is loaded only where it is used.

Rules: an expression is checked when the workflow is read. Whatever it and the data are, only ExpressionError
comes out; the time grows with the data, so whoever transforms much does it off the event loop.
"""

from __future__ import annotations

from runner.workflows.expressions import ExpressionError, Json

MAX_TRANSFORM = 2_000
"""Characters of an expression."""


def checked(expression: str) -> str:
    """The expression, if it is one. Raises ExpressionError."""
    if len(expression) > MAX_TRANSFORM:
        raise ExpressionError(
            f"an expression has at most {MAX_TRANSFORM} characters, this one {len(expression)}"
        )
    import jmespath  # type: ignore[import-untyped]  # noqa: PLC0415 - only for who transforms
    from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped]  # noqa: PLC0415 - with the first expression

    try:
        jmespath.compile(expression)
    except (JMESPathError, RecursionError) as error:
        raise ExpressionError(f"not a JMESPath expression: {_short(error)}") from None
    return expression


def transformed(expression: str, source: Json) -> Json:
    """What the expression makes of the source. Raises ExpressionError."""
    import jmespath  # noqa: PLC0415 - with the first expression
    from jmespath.exceptions import JMESPathError  # noqa: PLC0415 - with the first expression

    try:
        found: Json = jmespath.search(expression, source)
    except (JMESPathError, RecursionError, ArithmeticError, AttributeError, TypeError, ValueError) as error:
        raise ExpressionError(f"the expression does not fit the data: {_short(error)}") from None
    return found


def _short(error: BaseException) -> str:
    """The first words of what the library says, on one line."""
    return " ".join(str(error).split())[:_LONGEST]


_LONGEST = 200
