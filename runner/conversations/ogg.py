"""How long an Ogg recording of Opus or Vorbis can be: its pages and packets, walked. Pure.

    page     "OggS", flags, granule position, serial, lacing values, then the bytes of its packets
    Opus     each packet says by its first bytes how much it holds; header packets: 2
    Vorbis   a packet holds at most half of the larger block size; header packets: 3

Rules: the granule position at the end is a claim of whoever wrote the file; what the packets hold is what a
decoder makes of them. The larger of the two counts. Streams beside or behind one another add up. What is not
wholly understood (a gap, a page cut short, another codec) has no length here. Lengths are whole microseconds,
rounded up.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

_PAGE = struct.Struct("<4sBBqIIIB")
_CONTINUED, _FIRST = 1, 2
_MOST_STREAMS = 8
_WHOLE = 255
"""A lacing value after which the packet goes on."""
US_PER_S = 1_000_000
_OPUS_RATE = 48_000
_OPUS_HEADERS, _VORBIS_HEADERS = 2, 3
_VORBIS_HEAD = struct.Struct("<7sIBIiiiB")
_BLOCKS = range(6, 14)
_RATES = range(8_000, 192_001)
_SILK = (480, 960, 1_920, 2_880)
_HYBRID = (480, 960)
_CELT = (120, 240, 480, 960)
_FIRST_HYBRID, _FIRST_CELT = 12, 16
_COUNTED = 3
"""The code of an Opus packet whose second byte counts its frames."""


class NotUnderstood(ValueError):
    """Nothing can be said about the length of this file."""


@dataclass(slots=True)
class _Stream:
    """One logical stream while its pages come in. `packet_samples` None: each Opus packet is asked."""

    rate: int
    headers: int
    packet_samples: int | None
    samples: int = 0
    granule: int = 0
    open: bool = False

    @property
    def length_us(self) -> int:
        return -(-max(self.samples, self.granule) * US_PER_S // self.rate)


@dataclass(slots=True)
class _Walk:
    """All streams: `live` by serial number, those that others replaced in `over`."""

    live: dict[int, _Stream] = field(default_factory=dict)
    over_us: int = 0

    @property
    def length_us(self) -> int:
        return self.over_us + sum(stream.length_us for stream in self.live.values())


def ogg_length_us(data: bytes, longest_us: int) -> int:
    """The most that this file can last, in microseconds; the walk ends where it is past `longest_us`.

    Raises:
        NotUnderstood: no Ogg file of Opus or Vorbis, or one with faults.
    """
    walk, at = _Walk(), 0
    while at < len(data):
        at = _page(data, at, walk)
        if walk.length_us > longest_us:
            break
    return walk.length_us


def _page(data: bytes, at: int, walk: _Walk) -> int:
    """Take one page; returns where the next begins."""
    if len(data) - at < _PAGE.size:
        raise NotUnderstood("a page is cut short")
    granule: int
    magic, version, flags, granule, serial, _, _, count = _PAGE.unpack_from(data, at)
    if magic != b"OggS" or version != 0:
        raise NotUnderstood("no page where one should be")
    lacing = data[at + _PAGE.size : at + _PAGE.size + count]
    body = at + _PAGE.size + count
    end: int = body + sum(lacing)
    if end > len(data):
        raise NotUnderstood("a page is cut short")
    if flags & _FIRST:
        _begin(data[body:end], serial, walk)
    stream = walk.live.get(serial)
    if stream is None or bool(flags & _CONTINUED) != stream.open:
        raise NotUnderstood("a page of no known stream")
    _packets(data, body, lacing, stream)
    stream.granule = max(stream.granule, granule)
    return end


def _begin(head: bytes, serial: int, walk: _Walk) -> None:
    """A stream begins with the packet that says what it is."""
    replaced = walk.live.pop(serial, None)
    if replaced is not None:
        walk.over_us += replaced.length_us
    if len(walk.live) == _MOST_STREAMS:
        raise NotUnderstood("too many streams")
    walk.live[serial] = _vorbis(head) if head.startswith(b"\x01vorbis") else _opus(head)


def _opus(head: bytes) -> _Stream:
    if not head.startswith(b"OpusHead"):
        raise NotUnderstood("neither Opus nor Vorbis")
    return _Stream(_OPUS_RATE, _OPUS_HEADERS, None)


def _vorbis(head: bytes) -> _Stream:
    if len(head) < _VORBIS_HEAD.size:
        raise NotUnderstood("a head is cut short")
    _, _, _, rate, _, _, _, blocks = _VORBIS_HEAD.unpack_from(head)
    larger = blocks >> 4
    if rate not in _RATES or larger not in _BLOCKS or blocks & 15 not in range(6, larger + 1):
        raise NotUnderstood("an odd head")
    return _Stream(rate, _VORBIS_HEADERS, 1 << (larger - 1))


def _packets(data: bytes, at: int, lacing: bytes, stream: _Stream) -> None:
    """Count the packets that begin on this page."""
    for length in lacing:
        if not stream.open:
            if stream.headers:
                stream.headers -= 1
            else:
                known = stream.packet_samples
                stream.samples += _opus_samples(data, at, length) if known is None else known
        stream.open = length == _WHOLE
        at += length


def _opus_samples(data: bytes, at: int, length: int) -> int:
    """What an Opus packet holds, in samples of 48 kHz; `length`: how much of it is on this page."""
    if length == 0:
        raise NotUnderstood("an empty packet")
    kind, code = data[at] >> 3, data[at] & 3
    if kind < _FIRST_HYBRID:
        samples = _SILK[kind % 4]
    elif kind < _FIRST_CELT:
        samples = _HYBRID[kind % 2]
    else:
        samples = _CELT[kind % 4]
    if code < _COUNTED:
        return samples if code == 0 else 2 * samples
    if length == 1:
        raise NotUnderstood("a packet without its count")
    return (data[at + 1] & 63) * samples
