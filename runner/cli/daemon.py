"""The running daemon, as other commands reach it: a note in the state folder, then its admin API.

    state folder/daemon.json   {"pid", "url", "started_at"}, written when it is ready, removed when it ends

Rules: a note without a living process, or without a listener at its address, was left by a crash: no daemon.
A command makes its own token, from the same secret as the daemon; neither shows in errors.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from runner.cli.files import load_file
from runner.clock import SystemClock
from runner.errors import OperatorError

if TYPE_CHECKING:
    from runner.bots import Secret

NOTE = "daemon.json"
ANSWER_WITHIN_S = 10.0
NOT_LET_IN = "the daemon does not let us in"
_CONNECT_WITHIN_S = 2.0
_MS_PER_S = 1000
_OK = range(200, 300)


@dataclass(frozen=True, slots=True)
class Note:
    """What a daemon says of itself in the state folder."""

    pid: int
    host: str
    port: int

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Daemon:
    """A daemon that runs. Its calls raise OperatorError, with the daemon's own words where it refused."""

    note: Note
    token: str = field(repr=False)

    def status(self) -> dict[str, Any]:
        """All bots with their connections and money, and the counts of the store."""
        return self.call("GET", "/api/status")

    def bot_ids(self) -> list[str]:
        """The bots that it runs."""
        return [bot["id"] for bot in self.call("GET", "/api/bots")["bots"]]

    def set_cap(self, bot_id: str, cents: int | None) -> dict[str, Any]:
        """Change a cap in its bots.yaml, in force at once; the bot as it is then."""
        return self.call("PATCH", f"/api/bots/{quote(bot_id, safe='')}", {"spending_cap_cents": cents})

    def say(self, bot_id: str, text: str, user: str, timeout_s: float) -> dict[str, Any]:
        """Say something to a bot; its answer with its figures."""
        body = {"message": text, "user_id": user}
        return self.call("POST", f"/api/bots/{quote(bot_id, safe='')}/chat", body, timeout_s)

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        timeout_s: float = ANSWER_WITHIN_S,
    ) -> dict[str, Any]:
        """Ask its admin API; `path` is percent-encoded already."""
        connection = http.client.HTTPConnection(self.note.host, self.note.port, timeout=timeout_s)
        try:
            connection.request(
                method,
                path,
                None if body is None else json.dumps(body).encode(),
                {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
            )
            response = connection.getresponse()
            return read_answer(response.status, response.read())
        except (OSError, http.client.HTTPException) as error:
            why = "in time" if isinstance(error, TimeoutError) else f"as it should ({type(error).__name__})"
            raise OperatorError(
                f"the daemon (pid {self.note.pid}) did not answer {why} at {self.note.url}"
            ) from None
        finally:
            connection.close()


def find_daemon(config: Path, folder: Path) -> Daemon | None:
    """The daemon of this state folder, or None where none runs.

    Args:
        config: may be faulty or missing: a daemon goes on with what it read; it is asked for its `jwt_secret` only.
        folder: the state folder.

    Raises:
        OperatorError: the note or the token's secret cannot be read.
    """
    note = read_note(folder / NOTE)
    if note is None or not _alive(note.pid) or not _listens(note):
        return None
    from runner.web.auth import load_secret, make_token

    now_s = SystemClock().now_ms() // _MS_PER_S
    return Daemon(note, make_token(load_secret(folder, configured_secret(config)), "admin", 1, now_s))


def need_daemon(config: Path, folder: Path) -> Daemon:
    """As `find_daemon`; raises OperatorError where none runs too."""
    daemon = find_daemon(config, folder)
    if daemon is None:
        raise OperatorError(
            f"no daemon is running (state folder {folder})",
            "`botrunner run` starts one; $BOTRUNNER_STATE names the state folder of one that runs elsewhere",
        )
    return daemon


def configured_secret(config: Path) -> Secret | None:
    """`server.jwt_secret` of a good file."""
    from runner.config.problems import Problems

    loaded = load_file(config) if config.exists() else None
    return None if loaded is None or isinstance(loaded, Problems) else loaded.settings.server.jwt_secret


def read_note(path: Path) -> Note | None:
    """The note, or None where there is none that can be understood.

    Raises:
        OperatorError: we may not read it.
    """
    try:
        said = json.loads(path.read_bytes())
        address = urlsplit(said["url"])
        return Note(int(said["pid"]), str(address.hostname), int(address.port or 80))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def read_answer(status: int, body: bytes) -> dict[str, Any]:
    """What the admin API answered.

    Raises:
        OperatorError: it refused, or this is no answer of it.
    """
    try:
        answer: dict[str, Any] = {**json.loads(body)}
        refusal: dict[str, Any] | None = None if status in _OK else {**answer["error"]}
    except (ValueError, KeyError, TypeError):
        raise OperatorError(f"the daemon's answer cannot be understood (HTTP {status})") from None
    if refusal is None:
        return answer
    details = [f"{fault.get('field')}: {fault.get('message')}" for fault in refusal.get("details", ())]
    message = "; ".join([str(refusal.get("message")), *details])
    if status == http.HTTPStatus.UNAUTHORIZED:
        raise OperatorError(
            f"{NOT_LET_IN}: {message}",
            "use the same bots.yaml, environment and state folder as the daemon",
        )
    raise OperatorError(message)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True  # somebody else's, but alive
    except (ProcessLookupError, OverflowError):
        return False
    return pid > 0


def _listens(note: Note) -> bool:
    try:
        socket.create_connection((note.host, note.port), _CONNECT_WITHIN_S).close()
    except TimeoutError:
        return True  # there, but stuck: the call will say so
    except OSError:
        return False
    return True
