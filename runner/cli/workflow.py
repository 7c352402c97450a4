"""`workflow`: the picture of one, what its runs did, and the passes by which its users are let in.

Rule: `show` needs the file only; runs and passes are asked of the running daemon.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.cli.options import UNSAID, AsJson, BotId, Config

if TYPE_CHECKING:
    from pathlib import Path

Run = Annotated[str, typer.Argument(metavar="RUN", help="As `botrunner workflow runs` shows it.")]


def show(bot: BotId, config: Config = UNSAID) -> None:
    """Print a bot's workflow as a Mermaid flowchart, which many editors and forges draw."""
    from runner.cli.files import find_bot, load_settings
    from runner.errors import OperatorError
    from runner.workflows.graph import Graph, read_graph
    from runner.workflows.picture import mermaid

    found = find_bot(load_settings(config), bot)
    graph = None if found.workflow is None else read_graph(found.workflow.source)
    if not isinstance(graph, Graph):
        raise OperatorError(
            f"bot {found.id} has no workflow", "It has one with workflow_enabled: true and workflow:."
        )
    typer.echo(mermaid(graph), nl=False)


def runs(
    bot: BotId,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, the latest first.")] = 20,
    config: Config = UNSAID,
    as_json: AsJson = False,
) -> None:
    """List the latest runs of a bot's workflow."""
    found = _daemon_says(config, "GET", f"/api/bots/{_segment(bot)}/runs?limit={limit}")
    from runner.cli.screen import Column, printable, screen, show_json, show_table

    if as_json:
        show_json(found)
        return
    if not found["runs"]:
        typer.echo("It has not run yet.")
        return
    rows = [
        [printable(one[name]) for name in ("id", "status", "user", "started_at", "waiting_for")]
        for one in found["runs"]
    ]
    names = ("run", "status", "user", "started")
    show_table(screen(), [*map(Column, names), Column("waits for", spare=True)], rows)


def trace(run: Run, config: Config = UNSAID, as_json: AsJson = False) -> None:
    """Tell what each node of a run got, gave, took and cost."""
    found = _daemon_says(config, "GET", f"/api/runs/{_segment(run)}")
    from runner.cli.screen import Column, printable, screen, show_json, show_table

    if as_json:
        show_json(found)
        return
    waits = f", waits for {found['waiting_for']}" if found["waiting_for"] else ""
    typer.echo(f"{printable(found['id'])} of {printable(found['user'])}: {found['status']}{printable(waits)}")
    rows = [
        [
            printable(one["node"]),
            printable(one["type"]),
            f"{one['ms']} ms",
            one["cost_usd"],
            printable(one["failure"] or one["output"]),
        ]
        for one in found["trace"]
    ]
    columns = [Column("node"), Column("type"), Column("took"), Column("USD"), Column("came to", spare=True)]
    show_table(screen(), columns, rows)


def issue_pass(
    bot: BotId,
    user: Annotated[str, typer.Option(metavar="ID", help="A code for this user of the bot.")] = "",
    identity: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Whom the workflow takes them for; without a user: a link's token."
        ),
    ] = "",
    minutes: Annotated[int, typer.Option(min=1, help="How long it is good.")] = 60,
    config: Config = UNSAID,
    as_json: AsJson = False,
) -> None:
    """Issue what an auth_gate lets a user through on; it is shown this once."""
    if not user and not identity:
        raise typer.BadParameter("say --user for a code, or --identity for a link's token")
    wanted: dict[str, object] = {"kind": "code" if user else "link", "minutes": minutes}
    wanted |= {"user": user} if user else {}
    wanted |= {"identity": identity} if identity else {}
    issued = _daemon_says(config, "POST", f"/api/bots/{_segment(bot)}/passes", wanted)
    if as_json:
        from runner.cli.screen import show_json

        show_json(issued)
        return
    typer.echo(issued["text"])


def _segment(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def _daemon_says(
    config: Path, method: str, path: str, body: dict[str, object] | None = None
) -> dict[str, Any]:
    from runner.cli.daemon import need_daemon
    from runner.config.loader import state_dir

    return need_daemon(config, state_dir(os.environ)).call(method, path, body)
