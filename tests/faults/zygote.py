"""Starts daemons in no time: a process that has everything imported and forks one whenever it is told to.

    stdin: a line "config|state folder|log file"        stdout: the child's pid

Rule: it has no thread and no loop of its own, so a fork is a daemon like any other, only without the second
that importing takes. That second is measured elsewhere; here hundreds of starts are needed.
"""

import os
import signal
import sys
import traceback
from pathlib import Path

import adapters.custom.adapter as custom
import adapters.telegram.adapter as telegram
import runner.app
import runner.store.sqlite.store as sqlite
from runner.providers import openai
from runner.web import server

IMPORTED = (custom, telegram, openai, sqlite, server)
"""What a daemon would import by and by."""


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        config, state, log = line.rstrip("\n").split("|")
        child = os.fork()
        if child == 0:
            _become_daemon(config, state, log)
        print(child, flush=True)


def _become_daemon(config: str, state: str, log: str) -> None:
    code = 70
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, 2)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        code = runner.app.run_daemon(Path(config), {**os.environ, "BOTRUNNER_STATE": state})
    except BaseException:  # noqa: BLE001 - whatever it is, the parent's code must not go on in the child
        traceback.print_exc()
    finally:
        os._exit(code)


main()
