"""What there is to do to make botrunner a service of systemd, or to take it away again, as a list of steps.

Rules: planning changes nothing, so the same steps are shown by --dry-run and done without it; doing them twice is
doing them once; a person's own file (bots.yaml, drop-ins, data) is never written over, and removed on request only.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.config.files import replace_file
from runner.errors import OperatorError

NAME = "botrunner.service"
TEMPLATE = "botrunner@.service"
INSTANCES = "botrunner@*.service"
SHIPPED_HOME = "/opt/botrunner/current"
"""The installation that the shipped units speak of."""
_PLAIN = re.compile(r"[\w./@+-]+")
_HIDDEN_FROM_SERVICES = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - places, not files


@dataclass(frozen=True, slots=True)
class Place:
    """Where a kind of service lives.

    Attributes:
        units: systemd's folder of unit files.
        config: the folder of bots.yaml.
        systemctl: how to speak to the manager.
        names: the unit files.
        data: patterns of what the daemon wrote; only `--purge` touches it.
    """

    units: Path
    config: Path
    systemctl: tuple[str, ...]
    names: tuple[str, ...]
    data: tuple[Path, ...]
    journalctl: tuple[str, ...] = ("journalctl",)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that is to be there."""

    path: Path

    def __str__(self) -> str:
        return f"folder  {self.path}"


@dataclass(frozen=True, slots=True)
class File:
    """A file that is to be there with this text; with `keep`, whatever is in it already stays."""

    path: Path
    text: str
    keep: bool = False

    def __str__(self) -> str:
        return f"file    {self.path}{' (if there is none)' if self.keep else ''}"


@dataclass(frozen=True, slots=True)
class Command:
    """A command to run; with `may_fail`, whether it works is not our business."""

    words: tuple[str, ...]
    may_fail: bool = False

    def __str__(self) -> str:
        return f"run     {' '.join(self.words)}"


@dataclass(frozen=True, slots=True)
class Gone:
    """A file, link or folder that is not to be there."""

    path: Path

    def __str__(self) -> str:
        return f"remove  {self.path}"


Step = Folder | File | Command | Gone
Run = Callable[[Sequence[str]], str | None]
"""Runs a command; what went wrong, or None."""


def system_place(root: Path = Path("/")) -> Place:
    """The machine's own services."""
    return Place(
        units=root / "etc/systemd/system",
        config=root / "etc/botrunner",
        systemctl=("systemctl",),
        names=(NAME, TEMPLATE),
        data=(
            root / "var/lib/botrunner",
            root / "var/lib/botrunner-*",
            root / "var/lib/private/botrunner",
            root / "var/lib/private/botrunner-*",
        ),
        journalctl=("journalctl", "--unit", "botrunner"),
    )


def user_place(environ: Mapping[str, str]) -> Place:
    """The services of one person.

    Raises:
        OperatorError: HOME is not set.
    """
    home = environ.get("HOME")
    if not home:
        raise OperatorError("$HOME is not set", "a person's services live there")
    config = Path(environ.get("XDG_CONFIG_HOME") or Path(home) / ".config")
    return Place(
        units=config / "systemd/user",
        config=config / "botrunner",
        systemctl=("systemctl", "--user"),
        names=(NAME,),
        data=(Path(home) / ".local/state/botrunner",),
        journalctl=("journalctl", "--user", "--unit", "botrunner"),
    )


def install_steps(place: Place, units: Mapping[str, str], first_config: str, *, start: bool) -> list[Step]:
    """Install, or bring up to date; with `start` the daemon is (re)started.

    Args:
        units: the text of each unit, by its name, as `rendered` gives it.
        first_config: a bots.yaml for where there is none.
    """
    steps: list[Step] = [
        Folder(place.config),
        Folder(place.config / "credentials"),
        File(place.config / "bots.yaml", first_config, keep=True),
        Folder(place.units),
        *(File(place.units / name, text) for name, text in units.items()),
        Command((*place.systemctl, "daemon-reload")),
        Command((*place.systemctl, "enable", NAME)),
    ]
    if start:
        steps.append(Command((*place.systemctl, "restart", NAME)))
        if TEMPLATE in place.names:
            steps.append(Command((*place.systemctl, "try-restart", INSTANCES), may_fail=True))
    return steps


def uninstall_steps(place: Place, *, purge: bool) -> list[Step]:
    """Stop the service and take its units away; with `purge` the configuration and all data, too."""
    steps: list[Step] = [Command((*place.systemctl, "disable", "--now", NAME), may_fail=True)]
    if TEMPLATE in place.names:
        steps.append(Command((*place.systemctl, "stop", INSTANCES), may_fail=True))
        steps += [Gone(link) for link in sorted(place.units.glob(f"*.wants/{INSTANCES}"))]
    steps += [Gone(place.units / name) for name in place.names]
    if purge:
        kept = [*place.units.glob("botrunner*.service.d"), place.config]
        kept += [path for data in place.data for path in data.parent.glob(data.name)]
        steps += [Gone(path) for path in sorted(kept)]
    steps.append(Command((*place.systemctl, "daemon-reload")))
    steps.append(Command((*place.systemctl, "reset-failed", NAME), may_fail=True))
    return steps


def rendered(unit: str, program: Path, *, system: bool) -> str:
    """A shipped unit for the botrunner that is installed at `program` (…/bin/botrunner).

    Raises:
        OperatorError: a path that a unit cannot name, or that the service could not see.
    """
    if not _PLAIN.fullmatch(str(program)):
        raise OperatorError(
            f"{program} cannot stand in a unit", "install botrunner where no name has a space or a %"
        )
    if system:
        refuse_hidden(program, "botrunner")
    return unit.replace(SHIPPED_HOME, str(program.parent.parent))


def refuse_hidden(path: Path, what: str) -> None:
    """Raises OperatorError where a hardened service could not see that path."""
    place = next((place for place in _HIDDEN_FROM_SERVICES if path.is_relative_to(place)), None)
    if place is not None:
        raise OperatorError(
            f"{what} is at {path}, and {place} is hidden from the service",
            "`make install` puts it to /opt/botrunner, with the system's own Python",
        )


def do(steps: Sequence[Step], run: Run) -> None:
    """Do the steps, one after the other.

    Raises:
        OperatorError: one could not be done; those before it stay done.
    """
    for step in steps:
        try:
            match step:
                case Folder(path):
                    path.mkdir(parents=True, exist_ok=True)
                case File(path, text, keep):
                    _write(path, text, keep=keep)
                case Gone(path):
                    _remove(path)
                case Command(words, may_fail):
                    why = run(words)
                    if why is not None and not may_fail:
                        raise OperatorError(f"`{' '.join(words)}` failed: {why}")
        except OSError as error:
            raise OperatorError(f"{error.filename or step}: {error.strerror}") from None


def run_command(words: Sequence[str]) -> str | None:
    """Run it; what it said where it failed, else None."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=600)  # noqa: S603 - our own words
    except FileNotFoundError:
        return "there is no such command: is systemd on this machine?"
    except subprocess.TimeoutExpired:
        return "it did not end within ten minutes"
    if done.returncode == 0:
        return None
    return " ".join(done.stderr.split()) or f"exit status {done.returncode}"


def _write(path: Path, text: str, *, keep: bool) -> None:
    if path.exists() and (keep or path.read_text(encoding="utf-8") == text):
        return
    replace_file(path, text.encode(), 0o644)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def is_root() -> bool:
    """Whether we may change the machine's services."""
    return os.geteuid() == 0
