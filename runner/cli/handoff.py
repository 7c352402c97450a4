"""`handoff`: what workflows ask reviewers, and what is decided.

Rule: through the running daemon only: a decision lets a run go on, and that is the daemon's to do.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from runner.cli.options import UNSAID, AsJson, Config

if TYPE_CHECKING:
    from pathlib import Path

HANDOFFS_API = "/api/handoffs"

Handoff = Annotated[str, typer.Argument(metavar="ID", help="As `botrunner handoff list` shows it.")]
Comment = Annotated[
    str, typer.Option(metavar="TEXT", help="For the workflow and, where it uses it, for the user.")
]
By = Annotated[str | None, typer.Option(metavar="NAME", help="Who decides. [default: you]")]


def list_handoffs(
    decision: Annotated[
        Literal["pending", "approved", "rejected", "all"], typer.Option(help="Which ones.")
    ] = "pending",
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, those asked last first.")] = 50,
    config: Config = UNSAID,
    as_json: AsJson = False,
) -> None:
    """List what waits for a reviewer, or what was decided."""
    which = "" if decision == "all" else f"decision={decision}&"
    found = _daemon_says(config, "GET", f"{HANDOFFS_API}?{which}limit={limit}")
    from runner.cli.screen import Column, printable, screen, show_json, show_table

    if as_json:
        show_json(found)
        return
    if not found["handoffs"]:
        typer.echo("Nothing waits for a reviewer." if decision == "pending" else "There are none.")
        return
    rows = [
        [printable(one[name]) for name in ("id", "bot", "user", "asked_at", "decision", "reason", "comment")]
        for one in found["handoffs"]
    ]
    names = ("id", "bot", "user", "asked", "decision", "reason")
    show_table(screen(), [*map(Column, names), Column("comment", spare=True)], rows)


def approve(
    handoff: Handoff, comment: Comment = "", by: By = None, config: Config = UNSAID, as_json: AsJson = False
) -> None:
    """Approve a hand-off; its run goes on at once."""
    _decide(handoff, "approve", {"comment": comment, "by": by or _me()}, config, as_json=as_json)


def reject(
    handoff: Handoff, comment: Comment = "", by: By = None, config: Config = UNSAID, as_json: AsJson = False
) -> None:
    """Reject a hand-off; its run goes on at once."""
    _decide(handoff, "reject", {"comment": comment, "by": by or _me()}, config, as_json=as_json)


def _decide(handoff: str, word: str, verdict: dict[str, object], config: Path, *, as_json: bool) -> None:
    from urllib.parse import quote

    done = _daemon_says(config, "POST", f"{HANDOFFS_API}/{quote(handoff, safe='')}/{word}", verdict)
    if as_json:
        from runner.cli.screen import show_json

        show_json(done)
        return
    from runner.cli.screen import printable

    typer.echo(
        f"{handoff} is {done['decision']}: {printable(done['bot'])} goes on with {printable(done['user'])}"
    )


def _daemon_says(
    config: Path, method: str, path: str, body: dict[str, object] | None = None
) -> dict[str, Any]:
    from runner.cli.daemon import need_daemon
    from runner.config.loader import state_dir

    return need_daemon(config, state_dir(os.environ)).call(method, path, body)


def _me() -> str:
    """Who types."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return f"uid {os.getuid()}"
