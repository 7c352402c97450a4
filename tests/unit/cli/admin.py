"""A daemon's admin API on a real socket, with answers that a test sets; its note is in the state folder."""

import json
import os
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from runner.web.auth import NoEntry, check_token, load_secret

HELLO = {
    "id": "hello",
    "enabled": True,
    "platform": "custom",
    "spent_usd": "0.25",
    "held_usd": "0.05",
    "unknown_usd": "0.20",
    "spending_cap_cents": 100,
    "waiting": 3,
    "connections": [{"channel": "custom", "platform": "custom", "state": "up", "why": ""}],
}


@dataclass
class AdminDouble:
    state: Path
    answers: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)

    def __enter__(self) -> Self:
        secret = load_secret(self.state, None)
        double = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                double.asked.append((self.command, self.path, body))
                missing = (404, {"error": {"code": "not_found", "message": "no such call"}})
                status, value = double.answers.get((self.command, self.path), missing)
                try:
                    check_token(secret, self.headers.get("Authorization", ""), "admin")
                except NoEntry as no:
                    status, value = no.status, {"error": {"code": "unauthorized", "message": str(no)}}
                content = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PATCH = do_POST = do_DELETE = answer  # noqa: N815 - the names that http.server looks for

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.note(os.getpid())
        self.answers["GET", "/api/bots"] = (200, {"bots": [HELLO]})
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def note(self, pid: int) -> None:
        said = {"pid": pid, "url": self.url, "started_at": "2026-11-22T10:00:00.000Z"}
        (self.state / "daemon.json").write_text(json.dumps(said), encoding="utf-8")

    def hang_up(self) -> None:
        """Stop listening; the note stays, as after a crash."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
