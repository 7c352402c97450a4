"""The units: systemd itself finds nothing wrong with them, their sandbox is as tight as it is said, and explained."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runner.cli.service import shipped_units
from runner.cli.service_plan import rendered
from runner.config.settings import ServerSettings

UNITS = ("botrunner.service", "botrunner@.service", "user/botrunner.service")
MACHINES = UNITS[:2]
TIGHTEST_PROMISED = 15
"""Tenths of systemd's exposure level."""
OWN = {  # what an instance has to itself
    "Description",
    "ExecStart",
    "User",
    "StateDirectory",
    "ConfigurationDirectory",
    "WorkingDirectory",
    "EnvironmentFile",
    "LoadCredential",
}

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="no systemd-analyze here (Debian: apt-get install systemd)",
)


def settings(unit: str) -> list[tuple[str, str]]:
    """Its settings, in order."""
    text = (shipped_units() / unit).read_text()
    return re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)


@pytest.fixture
def written(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The unit as it is installed, for a program that is here."""
    name = str(request.param)
    program = tmp_path / "bin/botrunner"
    program.parent.mkdir()
    program.symlink_to(sys.executable)
    unit = tmp_path / Path(name).name
    unit.write_text(rendered((shipped_units() / name).read_text(), program, system=False))
    return unit


@needs_systemd
@pytest.mark.parametrize("written", UNITS, indirect=True)
def test_systemd_understands_all_of_it(written: Path) -> None:
    """Older systemds do not know every setting of newer ones: a warning fails here, too."""
    command = [
        "systemd-analyze",
        "verify",
        "--man=no",
        *(["--user"] if "%E" in written.read_text() else []),
        str(written),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    own = [line for line in done.stderr.splitlines() if "botrunner" in line]
    assert own == []


@needs_systemd
@pytest.mark.parametrize("written", MACHINES, indirect=True)
def test_the_sandbox_is_as_tight_as_promised(written: Path) -> None:
    command = [
        "systemd-analyze",
        "security",
        "--offline=true",
        f"--threshold={TIGHTEST_PROMISED}",
        str(written),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


def test_an_instance_differs_in_what_is_its_own_only() -> None:
    one, several = ([(key, value) for key, value in settings(unit) if key not in OWN] for unit in MACHINES)
    assert one == several
    for key, value in settings("botrunner@.service"):
        if key in OWN - {"LoadCredential"}:
            assert "%i" in value, key


@pytest.mark.parametrize("unit", UNITS)
def test_each_line_is_explained(unit: str) -> None:
    explained = (shipped_units() / "README.md").read_text()
    missing = {key for key, _ in settings(unit) if f"`{key}" not in explained}
    assert not missing


@pytest.mark.parametrize("unit", UNITS)
def test_what_the_daemon_relies_on(unit: str) -> None:
    said = dict(settings(unit))
    assert said["Type"] == "notify"
    assert "1" in said["RestartPreventExitStatus"].split(), "a faulty file is not tried again and again"
    assert float(said["TimeoutStopSec"].removesuffix("s")) >= ServerSettings().stop_timeout_s + 30
    assert said["Documentation"].startswith("file:"), "a page that is there, and not a man page that is not"


@pytest.mark.parametrize("drop_in", sorted(path.name for path in (shipped_units() / "drop-ins").iterdir()))
def test_drop_ins_are_told_of(drop_in: str) -> None:
    assert drop_in in (shipped_units() / "README.md").read_text()
