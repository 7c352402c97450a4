"""What Meta's error codes mean for a message. Pure.

| meaning      | codes                                     | what becomes of the message                        |
|--------------|-------------------------------------------|----------------------------------------------------|
| USER_PACE    | 131056                                    | later: 1 in 6 s to one user                        |
| BOT_PACE     | 4, 80007, 130429, 131048                  | later, and the whole bot waits                     |
| AWAY         | 2, 131016, 131057, 133004                 | later: Meta says that it could not take it         |
| CREDENTIALS  | 0, 3, 10, 33, 190, 200–299, 368, 131005,  | later, and a person must act: token, permission,   |
|              | 131031, 131042, 131045, 133010            | account, payment                                   |
| UNCLEAR      | 1, 131000                                 | unknown: «something went wrong»                    |
| REFUSED      | all others: 100, 131026, 131047 …         | rejected, with Meta's words                        |
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

LONGEST_WHY = 300


class Meaning(StrEnum):
    """See the table above."""

    USER_PACE = "user_pace"
    BOT_PACE = "bot_pace"
    AWAY = "away"
    CREDENTIALS = "credentials"
    UNCLEAR = "unclear"
    REFUSED = "refused"


_MEANINGS = {
    Meaning.USER_PACE: frozenset({131056}),
    Meaning.BOT_PACE: frozenset({4, 80007, 130429, 131048}),
    Meaning.AWAY: frozenset({2, 131016, 131057, 133004}),
    Meaning.CREDENTIALS: frozenset(
        {0, 3, 10, 33, 190, 368, 131005, 131031, 131042, 131045, 133010, *range(200, 300)}
    ),
    Meaning.UNCLEAR: frozenset({1, 131000}),
}
_SECONDS = {
    Meaning.USER_PACE: 6.0,
    Meaning.BOT_PACE: 5.0,
    Meaning.CREDENTIALS: 60.0,
}
_LONGER_WINDOW_S = 60.0
_LONG_WINDOWS = frozenset({4, 80007, 131048})
"""Counted by the hour and not by the second."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as Meta tells it."""

    code: int
    text: str

    @property
    def meaning(self) -> Meaning:
        """What is to be done about it."""
        return next((meaning for meaning, codes in _MEANINGS.items() if self.code in codes), Meaning.REFUSED)

    @property
    def wait_s(self) -> float | None:
        """Seconds to wait where Meta does not say; None: our own back-off."""
        return _LONGER_WINDOW_S if self.code in _LONG_WINDOWS else _SECONDS.get(self.meaning)

    def __str__(self) -> str:
        return f"{self.text} ({self.code})"


def fault_of(raw: Any) -> Fault:  # noqa: ANN401 - whatever the platform sent
    """Read one error. Raises KeyError, TypeError or ValueError where it is none."""
    code = raw["code"]
    if isinstance(code, bool) or not isinstance(code, int):
        raise TypeError("a code is no number")
    data = raw.get("error_data")
    details = data.get("details") if isinstance(data, dict) else None
    said = next((text for text in (raw.get("message"), raw.get("title")) if isinstance(text, str)), "")
    said = said.removeprefix(f"(#{code}) ")
    if isinstance(details, str) and details not in said:
        said = f"{said}: {details}" if said else details
    return Fault(code, " ".join(said.split())[:LONGEST_WHY] or "no words")
