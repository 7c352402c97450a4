"""`store`: the file that everything is remembered in: backed up, put back, brought up to date, looked at.

Where it is a PostgreSQL database: `runner.cli.store_database`.

Rules: `backup`, `check` and `info` are safe beside a running daemon; `restore`, `migrate` and `vacuum` need it
stopped and say so; a backup is good before it is called one, and nothing that was there is thrown away.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.cli.options import UNSAID, AsJson, Config
from runner.cli.progress import progress
from runner.cli.store_database import (
    check_database,
    database_of,
    migrate_database,
    not_here,
    show_database,
)

if TYPE_CHECKING:
    from runner.store.sqlite.examining import Examined
    from runner.store.sqlite.tending import Due, StoreInfo

_STEPS_SHOWN_FROM = 4096
"""Pages above which a copy takes long enough to show how far it is: 16 MiB."""


def backup(
    target: Annotated[Path, typer.Argument(metavar="PATH", help="The file that the backup shall be.")],
    config: Config = UNSAID,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Copy the store as it is at this moment; the daemon goes on meanwhile."""
    if database_of(config) is not None:
        not_here("backup")
    from runner.store.sqlite.backup import back_up

    with progress("copying", _STEPS_SHOWN_FROM) as told:
        found = back_up(_store(config), target, force=force, progress=told)
    if as_json:
        _show_json({"path": str(target.absolute()), **_examined(found)})
        return
    typer.echo(f"{target}: {_size(found.size)}, schema {found.schema}; {_books(found)}")


