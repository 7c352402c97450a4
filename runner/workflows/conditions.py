"""Conditions: `{{intent.text}} == billing and not {{order.total}} > 100`. Pure.

    condition   part { or part }              part     factor { and factor }
    factor      not factor | ( condition ) | value [ comparison value ]
    comparison  == != > >= < <= contains matches
    value       {{a.b}}   "quoted"   'quoted'   12.5   true   false   null;  right of a comparison also plain words

Rules: plain words on the right are compared as people mean them (`as_meant`), for a model that is asked for one
word may say `Billing.`; what stands in quotes, and variables, are compared as they are. Where both sides are numbers,
also as texts, they are compared as numbers. A condition is parsed when the workflow is read, its patterns compiled
(`patterns`); evaluating it takes time proportional to the values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from runner.workflows.expressions import (
    ExpressionError,
    Json,
    Reference,
    Template,
    Variables,
    reference,
    template,
    text_of,
)
from runner.workflows.patterns import Pattern, compiled

MAX_CONDITION = 2_000
"""Characters."""

_DEEPEST = 40
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<reference>\{\{(?P<inside>.*?)\}\})
    | (?P<quoted>"[^"]*"|'[^']*')
    | (?P<mark>==|!=|>=|<=|>|<|\(|\))
    | (?P<word>[^\s(){}=<>!"'](?:[^\s(){}=<>!]|!(?!=))*)
    )""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?")
_LITERALS: Mapping[str, Json] = {"true": True, "false": False, "null": None}
_ORDERS = (">", ">=", "<", "<=")
_COMPARISONS = ("==", "!=", *_ORDERS, "contains", "matches")
_MARKS = " \t\r\n.,;:!*_`'\""
_RESERVED = ("and", "or", "not", "contains", "matches")


@dataclass(frozen=True, slots=True)
class Words:
    """A literal. `plain`: it stood without quotes, and is compared without regard to case and outer spaces."""

    text: Template
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, true, false or null."""

    value: Json


