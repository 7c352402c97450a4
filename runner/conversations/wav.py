"""How long a WAV recording of plain samples can be. Pure.

Rule: its samples are counted from the size of the file, not from what its chunks say of themselves; only
plain whole-number or float samples, since only those have one size.
"""

from __future__ import annotations

import struct

from runner.conversations.ogg import US_PER_S, NotUnderstood

_RIFF = struct.Struct("<4sI4s")
_CHUNK = struct.Struct("<4sI")
_FORMAT = struct.Struct("<HHIIHH")
_PLAIN, _FLOAT, _EXTENDED = 1, 3, 0xFFFE
_SUBFORMAT_AT = 24
_BITS = {_PLAIN: (8, 16, 24, 32), _FLOAT: (32, 64)}
_RATES = range(8_000, 192_001)
_CHANNELS = range(1, 9)
_MOST_CHUNKS = 20


def wav_length_us(data: bytes) -> int:
    """The most that this file can last, in microseconds.

    Raises:
        NotUnderstood: no WAV file of plain samples.
    """
    if len(data) < _RIFF.size or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise NotUnderstood("no WAV file")
    at, bytes_a_second = _RIFF.size, 0
    for _ in range(_MOST_CHUNKS):
        if len(data) - at < _CHUNK.size:
            break
        name, size = _CHUNK.unpack_from(data, at)
        at += _CHUNK.size
        if name == b"data" and bytes_a_second:
            return -(-(len(data) - at) * US_PER_S // bytes_a_second)
        if name == b"fmt ":
            if bytes_a_second:
                raise NotUnderstood("two formats")
            bytes_a_second = _bytes_a_second(data[at : at + size])
        at += size + size % 2
    raise NotUnderstood("no samples")


def _bytes_a_second(chunk: bytes) -> int:
    if len(chunk) < _FORMAT.size:
        raise NotUnderstood("a format cut short")
    tag, channels, rate, _, block, bits = _FORMAT.unpack_from(chunk)
    if tag == _EXTENDED and len(chunk) >= _SUBFORMAT_AT + 2:
        tag = int.from_bytes(chunk[_SUBFORMAT_AT : _SUBFORMAT_AT + 2], "little")
    known = bits in _BITS.get(tag, ()) and rate in _RATES and channels in _CHANNELS
    if not known or block != channels * bits // 8:
        raise NotUnderstood("no plain samples")
    return int(rate * block)