def restore(
    source: Annotated[Path, typer.Argument(metavar="PATH", help="A file that `store backup` made.")],
    config: Config = UNSAID,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the store's place, while no daemon runs; the store that was there is kept beside it."""
    if database_of(config) is not None:
        not_here("restore")
    from runner.clock import SystemClock
    from runner.store.sqlite import backup as backups

    with progress("copying", _STEPS_SHOWN_FROM) as told:
        done = backups.restore(source, _store(config), SystemClock().now_ms(), progress=told)
    left = done.left_open
    if as_json:
        kept = None if done.kept is None else str(done.kept)
        shown = {"schema_before": done.schema_before, **_examined(done.found), "kept": kept}
        _show_json({**shown, "left_open": asdict(left)})
        return
    was = f" (the backup's was {done.schema_before})" if done.schema_before != done.found.schema else ""
    typer.echo(
        f"{source} is the store now: {_size(done.found.size)}, schema {done.found.schema}{was}; {_books(done.found)}"
    )
    if done.kept is not None:
        typer.echo(f"The store that was there is kept as {done.kept}; delete it when you do not need it.")
    typer.echo(
        f"When it was made {left.messages} messages waited: the next start answers them. {left.holds} calls were"
        f" running: their holds become `unknown`. {left.sends} answers were being sent: they go again, and may"
        " arrive twice."
    )


def migrate(
    config: Config = UNSAID,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring an older store up to date, after a copy of it was kept; `run` does the same at its start."""
    database = database_of(config)
    if database is not None:
        migrate_database(database, dry_run=dry_run, as_json=as_json)
        return
    from runner.clock import SystemClock
    from runner.store.sqlite.connection import check_there
    from runner.store.sqlite.tending import due, migrate_now

    path = _store(config)
    check_there(path)
    plan = due(path)
    if plan is not None and not dry_run:
        with progress("copying", _STEPS_SHOWN_FROM) as told:
            migrate_now(path, SystemClock().now_ms(), told)
    if as_json:
        _show_json(_plan(plan, done=not dry_run))
    elif plan is None:
        typer.echo("The store is up to date.")
    else:
        names = ", ".join(f"{version} ({name})" for version, name in plan.steps)
        did = "would be" if dry_run else "is"
        typer.echo(
            f"{path} ({_size(plan.size)}) {did} brought from schema {plan.schema} to {plan.newest}: {names}"
        )
        typer.echo(f"As it was it {'would be' if dry_run else 'is'} kept as {plan.copy}")


def vacuum(config: Config = UNSAID, as_json: AsJson = False) -> None:
    """Give the store's unused room back to the disk, while no daemon runs."""
    if database_of(config) is not None:
        not_here("vacuum")
    from runner.store.sqlite import tending

    before, after = tending.vacuum(_store(config))
    if as_json:
        _show_json({"bytes_before": before, "bytes": after})
        return
    typer.echo(f"{_size(before)} before, {_size(after)} now")


def check(
    path: Annotated[
        Path | None, typer.Argument(metavar="[PATH]", help="A backup. [default: the store itself]")
    ] = None,
    config: Config = UNSAID,
    as_json: AsJson = False,
) -> None:
    """Read all of the store, or of a backup, and reckon its books anew. Exit 1 where something is wrong."""
    database = None if path is not None else database_of(config)
    if database is not None:
        check_database(database, as_json=as_json)
        return
    from runner.store.sqlite.examining import examine
    from runner.store.sqlite.migration import load_migrations
    from runner.store.sqlite.queries import load_queries

    chosen = path or _store(config)
    found = examine(chosen, load_queries(), load_migrations()[-1].version)
    if as_json:
        _show_json({"path": str(chosen), **_examined(found)})
    elif found.is_good:
        typer.echo(f"{chosen}: {_size(found.size)}, schema {found.schema}; {_books(found)}")
    else:
        typer.echo(f"{chosen}: {found.fault}")
        if found.damage and path is None:
            typer.echo("Stop the daemon and restore the last backup: `botrunner store restore FILE`")
    if not found.is_good:
        raise typer.Exit(1)


def info(config: Config = UNSAID, as_json: AsJson = False) -> None:
    """Show the store's size, schema and rows."""
    from runner.cli.files import load_settings

    database = database_of(config)
    if database is not None:
        show_database(database, load_settings(config).retention_days, as_json=as_json)
        return
    from runner.cli.books import store_file
    from runner.cli.screen import Column, screen, show_table
    from runner.store.sqlite import tending

    settings = load_settings(config)
    found = tending.info(store_file(settings))
    if as_json:
        _show_json(_info(found, settings.retention_days))
        return
    newer = "" if found.schema == found.newest else f", this botrunner brings it to {found.newest}"
    typer.echo(f"{found.path}: schema {found.schema}{newer}")
    typer.echo(f"{_size(found.size)}, of it {_size(found.unused)} unused; {_size(found.log)} in its log")
    typer.echo(f"messages and conversations are kept for {settings.retention_days} days, the ledger for ever")
    for copy in found.copies:
        typer.echo(f"kept before a migration: {copy} ({_size(copy.stat().st_size)})")
    columns = (Column("table"), Column("rows", number=True))
    show_table(screen(), columns, [(name, f"{count:,}") for name, count in found.rows.items()])


def _store(config: Path) -> Path:
    from runner.cli.books import store_file
    from runner.cli.files import load_settings

    return store_file(load_settings(config))


def _examined(found: Examined) -> dict[str, Any]:
    return {
        "ok": found.is_good,
        "schema": found.schema,
        "bytes": found.size,
        "damage": found.damage or None,
        "books_read": found.books_read,
        "differences": [str(one) for one in found.differences],
    }


def _books(found: Examined) -> str:
    return (
        "whole, and its books are right"
        if found.books_read
        else "whole; an older schema, its books were not read"
    )


def _plan(plan: Due | None, *, done: bool) -> dict[str, Any]:
    if plan is None:
        return {"due": False, "done": False}
    steps = [{"schema": version, "name": name} for version, name in plan.steps]
    places = {"path": str(plan.path), "bytes": plan.size, "copy": str(plan.copy)}
    return {
        "due": True,
        "done": done,
        "schema_before": plan.schema,
        "schema": plan.newest,
        "steps": steps,
        **places,
    }


def _info(found: StoreInfo, retention_days: int) -> dict[str, Any]:
    from runner.clock import UnixMs, iso

    oldest = found.oldest_message_ms
    return {
        "path": str(found.path),
        "schema": found.schema,
        "newest_schema": found.newest,
        "bytes": found.size,
        "unused_bytes": found.unused,
        "log_bytes": found.log,
        "retention_days": retention_days,
        "oldest_message_at": None if oldest is None else iso(UnixMs(oldest)),
        "rows": dict(found.rows),
        "copies": [str(copy) for copy in found.copies],
    }


def _size(count: int) -> str:
    from runner.store.sqlite.copying import mib

    return mib(count)


def _show_json(data: dict[str, Any]) -> None:
    from runner.cli.screen import show_json

    show_json(data)
