"""Files of speech without speech: Ogg pages and WAV chunks, put together by hand, as right or as wrong as wanted."""

from __future__ import annotations

import struct
from collections.abc import Sequence

SILENCE = b"\xf8\xff\xfe"
"""An Opus packet of 20 ms."""
OPUS_HEAD = b"OpusHead\x01\x01" + struct.pack("<HIhB", 312, 48_000, 0, 0)
OPUS_TAGS = b"OpusTags" + struct.pack("<II", 0, 0)
_PACKETS_A_SECOND = 50
_PACKETS_A_PAGE = 50
_SAMPLES = 960
_POLYNOMIAL = 0x04C11DB7
_FIRST, _LAST = 2, 4


def opus(seconds: float, *, serial: int = 7, packet: bytes = SILENCE, granule: int | None = None) -> bytes:
    """A voice message as phones make it: so many seconds of `packet`, a page a second.

    `granule`: what the last page claims, in samples of 48 kHz, the others nothing; None: all tell the truth.
    """
    count = round(seconds * _PACKETS_A_SECOND)
    file = page([OPUS_HEAD], serial, 0, 0, _FIRST) + page([OPUS_TAGS], serial, 1, 0)
    for number, start in enumerate(range(0, count, _PACKETS_A_PAGE), 2):
        packets = [packet] * min(_PACKETS_A_PAGE, count - start)
        end = start + len(packets)
        last = end == count
        claimed = end * _SAMPLES if granule is None else granule if last else -1
        file += page(packets, serial, number, claimed, _LAST if last else 0)
    return file


def page(packets: Sequence[bytes], serial: int, number: int, granule: int, flags: int = 0) -> bytes:
    """One Ogg page of whole packets, its checksum right."""
    lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    head = struct.pack("<4sBBqIII", b"OggS", 0, flags, granule, serial, number, 0)
    whole = head + bytes([len(lacing)]) + lacing + b"".join(packets)
    return whole[:22] + struct.pack("<I", checksum(whole)) + whole[26:]


def checksum(data: bytes) -> int:
    """The CRC of an Ogg page whose own field is zero."""
    crc = 0
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1) ^ (_POLYNOMIAL if crc & 0x8000_0000 else 0)
        crc &= 0xFFFF_FFFF
    return crc


def wav(seconds: float, rate: int = 16_000, *, tag: int = 1, bits: int = 16, channels: int = 1) -> bytes:
    """Silence as plain samples."""
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits)
    samples = bytes(round(seconds * rate) * block)
    chunks = (
        b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(samples)) + samples
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
