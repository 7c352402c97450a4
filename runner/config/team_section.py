"""`team:` of a bot: to which bots it may hand work over, and what each is for.

    team: {billing: invoices and refunds, repairs: broken devices}

    team:
      - {bot: billing, for: invoices and refunds}
      - {repairs: broken devices}

Rule: the words behind a bot are all that the model of the asking bot is told of it, so none may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag

from runner.bots import Teammate
from runner.config.fields import Section

_MOST = 50
_BotId = Annotated[str, Field(min_length=1)]
_Purpose = Annotated[str, Field(min_length=1, max_length=500)]


class MemberSection(Section):
    """One entry of `team:` as a list."""

    bot: _BotId
    purpose: _Purpose = Field(alias="for")


def _as_member(value: Any) -> Any:  # noqa: ANN401 - whatever YAML gave
    """`{billing: invoices}` means `{bot: billing, for: invoices}`."""
    if isinstance(value, Mapping) and len(value) == 1 and not {"bot", "for"} & value.keys():
        [(bot, purpose)] = value.items()
        return {"bot": bot, "for": purpose}
    return value


def _form(value: Any) -> str:  # noqa: ANN401 - whatever YAML gave
    return "mapping" if isinstance(value, Mapping) else "list"


_Member = Annotated[
    MemberSection, BeforeValidator(_as_member, json_schema_input_type=dict[str, str] | MemberSection)
]
TeamField = (
    Annotated[
        Annotated[dict[_BotId, _Purpose], Field(max_length=_MOST), Tag("mapping")]
        | Annotated[list[_Member], Field(max_length=_MOST), Tag("list")],
        Discriminator(_form),
    ]
    | None
)
"""A discriminator, so that a fault of the one form is not told as one of the other too."""


def to_team(field: dict[str, str] | list[MemberSection] | None) -> tuple[Teammate, ...]:
    """The members, in the file's order."""
    if isinstance(field, dict):
        return tuple(Teammate(bot, purpose) for bot, purpose in field.items())
    return tuple(Teammate(member.bot, member.purpose) for member in field or ())
