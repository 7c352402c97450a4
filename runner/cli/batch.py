"""`batch`: many prompts for one bot, handed to its provider together, for less.

Rules: through the running daemon, which sees a batch through; a file's faults are all told at once, with their
lines, before anything is asked of the daemon. A batch goes on when a command that waits for it is ended.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from runner.cli.options import UNSAID, AsJson, BotId, Config
from runner.errors import OperatorError

if TYPE_CHECKING:
    from runner.cli.daemon import Daemon

LOOK_S = 2.0
SUBMIT_WITHIN_S = 120.0
PAGE = 1000
OVER = ("done", "failed", "canceled", "refused")
Wait = Annotated[bool, typer.Option("--wait", help="Stay until it is over, with a bar.")]
BatchId = Annotated[str, typer.Argument(metavar="BATCH", help="The batch's id.")]


def submit(
    bot: BotId,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="JSON lines: custom_id and prompt; - is stdin.")
    ],
    config: Config = UNSAID,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The same key twice is one batch. [default: none]")
    ] = None,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Hand in a file of prompts; money for all of them is held at once."""
    lines = read_file(file)
    daemon = _daemon(config)
    body: dict[str, object] = {"lines": lines} if key is None else {"lines": lines, "key": key}
    batch = daemon.call("POST", f"/api/bots/{quote(bot, safe='')}/batches", body, SUBMIT_WITHIN_S)
    if wait:
        _finish(_waited(daemon, batch), as_json)
    elif as_json:
        _show_json(batch)
    else:
        typer.echo(f"{batch['id']}: {batch['lines']} lines are handed in, {batch['held_usd']} USD are held")
        typer.echo(f"`botrunner batch status {batch['id']} --wait` waits for it")


