"""`schedule:` of a bot: files of prompts that are handed in as batches, by the clock.

schedule:
  - {name: digest, at: "02:30", prompts: prompts/digest.jsonl}     # each day, UTC
  - {name: inbox, every: 6h, prompts: prompts/inbox.jsonl}         # 00:00, 06:00, 12:00 and 18:00 UTC
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, model_validator

from runner.bots import Schedule
from runner.clock import MS_PER_DAY
from runner.config.fields import Section

_MS_PER_MINUTE = 60_000
_UNITS = {"m": _MS_PER_MINUTE, "h": 60 * _MS_PER_MINUTE, "d": MS_PER_DAY}
_EVERY = re.compile(r"([1-9][0-9]{0,3})([mhd])")
SHORTEST_MS = 5 * _MS_PER_MINUTE
LONGEST_MS = 31 * MS_PER_DAY


class ScheduleSection(Section):
    """One entry of `schedule:`: `at` a time of day, or `every` so often."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    at: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] | None = None
    every: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,3}[mhd]$")] | None = None
    prompts: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _when(self) -> ScheduleSection:
        if (self.at is None) == (self.every is None):
            raise ValueError('needs either at: "HH:MM" (UTC) or every: 6h')
        if self.every is not None and not SHORTEST_MS <= _length(self.every) <= LONGEST_MS:
            raise ValueError("every must be from 5m to 31d")
        return self


def to_schedule(section: ScheduleSection) -> Schedule:
    """As the rest works with it."""
    if section.every is not None:
        return Schedule(section.name, section.prompts, _length(section.every))
    hours, minutes = (section.at or "00:00").split(":")
    offset = (int(hours) * 60 + int(minutes)) * _MS_PER_MINUTE
    return Schedule(section.name, section.prompts, MS_PER_DAY, offset)


def _length(text: str) -> int:
    found = _EVERY.fullmatch(text)
    return 0 if found is None else int(found[1]) * _UNITS[found[2]]
