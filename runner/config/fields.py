"""The kinds of value that fields of bots.yaml are made of.

Rules: a whole number says its range when it is refused; true is no number; text that holds digits only (a
reference from the environment) is a number where one is wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MOST_CENTS = 900_000_000
"""9 million USD, the most that is kept."""
REFERENCE = {"type": "string", "pattern": r"\$\{"}
"""In an editor a reference may stand wherever a value may."""


class Section(BaseModel):
    """A mapping of bots.yaml: fixed once read, and without any field that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from `low` to `high`; `high` None: no upper end."""

    low: int
    high: int | None = None

    def check(self, value: Any) -> int:  # noqa: ANN401 - whatever YAML gave
        """The number, or a refusal that tells the range."""
        number = value
        if isinstance(value, str) and len(value) <= len("-9223372036854775808"):
            digits = value.removeprefix("-")
            number = int(value) if digits.isascii() and digits.isdigit() else value
        wrong_kind = isinstance(number, bool) or not isinstance(number, int)
        if wrong_kind or number < self.low or (self.high is not None and number > self.high):
            raise PydanticCustomError(
                "whole_number", "must be a whole number {range}", {"range": self._range()}
            )
        return int(number)

    def _range(self) -> str:
        return f"of at least {self.low}" if self.high is None else f"from {self.low} to {self.high}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401 - pydantic's own protocol
        """Our check in place of pydantic's."""
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The range, for editors."""
        number: JsonSchemaValue = {"type": "integer", "minimum": self.low}
        if self.high is not None:
            number["maximum"] = self.high
        return {"anyOf": [number, REFERENCE]}


Cents = Annotated[int, Whole(0, MOST_CENTS)]
"""A limit in whole US cents."""


def _as_text(value: Any) -> Any:  # noqa: ANN401 - whatever YAML gave
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _no_switch(value: Any) -> Any:  # noqa: ANN401 - whatever YAML gave
    if isinstance(value, bool):
        raise PydanticCustomError("float_type", "must be a number")
    return value


Number = Annotated[float, BeforeValidator(_no_switch)]
"""A number with a fraction; true is none."""

UserId = Annotated[str, BeforeValidator(_as_text, json_schema_input_type=str | int)]
"""A platform's id of a user; where it is a number it may be written as one."""
