"""The daemon's sign: there in one step, gone with its daemon, never another's."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.presence import FILE, Presence, read_presence


def presence(folder: Path, pid: int = 7) -> Presence:
    return Presence(folder, pid, "http://127.0.0.1:8080", "2026-11-22T10:00:00.000Z")


def test_what_is_announced_can_be_read(tmp_path: Path) -> None:
    presence(tmp_path).announce()
    assert read_presence(tmp_path) == presence(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [FILE]
    presence(tmp_path, 8).announce()
    assert read_presence(tmp_path) == presence(tmp_path, 8)


def test_it_goes_with_its_daemon_and_not_with_another(tmp_path: Path) -> None:
    presence(tmp_path, 8).announce()
    presence(tmp_path, 7).withdraw()
    assert read_presence(tmp_path) == presence(tmp_path, 8)
    for _ in range(2):
        presence(tmp_path, 8).withdraw()
        assert read_presence(tmp_path) is None


def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(OSError, match="directory"):
        presence(tmp_path).announce()
    assert [file.name for file in tmp_path.iterdir()] == [FILE]
    with pytest.raises(OSError, match="No such file"):
        presence(tmp_path / "nowhere").announce()


def test_one_that_cannot_be_removed_does_not_keep_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    presence(tmp_path).announce()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "no")

    monkeypatch.setattr(Path, "unlink", refuse)
    presence(tmp_path).withdraw()
    assert read_presence(tmp_path) == presence(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        "null",
        '{"pid": 7}',
        '{"pid": "x", "url": "u", "started_at": "s"}',
        '{"pid": Infinity, "url": "u", "started_at": "s"}',
        '{"pid": [], "url": "u", "started_at": "s"}',
        "[" * 100_000,
    ],
)
def test_what_cannot_be_read_is_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert read_presence(tmp_path) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.binary(max_size=40)
    | st.dictionaries(
        st.sampled_from(["pid", "url", "started_at"]),
        st.none() | st.floats() | st.text(max_size=3) | st.integers(),
    ).map(lambda raw: json.dumps(raw).encode())
)
def test_whatever_is_there_it_is_read_or_it_is_nobody(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    found = read_presence(tmp_path)
    assert found is None or isinstance(found.pid, int)