def status(
    batch: Annotated[str | None, typer.Argument(metavar="[BATCH]", help="The batch's id; else all.")] = None,
    config: Config = UNSAID,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Show how far a batch is, or list the latest."""
    daemon = _daemon(config)
    if batch is None:
        if wait:
            raise typer.BadParameter("name the batch to wait for", param_hint="--wait")
        _list(daemon.call("GET", "/api/batches"), as_json)
        return
    found = _find(daemon, batch)
    if wait:
        _finish(_waited(daemon, found), as_json)
    elif as_json:
        _show_json(found)
    else:
        _show(found)


def results(
    batch: BatchId,
    config: Config = UNSAID,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write there instead of to stdout.")
    ] = None,
) -> None:
    """Print what became of each line, as JSON lines."""
    daemon = _daemon(config)
    found = _find(daemon, batch)
    lines = (json.dumps(result, ensure_ascii=False) for result in _all_results(daemon, found))
    if out is None:
        for line in lines:
            print(line)
    else:
        _write(out, lines)
    if found["waiting"]:
        typer.echo(f"{found['waiting']} of {found['lines']} lines have no result yet", err=True)


def cancel(batch: BatchId, config: Config = UNSAID, as_json: AsJson = False) -> None:
    """Stop a batch; lines that ran already are paid and have their results."""
    daemon = _daemon(config)
    stopped = daemon.call("POST", f"{_path(_find(daemon, batch))}/cancel")
    if as_json:
        _show_json(stopped)
    else:
        typer.echo(
            f"{stopped['id']} is being stopped; `botrunner batch status {stopped['id']}` shows how far"
        )


def read_file(path: Path) -> list[Any]:
    """The file's lines as JSON values.

    Raises:
        OperatorError: it cannot be read, or every fault of it, a line each.
    """
    from runner.dispatch.batch_lines import LineFault, read_jsonl

    try:
        data = sys.stdin.read().encode() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}") from None
    faults = [fault for fault in read_jsonl(data) if isinstance(fault, LineFault)]
    if faults:
        shown = "\n".join(told(path, fault.line, fault.field, fault.message) for fault in faults)
        count = f"{len(faults)} fault{'s' if len(faults) > 1 else ''}"
        raise OperatorError(f"{path} cannot be used, {count}:\n{shown}")
    return [json.loads(line) for line in data.split(b"\n") if line.strip()]


def told(path: Path, line: int, field: str, message: str) -> str:
    """A fault with its place."""
    place = f"{path}:{line}" if line else str(path)
    return f"{place}: {field + ': ' if field else ''}{message}"


# ── asking ───────────────────────────────────────────────────────────────────────────────────────────────
def _daemon(config: Path) -> Daemon:
    from runner.cli.daemon import need_daemon
    from runner.config.loader import state_dir

    return need_daemon(config, state_dir(os.environ))


def _find(daemon: Daemon, batch: str) -> dict[str, Any]:
    return daemon.call("GET", f"/api/batches/{quote(batch, safe='')}")


def _path(batch: dict[str, Any]) -> str:
    return f"/api/bots/{quote(batch['bot'], safe='')}/batches/{batch['id']}"


def _all_results(daemon: Daemon, batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
    after: int | None = 0
    while after is not None:
        page = daemon.call("GET", f"{_path(batch)}/results?after={after}&limit={PAGE}")
        yield from page["results"]
        after = page["next"]


def _waited(
    daemon: Daemon, batch: dict[str, Any], pause: Callable[[float], None] = time.sleep
) -> dict[str, Any]:
    """The batch once it is over, with a bar on stderr meanwhile."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from runner.cli.screen import screen

    console = screen(to_stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[usd]} USD"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(batch["state"], total=batch["lines"], usd=batch["cost_usd"])
        while True:
            known = max(batch["reached"], batch["lines"] - batch["waiting"])
            progress.update(task, description=batch["state"], completed=known, usd=batch["cost_usd"])
            if batch["state"] in OVER:
                return batch
            pause(LOOK_S)
            batch = _find(daemon, batch["id"])


# ── showing ──────────────────────────────────────────────────────────────────────────────────────────────
def _show_json(value: Any) -> None:  # noqa: ANN401 - JSON
    from runner.cli.screen import show_json

    show_json(value)


def _finish(batch: dict[str, Any], as_json: bool) -> None:
    """Show a batch that is over; exit 1 where it came to nothing."""
    if as_json:
        _show_json(batch)
    else:
        _show(batch)
    if batch["state"] == "failed":
        raise typer.Exit(1)


def _show(batch: dict[str, Any]) -> None:
    from runner.cli.screen import bar, printable, screen

    console = screen()
    known = max(batch["reached"], batch["lines"] - batch["waiting"])
    console.print(f"{batch['id']} of {batch['bot']}: {batch['state']}", highlight=False)
    console.print(f"{bar(console, known, batch['lines'])} {known} of {batch['lines']} lines")
    counts = [
        f"{batch[name]} {name.replace('_', ' ')}" for name in ("answered", "not_run", "unknown", "waiting")
    ]
    console.print(", ".join(counts))
    for name, key in (
        ("model", "llm_model"),
        ("schedule", "schedule"),
        ("handed in", "created_at"),
        ("over", "ended_at"),
        ("cost, USD", "cost_usd"),
        ("held, USD", "held_usd"),
        ("of unknown fate, USD", "unknown_cost_usd"),
        ("saved against single calls, USD", "saved_usd"),
        ("what is amiss", "why"),
    ):
        if batch[key]:
            console.print(f"{name}: {printable(str(batch[key]))}", highlight=False)


def _list(found: dict[str, Any], as_json: bool) -> None:
    from runner.cli.screen import Column, printable, screen, show_table

    if as_json:
        _show_json(found)
        return
    rows = [
        [
            *(batch["id"], batch["bot"], batch["state"], batch["schedule"] or ""),
            f"{max(batch['reached'], batch['lines'] - batch['waiting'])}/{batch['lines']}",
            *(batch["cost_usd"], batch["created_at"], printable(batch["why"])),
        ]
        for batch in found["batches"]
    ]
    if not rows:
        typer.echo("There are no batches.")
        return
    columns = [
        *(Column("batch"), Column("bot"), Column("state"), Column("schedule", spare=True)),
        *(Column("lines", number=True), Column("USD", number=True)),
        *(Column("handed in", spare=True), Column("amiss", spare=True)),
    ]
    show_table(screen(), columns, rows)


def _write(path: Path, lines: Iterator[str]) -> None:
    """Whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
        part.replace(path)
    except OSError as error:
        raise OperatorError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
    typer.echo(f"the results are in {path}", err=True)
