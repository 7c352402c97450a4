"""`store` where the store is a PostgreSQL database: looked at and brought up to date here, tended by its own tools.

Rule: nothing here needs a daemon to be stopped; addresses are shown without user, password and parameters.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from runner.errors import OperatorError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, NoReturn

    from runner.store.postgres.outside import Looked
    from runner.store.postgres.tending import DatabaseInfo

INSTEAD = {
    "backup": (
        "PostgreSQL makes the backups of a database, beside running daemons",
        "`pg_dump --format=custom --file=botrunner.dump DATABASE`; pg_basebackup and its log, for any moment.",
    ),
    "restore": (
        "PostgreSQL puts back the backups of a database",
        "Stop the daemons, `createdb NEW`, `pg_restore --dbname=NEW botrunner.dump`, then name NEW in store.url.",
    ),
    "vacuum": (
        "PostgreSQL gives unused room back by itself (autovacuum)",
        "After much was deleted: `VACUUM FULL` by psql, with the daemons stopped, for it locks each table.",
    ),
}
"""What is not done here, and what to do."""


def database_of(config: Path) -> str | None:
    """The address of the store where it is a database; None: it is a file."""
    from runner.cli.files import load_settings
    from runner.store.postgres.address import is_postgres

    url = load_settings(config).store_url
    return url if is_postgres(url) else None


def not_here(what: str) -> NoReturn:
    """Say what does it. Raises OperatorError."""
    raise OperatorError(*INSTEAD[what])


def shown_address(url: str) -> str:
    """An address for people: without a user, a password and parameters."""
    from runner.store.postgres.address import address_of, is_postgres

    return f"postgresql://{address_of(url).shown}" if is_postgres(url) else url


def check_database(url: str, *, as_json: bool) -> None:
    """Reckon its books anew. Exit 1 where they are wrong."""
    from runner.clock import SystemClock
    from runner.store.postgres.examining import examine

    found = asyncio.run(examine(url, SystemClock()))
    differences = [str(one) for one in found.differences]
    if as_json:
        _show_json(
            {
                "path": shown_address(url),
                "ok": not differences,
                "schema": found.schema,
                "bytes": found.size,
                "damage": None,
                "books_read": True,
                "differences": differences,
            }
        )
    else:
        books = f"its books do not add up: {'; '.join(differences)}" if differences else "its books are right"
        typer.echo(f"{shown_address(url)}: {_size(found.size)}, schema {found.schema}; {books}")
    if differences:
        raise typer.Exit(1)


def migrate_database(url: str, *, dry_run: bool, as_json: bool) -> None:
    """Bring its schema up to date, beside daemons that can work on with it."""
    from runner.clock import SystemClock
    from runner.store.postgres.examining import bring_up_to_date

    found = asyncio.run(bring_up_to_date(url, SystemClock(), dry_run=dry_run))
    if as_json:
        due: dict[str, Any] = {"due": bool(found.steps), "done": bool(found.steps) and not dry_run}
        if found.steps:
            due |= {
                "schema_before": found.schema,
                "schema": found.newest,
                "steps": [{"schema": version, "name": name} for version, name in found.steps],
                "path": shown_address(url),
            }
        _show_json(due)
    elif not found.steps:
        typer.echo("The store is up to date.")
    else:
        names = ", ".join(f"{version} ({name})" for version, name in found.steps)
        did = "would be" if dry_run else "is"
        typer.echo(
            f"{shown_address(url)} {did} brought from schema {found.schema} to {found.newest}: {names}"
        )


def show_database(url: str, retention_days: int, *, as_json: bool) -> None:
    """Its server, size, schema, daemons and rows."""
    from runner.cli.screen import Column, screen, show_table

    found, looked = asyncio.run(_looked(url))
    if as_json:
        _show_json(_info(url, found, looked, retention_days))
        return
    newer = "" if found.schema >= found.newest else f", this botrunner brings it to {found.newest}"
    typer.echo(f"{shown_address(url)}: schema {found.schema}{newer}")
    typer.echo(
        f"PostgreSQL {looked.server}, a round trip takes {looked.latency_ms:.1f} ms; {_size(found.size)} in all"
    )
    typer.echo(f"daemons on it: {looked.daemons}")
    typer.echo(f"messages and conversations are kept for {retention_days} days, the ledger for ever")
    columns = (Column("table"), Column("rows", number=True), Column("size", number=True))
    rows = [(name, f"{count:,}", _size(found.sizes.get(name, 0))) for name, count in found.rows.items()]
    show_table(screen(), columns, rows)


async def _looked(url: str) -> tuple[DatabaseInfo, Looked]:
    from runner.clock import SystemClock
    from runner.store.catalogue import look_at
    from runner.store.postgres.reader import info_at

    clock = SystemClock()
    return await info_at(url, clock), await look_at(url, clock)


def _info(url: str, found: DatabaseInfo, looked: Looked, retention_days: int) -> dict[str, Any]:
    from runner.clock import UnixMs, iso

    oldest = found.oldest_message_ms
    return {
        "path": shown_address(url),
        "schema": found.schema,
        "newest_schema": found.newest,
        "bytes": found.size,
        "retention_days": retention_days,
        "oldest_message_at": None if oldest is None else iso(UnixMs(oldest)),
        "rows": dict(found.rows),
        "table_bytes": dict(found.sizes),
        "server": looked.server,
        "daemons": looked.daemons,
        "latency_ms": round(looked.latency_ms, 2),
    }


def _size(count: int) -> str:
    from runner.store.sqlite.copying import mib

    return mib(count)


def _show_json(data: dict[str, Any]) -> None:
    from runner.cli.screen import show_json

    show_json(data)
