"""How long a recording can be: counted from what it holds, whatever it claims."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.conversations.recordings import LONGEST_S, NotMeasured, Recording, measure
from runner.testing.recordings import OPUS_HEAD, OPUS_TAGS, SILENCE, opus, page, wav

FORMAT = "its length cannot be told from its format"


def seconds(data: bytes) -> int:
    found = measure(data)
    assert isinstance(found, Recording), found
    return found.seconds


def vorbis(packets: int, rate: int = 44_100, blocks: int = 0xB8, granule: int = 0) -> bytes:
    head = b"\x01vorbis" + struct.pack("<IBIiiiBB", 0, 1, rate, 0, 0, 0, blocks, 1)
    file = page([head], 1, 0, 0, 2) + page([b"\x03vorbis", b"\x05vorbis" + bytes(400)], 1, 1, 0)
    return file + page([b"\x00"] * packets, 1, 2, granule, 4)


# ── Opus ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("length", "whole"), [(0.02, 1), (1.0, 1), (1.02, 2), (5.5, 6), (61, 61)])
def test_a_voice_message(length: float, whole: int) -> None:
    found = measure(opus(length))
    assert isinstance(found, Recording)
    assert (found.seconds, found.media_type, found.ending) == (whole, "audio/ogg", "ogg")


def test_a_claim_to_be_short_is_not_believed() -> None:
    assert seconds(opus(30, granule=48_000)) == 30
    assert seconds(opus(30, granule=-1)) == 30


def test_a_claim_to_be_long_counts_too() -> None:
    """A server may bill what the file says."""
    assert seconds(opus(3, granule=90 * 48_000)) == 90


@pytest.mark.parametrize(
    ("packet", "length"),
    [
        (bytes([0 << 3]), 10),
        (bytes([3 << 3]), 60),
        (bytes([11 << 3]), 60),
        (bytes([12 << 3]), 10),
        (bytes([15 << 3]), 20),
        (bytes([16 << 3]), 3),
        (bytes([31 << 3]), 20),
        (bytes([31 << 3 | 1]), 40),
        (bytes([31 << 3 | 2]), 40),
        (bytes([31 << 3 | 3, 0x80 | 6]), 120),
        (bytes([17 << 3 | 3, 24]), 120),
    ],
)
def test_a_packet_says_how_much_it_holds(packet: bytes, length: int) -> None:
    """A thousand of them: their milliseconds are seconds."""
    assert seconds(opus(20, packet=packet, granule=0)) == length


def test_a_packet_over_many_segments_and_pages_counts_once() -> None:
    big = SILENCE + bytes(1_000)
    assert seconds(opus(1, packet=big)) == 1
    start = page([OPUS_HEAD], 7, 0, 0, 2) + page([OPUS_TAGS], 7, 1, 0)
    half = page([bytes([31 << 3]) + bytes(254)], 7, 2, -1)
    cut = half[:26] + b"\x01\xff" + half[29:]
    rest = page([bytes(10)], 7, 3, 960, 1)
    assert seconds(start + cut + rest) == 1
    assert measure(start + cut + page([bytes(10)], 7, 3, 960)) == NotMeasured(FORMAT)


def test_streams_beside_and_behind_one_another_add_up() -> None:
    assert seconds(opus(4, serial=1) + opus(5, serial=2)) == 9
    assert seconds(opus(4, serial=1) + opus(5, serial=1)) == 9
    assert seconds(opus(4) + vorbis(44, granule=3 * 44_100)) == 7
    many = b"".join(opus(0.1, serial=number) for number in range(9))
    assert measure(many) == NotMeasured(FORMAT)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"OggS",
        b"ID3\x04 and so on",
        b"\x00\x00\x00\x20ftypM4A ",
        opus(1)[:-1],
        opus(1) + b"x",
        opus(1).replace(b"OpusHead", b"OpusHood"),
        opus(1, packet=bytes([31 << 3 | 3])),
        page([OPUS_TAGS], 7, 0, 0),
        page([OPUS_HEAD], 7, 0, 0, 3),
        page([OPUS_HEAD], 7, 0, 0, 2) + page([OPUS_TAGS, b""], 7, 1, 960),
        page([b"\x7fFLAC"], 7, 0, 0, 2),
        b"OggS\x01" + opus(1)[5:],
        page([b"\x01vorbis"], 7, 0, 0, 2),
    ],
)
def test_what_is_not_wholly_understood_has_no_length(data: bytes) -> None:
    assert measure(data) == NotMeasured(FORMAT)


def test_what_is_empty_or_too_long() -> None:
    assert measure(page([OPUS_HEAD], 7, 0, 0, 2)) == NotMeasured("it is empty")
    assert measure(opus(1, granule=LONGEST_S * 48_000 + 1)) == NotMeasured("it is longer than 20 minutes")
    assert seconds(opus(1, granule=LONGEST_S * 48_000)) == LONGEST_S


MILLISECONDS = {**dict.fromkeys((0, 4, 8, 12, 14, 18, 22, 26, 30), 10), 3: 60, 10: 40, 16: 2.5, 21: 5, 31: 20}
PACKETS = st.lists(
    st.tuples(st.sampled_from(sorted(MILLISECONDS)), st.integers(0, 48), st.integers(2, 600)), max_size=60
)


@given(PACKETS, st.integers(-1, 48_000 * 60), st.integers(1, 60))
def test_whatever_is_in_it_counts_and_whatever_it_claims(
    packets: list[tuple[int, int, int]], claimed: int, a_page: int
) -> None:
    """Of random packets, each of so many frames of one kind, over several pages."""
    made = [bytes([kind << 3 | 3, frames]) + bytes(size - 2) for kind, frames, size in packets]
    file = page([OPUS_HEAD], 7, 0, 0, 2) + page([OPUS_TAGS], 7, 1, claimed)
    small = min(a_page, 60)
    file += b"".join(page(made[at : at + small], 7, 2, -1) for at in range(0, len(made), small))
    held = sum(48 * MILLISECONDS[kind] * frames for kind, frames, _ in packets)
    expected = -int(-max(held, claimed) // 48_000)
    if expected <= 0:
        assert measure(file) == NotMeasured("it is empty")
    else:
        assert seconds(file) == expected


# ── Vorbis ───────────────────────────────────────────────────────────────────────────────────────────────
def test_vorbis_packets_are_bounded_by_the_larger_block() -> None:
    assert seconds(vorbis(86, granule=1)) == 2  # 86 x 1024 samples of 44.1 kHz: 1.997 s
    assert seconds(vorbis(1, granule=10 * 44_100)) == 10


@pytest.mark.parametrize(("rate", "blocks"), [(0, 0xB8), (10**9, 0xB8), (44_100, 0x8B), (44_100, 0xF8)])
def test_an_odd_head_is_refused(rate: int, blocks: int) -> None:
    assert measure(vorbis(1, rate, blocks)) == NotMeasured(FORMAT)


# ── WAV ──────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (wav(2), 2),
        (wav(2.01), 3),
        (wav(3, 48_000, bits=24, channels=2), 3),
        (wav(1, 8_000, tag=3, bits=32), 1),
        (wav(2).replace(b"data", b"LIST\x03\0\0\0abc\0data"), 2),
    ],
)
def test_plain_samples_are_counted(data: bytes, whole: int) -> None:
    assert seconds(data) == whole


def test_an_extended_format_says_what_it_is_further_on() -> None:
    form = struct.pack("<HHIIHHHHI", 0xFFFE, 1, 8_000, 16_000, 2, 16, 22, 16, 4)
    for kind, known in ((1, True), (2, False)):
        chunk = form + struct.pack("<H", kind) + bytes(14)
        file = b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", len(chunk)) + chunk + b"data\0\0\0\0"
        assert isinstance(measure(file + bytes(16_000)), Recording) is known


def test_the_size_of_the_file_counts_not_what_it_says() -> None:
    honest = wav(5)
    at = honest.index(b"data") + 4
    assert seconds(honest[:at] + struct.pack("<I", 100) + honest[at + 4 :]) == 5


@pytest.mark.parametrize(
    "data",
    [
        wav(1, 100),
        wav(1, tag=0x11),
        wav(1, bits=12),
        wav(1, channels=9),
        wav(1)[:40],
        wav(1)[:11],
        wav(1)[:36],
        b"RIFF\0\0\0\0WAVE" + b"LIST\0\0\0\0" * 30,
        wav(1).replace(b"fmt ", b"fmt?"),
        wav(1)[:12] + b"fmt \x04\0\0\0\0\0\0\0",
        wav(1).replace(b"data", b"fmt \x02\0\0\0\0\0data"),
        wav(1).replace(b"fmt \x10", b"fmt \x02"),
        wav(1).replace(struct.pack("<HH", 2, 16), struct.pack("<HH", 4, 16)),
    ],
)
def test_other_samples_are_not_counted(data: bytes) -> None:
    assert measure(data) == NotMeasured(FORMAT)


@given(st.binary(max_size=300), st.sampled_from([opus(0.1), vorbis(3), wav(0.01)]), st.integers(0, 200))
def test_no_file_makes_it_fall_over(junk: bytes, file: bytes, at: int) -> None:
    for data in (junk, file[:at] + junk, file[:at] + junk + file[at + len(junk) :]):
        assert isinstance(measure(data), Recording | NotMeasured)
