"""Inside the machine: botrunner as its service, and everything that systemd can do to it, step by step.

Each step is a function that blocks until it is over; what it promises is asserted in it.
"""

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from runner.testing.model_server import ModelServer
from tests.faults.reckoning import PRICES

SOURCE = Path(__file__).parents[2]
CONFIG = Path("/etc/botrunner/bots.yaml")
STATE = Path("/var/lib/private/botrunner")
CURRENT = Path("/opt/botrunner/current")
DROP_INS = Path("/etc/systemd/system/botrunner.service.d")
PATIENCE_S = 120.0
SECRET = "the shop's own secret"
BOTS = f"""
server: {{port: 8765}}
providers: {{house: {{kind: openai, base_url: MODEL/v1, api_key: key}}}}
{PRICES}
defaults:
  platform: custom
  llm_provider: house
  llm_model: m
  max_tokens_per_turn: 300
  spending_cap_cents: 100000
  rate_limit_per_minute: null
  system_prompt: You help.
bots:
  asked:
    platform_config: {{secret: "${{credential:bots_shop}}"}}
  posted:
    platform_config: {{secret: "${{credential:bots_shop}}", reply_url: BACK}}
"""


def systemctl(*words: str) -> str:
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def shown(name: str) -> str:
    return systemctl("show", "botrunner", "--value", f"--property={name}")


def until(what: str, true: Callable[[], bool]) -> None:
    """Wait until it is so."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, (
            f"not in time: {what}; {systemctl('status', 'botrunner', '--no-pager')}"
        )
        time.sleep(0.05)
    print(f"so it is: {what}", flush=True)


def install() -> None:
    """What `make install` does with a new slot, as often as it likes."""
    program = CURRENT / "bin/botrunner"
    command: list[str | Path] = [program, "install-service", "--system", "--program", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def starts() -> None:
    install()
    assert (state := shown("ActiveState")) == "active", (
        f"restart comes back when it is ready, and not {state}"
    )
    until("2 bots are up", lambda: shown("StatusText").startswith("2 bots up"))
    assert shown("StatusText").endswith(" USD today")
    pid = int(shown("MainPID"))
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    assert status["Uid"].split()[0] not in {"0", ""}, "a user of its own"
    assert status["CapBnd"] == "0" * 16
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    print("RSS:", status["VmRSS"])


def reloads() -> None:
    pid = shown("MainPID")
    good = CONFIG.read_text()
    CONFIG.write_text(good + '  third: {platform_config: {secret: "${credential:bots_shop}"}}\n')
    systemctl("reload", "botrunner")
    until("3 bots are up", lambda: shown("StatusText").startswith("3 bots up"))
    CONFIG.write_text(good + "  third: {llm_modle: m}\n")
    systemctl("reload", "botrunner")
    until("the fault is told", lambda: "bots.yaml" in shown("StatusText"))
    assert shown("ActiveState") == "active"
    CONFIG.write_text(good)
    systemctl("reload", "botrunner")
    until("2 bots are up again", lambda: shown("StatusText").startswith("2 bots up"))
    assert shown("MainPID") == pid, "a reload is no restart"
    assert shown("NRestarts") == "0"


def is_killed() -> None:
    systemctl("kill", "--signal=KILL", "botrunner")
    until("it was started again", lambda: shown("NRestarts") == "1" and shown("ActiveState") == "active")


def gets_stuck() -> None:
    os.kill(int(shown("MainPID")), signal.SIGUSR1)
    until("the watchdog bit", lambda: shown("NRestarts") == "2" and shown("ActiveState") == "active")
    said = subprocess.run(
        ["journalctl", "--output=cat", "--unit=botrunner"], capture_output=True, text=True, check=True
    ).stdout
    assert "Watchdog timeout" in said
    assert "Fatal Python error: Aborted" in said, "where it was stuck is in the log"


def is_upgraded(model: ModelServer) -> None:
    CURRENT.unlink()
    CURRENT.symlink_to("b")
    before = len(model.requests)
    until("messages are in flight", lambda: len(model.requests) > before)
    install()
    assert shown("ActiveState") == "active"
    program = Path(f"/proc/{shown('MainPID')}/cmdline").read_text()
    assert program.startswith("/opt/botrunner/b/"), program


def is_refused() -> None:
    """A faulty file is not tried again and again; mended, it starts."""
    good = CONFIG.read_text()
    CONFIG.write_text("bots: {x: {llm_modle: y}}\n")
    systemctl("restart", "botrunner")
    assert shown("ActiveState") == "failed"
    assert shown("ExecMainStatus") == "1"
    assert shown("NRestarts") == "0"
    CONFIG.write_text(good)
    systemctl("start", "botrunner")
    assert shown("ActiveState") == "active"


def cannot_write_its_file() -> None:
    """By default the API may not change bots.yaml; with the drop-in it may."""
    assert patched_cap(90_000) == HTTPStatus.CONFLICT
    drop_in = SOURCE / "systemd/drop-ins/writable-config.conf"
    for line in drop_in.read_text().splitlines():
        if line.startswith("#   "):  # what it says that is to be done before
            subprocess.run(["sh", "-ec", line.removeprefix("#   ")], check=True)
    shutil.copy(drop_in, DROP_INS)
    systemctl("daemon-reload")
    systemctl("restart", "botrunner")
    assert patched_cap(90_000) == HTTPStatus.OK
    assert "spending_cap_cents: 90000" in CONFIG.read_text()


def patched_cap(cents: int) -> int:
    """Ask the admin API for another cap; its answer's status."""
    surroundings = {
        "BOTRUNNER_STATE": str(STATE),
        "CREDENTIALS_DIRECTORY": "/run/credentials/botrunner.service",
    }
    token = subprocess.run(
        [CURRENT / "bin/botrunner", "token", "--scope", "admin"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **surroundings},
    ).stdout.strip()
    request = urllib.request.Request(
        "http://127.0.0.1:8765/api/bots/asked",
        data=json.dumps({"spending_cap_cents": cents}).encode(),
        method="PATCH",
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            print("PATCH:", refused.code, refused.read()[:300])
        return refused.code


def stops() -> None:
    systemctl("stop", "botrunner")
    assert shown("Result") == "success"


def prepare(model: str, back: str) -> None:
    CONFIG.parent.mkdir(exist_ok=True)
    CONFIG.write_text(BOTS.replace("MODEL", model).replace("BACK", back))
    secret = CONFIG.parent / "credentials" / "shop"
    secret.parent.mkdir()
    secret.write_text(SECRET)
    secret.chmod(0o600)
    DROP_INS.mkdir(parents=True)
    (DROP_INS / "quicker.conf").write_text("[Service]\nWatchdogSec=10s\nRestartSec=1s\nTimeoutAbortSec=10s\n")
