"""A recording: what somebody said, as a file whose length is known. Pure.

Rule: money is held for a recording by its seconds, so a file counts as a recording only where its length is
bounded by what it holds, never by what it claims. That leaves Ogg (Opus, Vorbis) and WAV; MP3 and MP4 tell
their length in a field that anybody can write.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from runner.conversations.ogg import US_PER_S, NotUnderstood, ogg_length_us
from runner.conversations.wav import wav_length_us

LONGEST_S = 20 * 60


@dataclass(frozen=True, slots=True)
class Recording:
    """A file of speech.

    Attributes:
        seconds: the most that it lasts, rounded up to whole seconds, 1 at least.
        ending: what its file's name ends in, by which servers know the format.
    """

    data: bytes = field(repr=False)
    media_type: str
    ending: str
    seconds: int


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """Why a file is no recording: a few words for a person."""

    why: str


def measure(data: bytes) -> Recording | NotMeasured:
    """Find out how long a file of speech is. Takes up to a second for megabytes made in bad faith."""
    try:
        if data.startswith(b"OggS"):
            length, media_type, ending = ogg_length_us(data, LONGEST_S * US_PER_S), "audio/ogg", "ogg"
        else:
            length, media_type, ending = wav_length_us(data), "audio/wav", "wav"
    except NotUnderstood:
        return NotMeasured("its length cannot be told from its format")
    seconds = -(-length // US_PER_S)
    if seconds > LONGEST_S:
        return NotMeasured(f"it is longer than {LONGEST_S // 60} minutes")
    if seconds == 0:
        return NotMeasured("it is empty")
    return Recording(data, media_type, ending, seconds)
