"""`caps:` of a bot: how much it, a user, a conversation, a message and a team may cost, for ever or by day or month.

    caps:
      bot: {day_cents: 200, month_cents: 2000}
      user: {cents: 500, day_cents: 20, except: {"42": {day_cents: 500}, boss: null}}
      conversation: {cents: 100}
      message: {cents: 5}
      team: {month_cents: 5000}

Rules: `cents` is for ever, a day and a month are UTC ones; of a user under `except` only the periods that are named
there differ, null is no limit at all; each limit becomes one `Cap` with the exceptions from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field, model_validator

from runner.config.fields import Cents, Section
from runner.money.amounts import Money, from_cents
from runner.money.scopes import Period
from runner.money.terms import Cap, Per

_FIELDS = {Period.LIFETIME: "cents", Period.DAY: "day_cents", Period.MONTH: "month_cents"}


class CapSection(Section):
    """Limits by period; null is the same as none."""

    cents: Cents | None = None
    day_cents: Cents | None = None
    month_cents: Cents | None = None

    @model_validator(mode="after")
    def _limits_something(self) -> CapSection:
        if not self.model_fields_set:
            raise ValueError("must name a limit: cents, day_cents or month_cents")
        return self


class UserCapSection(CapSection):
    """`user:`, what each user of the bot may spend, and who may spend something else."""

    except_: dict[str, CapSection | None] = Field(default_factory=dict, alias="except")


class BotCapSection(Section):
    """`bot:`; its limit for ever is `spending_cap_cents`, which has a command and an alert of its own."""

    day_cents: Cents | None = None
    month_cents: Cents | None = None

    @model_validator(mode="before")
    @classmethod
    def _has_a_field_for_ever(cls, raw: Any) -> Any:  # noqa: ANN401 - whatever YAML gave
        if isinstance(raw, dict) and "cents" in raw:
            raise ValueError("what a bot may ever spend is its spending_cap_cents: write it there")
        return raw

    @model_validator(mode="after")
    def _limits_something(self) -> BotCapSection:
        if not self.model_fields_set:
            raise ValueError("must name a limit: day_cents or month_cents")
        return self


class MessageCapSection(Section):
    """`message:`, the same as `max_cost_cents_per_message`; the smaller one holds."""

    cents: Cents


class CapsSection(Section):
    """The whole of `caps:`; null takes a limit of `defaults:` away."""

    bot: BotCapSection | None = None
    user: UserCapSection | None = None
    conversation: CapSection | None = None
    message: MessageCapSection | None = None
    team: CapSection | None = None


def to_caps(section: CapsSection) -> tuple[Cap, ...]:
    """Each limit as a `Cap`."""
    return tuple(cap for per in Per for cap in _caps_of(per, getattr(section, per.value)))


def _caps_of(per: Per, limits: Section | None) -> Iterator[Cap]:
    for period, field in _FIELDS.items():
        amount = _money(getattr(limits, field, None))
        exceptions = _exceptions(limits, field)
        if amount is not None or any(other is not None for other in exceptions.values()):
            yield Cap(per, period, amount, exceptions)


def _exceptions(limits: Section | None, field: str) -> Mapping[str, Money | None]:
    """What users have in place of the limit in this field."""
    if not isinstance(limits, UserCapSection):
        return {}
    return {
        user: None if own is None else _money(getattr(own, field))
        for user, own in limits.except_.items()
        if own is None or field in own.model_fields_set
    }


def _money(cents: int | None) -> Money | None:
    return None if cents is None else from_cents(cents)
