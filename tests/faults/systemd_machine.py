"""A machine of the test's own: Debian with its systemd, in a namespace, thrown away when it is shut down.

the root      debootstrap's, made once and kept ($BOTRUNNER_SYSTEMD_ROOT); each boot has an overlay of its own
inside        /opt/src: this checkout    /opt/site: the packages of this Python    /opt/out: what is found out
drive.timer   runs `python -m tests.faults.systemd_drive` and shuts down
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv,ca-certificates"
RELEASE, ITS_PYTHON = "bookworm", (3, 11)
BOOT_WITHIN_S = 600

BOOT = """
mount --make-rprivate /
umount --recursive /sys/fs/cgroup 2>/dev/null
mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit 97
exec "$@"
"""
"""nspawn wants a pure cgroup2; with a mount namespace of its own it gets one, whatever the machine has."""

TIMER = "[Timer]\nOnActiveSec=1s\nAccuracySec=100ms\n"
SERVICE = """[Service]
Type=oneshot
TimeoutStartSec=9min
KillMode=process
WorkingDirectory=/opt/src
StandardOutput=append:/opt/out/log
StandardError=append:/opt/out/log
ExecStart=/usr/bin/python3 -m tests.faults.systemd_slots
ExecStart=/opt/botrunner/a/bin/python -B -m tests.faults.systemd_drive
ExecStopPost=/bin/sh -c 'journalctl --output=cat --unit=botrunner > /opt/out/journal'
ExecStopPost=/bin/sh -c 'systemctl --no-block poweroff 2>/dev/null'
"""


def why_not() -> str:
    """Why there can be no such machine here; empty where there can."""
    if os.environ.get("BOTRUNNER_SYSTEMD") != "1":
        return "boots a real systemd, which takes a minute: BOTRUNNER_SYSTEMD=1 asks for it"
    if os.geteuid() != 0:
        return "a real systemd is booted by root only"
    missing = [name for name in ("systemd-nspawn", "debootstrap", "unshare") if shutil.which(name) is None]
    if missing:
        return f"no {', no '.join(missing)} here (Debian: apt-get install systemd-container debootstrap)"
    if sys.version_info[:2] != ITS_PYTHON:
        return f"{RELEASE} has Python {'.'.join(map(str, ITS_PYTHON))}, and this is another"
    return "" if _root().exists() or _made() else f"debootstrap could not fetch {RELEASE}: no network?"


def boot(out: Path) -> str:
    """Boot it, let the drive go, shut down; what the drive said."""
    _furnish()
    command = [
        *("unshare", "--mount", "sh", "-c", BOOT, "boot"),
        *("systemd-nspawn", "--quiet", f"--directory={_root()}", "--volatile=overlay", "--boot"),
        *("--register=no", "--keep-unit", "--console=pipe", "--link-journal=no", f"--bind={out}:/opt/out"),
        *(f"--bind-ro={ROOT}:/opt/src", f"--bind-ro={_packages()}:/opt/site"),
    ]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BOOT_WITHIN_S, check=False
    )
    log = out / "log"
    return (
        log.read_text()
        if log.exists()
        else f"it did not boot: {done.returncode}\n{done.stdout}\n{done.stderr}"
    )


def _root() -> Path:
    kept = Path(tempfile.gettempdir()) / f"botrunner-{RELEASE}"
    return Path(os.environ.get("BOTRUNNER_SYSTEMD_ROOT", kept))


def _packages() -> Path:
    return Path(sys.prefix) / "lib" / "python{}.{}".format(*ITS_PYTHON) / "site-packages"


def _made() -> bool:
    """Make the root; a half-made one is never in its place."""
    fresh = _root().with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE, str(fresh)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        return False
    fresh.rename(_root())
    return True


def _furnish() -> None:
    """What is ours in it."""
    units = _root() / "etc/systemd/system"
    (units / "drive.timer").write_text(TIMER)
    (units / "drive.service").write_text(SERVICE)
    wanted = units / "timers.target.wants/drive.timer"
    wanted.parent.mkdir(exist_ok=True)
    wanted.unlink(missing_ok=True)
    wanted.symlink_to("../drive.timer")
    for folder in ("src", "site", "out"):
        (_root() / "opt" / folder).mkdir(parents=True, exist_ok=True)
