"""The composition root: the only room that knows everybody.

    start   load ─▶ store, recover ─▶ bots and adapters ─▶ dispatch ─▶ HTTP ─▶ connections ─▶ daemon.json
    stop    1 take nothing more in   2 turns end or are parked   3 calls settle   4 sends end   5 let go

Rules: plain constructors, each part is given what it needs; what was accepted and not answered is answered
after the next start; a second signal stops at once, which loses nothing either.

    parts     what a daemon is made of          serving   HTTP and connections around it
    making    the file's words made into parts  running   the process: log, signals, loop
    working   the pipeline, and its stop        talking   one bot, without a daemon
"""

from runner.app.running import run_daemon, settings_of
from runner.app.talking import chat_session

__all__ = ["chat_session", "run_daemon", "settings_of"]
