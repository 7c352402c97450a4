"""A desk in a folder of its own, with no daemon and no state from elsewhere."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli.admin import AdminDouble
from tests.unit.cli.desk import Desk


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BOTRUNNER_STATE", str(tmp_path / "state"))
    for name in ("BOTRUNNER_CONFIG", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    return Desk(tmp_path, capsys, monkeypatch)


@pytest.fixture
def admin(desk: Desk) -> Iterator[AdminDouble]:
    with AdminDouble(desk.state) as double:
        yield double