Operand: TypeAlias = Reference | Words | Literal


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left sign right`; the sign is one of the words of a comparison but `matches`."""

    left: Operand
    sign: str
    right: Operand


@dataclass(frozen=True, slots=True)
class Matches:
    """`left matches pattern`."""

    left: Operand
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class Truth:
    """A value alone: whether it is there and is not false, 0 or empty."""

    operand: Operand


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary."""

    of: Test


@dataclass(frozen=True, slots=True)
class Every:
    """`and`."""

    of: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """`or`."""

    of: tuple[Test, ...]


Test: TypeAlias = Comparison | Matches | Truth | Not | Every | Some


@dataclass(frozen=True, slots=True)
class Condition:
    """A parsed condition.

    Attributes:
        source: as it was written.
    """

    source: str
    test: Test

    def holds(self, variables: Variables) -> bool:
        """Whether it is so. Raises ExpressionError where a value is too large or too deep to be compared."""
        return _holds(self.test, variables)


def condition(source: str) -> Condition:
    """Parse a condition. Raises ExpressionError, which says what is not understood."""
    if len(source) > MAX_CONDITION:
        raise ExpressionError(f"a condition has at most {MAX_CONDITION} characters, this one {len(source)}")
    parser = _Parser(_tokens(source))
    test = parser.some(0)
    parser.end()
    return Condition(source, test)


# ------------------------------------------------------------------------------------------------ parsing


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def _tokens(source: str) -> list[_Token]:
    tokens: list[_Token] = []
    end = len(source.rstrip())
    at = 0
    while at < end:
        match = _TOKEN.match(source, at, end)
        if match is None:
            rest = source[at:end].strip()
            hint = (
                "; equal is ==" if rest.startswith("=") else "; to deny, write not" if rest[0] == "!" else ""
            )
            raise ExpressionError(f"{rest[:20]!r} is not understood{hint}")
        kind = str(match.lastgroup)
        tokens.append(_Token(kind, match["inside" if kind == "reference" else kind]))
        at = match.end()
    return tokens


@dataclass(slots=True)
class _Parser:
    """Recursive descent; how deep it goes is bounded."""

    tokens: Sequence[_Token]
    at: int = 0

    def some(self, depth: int) -> Test:
        parts = [self.every(depth)]
        while self.takes("word", "or"):
            parts.append(self.every(depth))
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def every(self, depth: int) -> Test:
        parts = [self.factor(depth)]
        while self.takes("word", "and"):
            parts.append(self.factor(depth))
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def factor(self, depth: int) -> Test:
        if depth > _DEEPEST:
            raise ExpressionError(f"nested more than {_DEEPEST} deep")
        if self.takes("word", "not"):
            return Not(self.factor(depth + 1))
        if self.takes("mark", "("):
            inner = self.some(depth + 1)
            if not self.takes("mark", ")"):
                raise ExpressionError(") is missing")
            return inner
        left = self.left()
        sign = self.comparison()
        if sign is None:
            return Truth(left)
        right = self.right(sign)
        if sign == "matches":
            if not isinstance(right, Words) or any(isinstance(part, Reference) for part in right.text.parts):
                raise ExpressionError("matches needs a pattern that is written there, best in quotes")
            return Matches(left, compiled(right.text.source))
        return Comparison(left, sign, right)

    def comparison(self) -> str | None:
        token = self.peek()
        if token is None or token.kind not in ("mark", "word") or token.text not in _COMPARISONS:
            return None
        self.at += 1
        return token.text

    def left(self) -> Operand:
        token = self.peek()
        if token is None:
            raise ExpressionError("a value is missing at the end")
        if token.kind == "mark" or (token.kind == "word" and token.text in _RESERVED):
            raise ExpressionError(f"a value is missing before {token.text!r}")
        self.at += 1
        if token.kind == "word" and _literal(token.text) is None:
            raise ExpressionError(f"{token.text!r} stands alone: write {{{{{token.text}}}}} for a variable")
        return _operand(token)

    def right(self, sign: str) -> Operand:
        token = self.peek()
        if token is None or token.kind == "mark" or token.text in _RESERVED:
            hint = "; put it in quotes" if token is not None else ""
            raise ExpressionError(f"a value is missing after {sign!r}{hint}")
        self.at += 1
        if token.kind != "word":
            return _operand(token)
        words = [token.text]
        while (more := self.peek()) is not None and more.kind == "word" and more.text not in ("and", "or"):
            words.append(more.text)
            self.at += 1
        only = _literal(words[0]) if len(words) == 1 and sign != "matches" else None
        return only or Words(_plain(" ".join(words)), plain=True)

    def end(self) -> None:
        token = self.peek()
        if token is not None:
            raise ExpressionError(f"{token.text!r} is not understood here; join conditions by and, or")

    def peek(self) -> _Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def takes(self, kind: str, text: str) -> bool:
        if self.peek() != _Token(kind, text):
            return False
        self.at += 1
        return True


def _operand(token: _Token) -> Operand:
    if token.kind == "reference":
        return reference(token.text)
    if token.kind == "quoted":
        return Words(template(token.text[1:-1]))
    return _literal(token.text) or Words(_plain(token.text), plain=True)


def _plain(text: str) -> Template:
    return Template(text, (text,))


def _literal(word: str) -> Literal | None:
    if word in _LITERALS:
        return Literal(_LITERALS[word])
    number = _number(word)
    return None if number is None else Literal(number)


# --------------------------------------------------------------------------------------------- evaluating


def _holds(test: Test, variables: Variables) -> bool:
    match test:
        case Some(parts):
            return any(_holds(part, variables) for part in parts)
        case Every(parts):
            return all(_holds(part, variables) for part in parts)
        case Not(part):
            return not _holds(part, variables)
        case Truth(operand):
            return _is_true(_value(operand, variables))
        case Matches(left, pattern):
            return pattern.is_in(text_of(_value(left, variables)))
        case Comparison(left, sign, right):
            plain = isinstance(right, Literal) or (isinstance(right, Words) and right.plain)
            return _compares(_value(left, variables), sign, _value(right, variables), plain=plain)


def _value(operand: Operand, variables: Variables) -> Json:
    match operand:
        case Reference():
            return operand.value(variables)
        case Words(text):
            return text.text(variables)
        case Literal(value):
            return value


def _compares(left: Json, sign: str, right: Json, *, plain: bool) -> bool:
    if sign == "==":
        return _equal(left, right, plain=plain)
    if sign == "!=":
        return not _equal(left, right, plain=plain)
    if sign == "contains":
        return _contains(left, right, plain=plain)
    numbers = _number(left), _number(right)
    if numbers[0] is not None and numbers[1] is not None:
        return _in_order(sign, less=numbers[0] < numbers[1], more=numbers[0] > numbers[1])
    if isinstance(left, str) and isinstance(right, str):
        return _in_order(sign, less=left < right, more=left > right)
    return False


def _in_order(sign: str, *, less: bool, more: bool) -> bool:
    return {">": more, ">=": not less, "<": less, "<=": not more}[sign]


def _equal(left: Json, right: Json, *, plain: bool) -> bool:
    if plain or not (isinstance(left, str) and isinstance(right, str)):
        numbers = _number(left), _number(right)
        if numbers[0] is not None and numbers[1] is not None:
            return numbers[0] == numbers[1]
    texts = text_of(left), text_of(right)
    return as_meant(texts[0]) == as_meant(texts[1]) if plain else texts[0] == texts[1]


def _contains(left: Json, right: Json, *, plain: bool) -> bool:
    needle = _comparable(right, plain=plain)
    if not needle:
        return False
    if isinstance(left, Mapping):
        return any(_comparable(key, plain=plain) == needle for key in left)
    if isinstance(left, Sequence) and not isinstance(left, str):
        return any(_equal(item, right, plain=plain) for item in left)
    return needle in _comparable(left, plain=plain)


def as_meant(text: str) -> str:
    """A text without what makes no difference to people: case, outer spaces, marks around it, as in `**Billing**.`."""
    bare = text.strip().casefold()
    return bare.strip(_MARKS) or bare


def _comparable(value: Json, *, plain: bool) -> str:
    return text_of(value).strip().casefold() if plain else text_of(value)


def _is_true(value: Json) -> bool:
    if isinstance(value, str):
        return value.strip().casefold() not in ("", "false")
    return bool(value)


def _number(value: Json) -> int | float | None:
    """The number that it is or that it spells; None for anything else."""
    if isinstance(value, str):
        text = value.strip()
        if not _NUMBER.fullmatch(text):
            return None
        return int(text) if text.lstrip("+-").isdigit() else float(text)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
