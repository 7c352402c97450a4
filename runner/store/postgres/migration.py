"""From an older schema to ours, while other daemons go on working.

    version of the database   < ours    one daemon applies what is missing, the others wait at the door
                              = ours    nothing to do
                              > ours    we go on with it, where each step says that whoever knows ours may

Rules:
* Files `NNNN_name.sql`, applied in order, forward only, each in a transaction of its own with its row in
  `schema_steps`. Each says by `-- oldest: N` which schema a daemon must know at least to work on with it: 1 where it
  only adds what older ones need not know.
* A step that some daemon which is there could not work with is refused, with that daemon's name; who comes later and
  knows too little is refused (`join`). Applying and joining exclude one another by the advisory lock (1651471474, 0).
* A step waits for a table for `lock_timeout` at most, for whoever works waits behind it; then it is undone and tried
  again a little later.
* `daemons`, `schema_steps` and the locks are what all versions have in common: no step changes them but by adding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from runner.clock import Clock
from runner.errors import StoreError, StoreRefused
from runner.store.postgres.connection import Connection
from runner.store.postgres.faults import is_passing, store_error
from runner.store.queries import Queries

PATIENCE_S = 120.0
"""For how long a step is tried, and others that apply theirs are waited for."""
_SHIPPED = Path(__file__).parent / "migrations"
_OLDEST = re.compile(r"^-- oldest: (\d+)$", re.MULTILINE)
_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 2.0


@dataclass(frozen=True, slots=True)
class Migration:
    """One step forward, to `version`. `oldest`: what a daemon must know at least to work on after it."""

    version: int
    name: str
    oldest: int
    script: str


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database has. `version` 0: nothing. `oldest`: what a daemon must know at least to use it."""

    version: int
    oldest: int


def load_migrations(folder: Path = _SHIPPED) -> tuple[Migration, ...]:
    """All of them, in order.

    Raises:
        ValueError: a number is missing or there twice, or a file does not say its `oldest`.
    """
    found = []
    for path in sorted(folder.glob("*.sql")):
        number, _, name = path.stem.partition("_")
        script = path.read_text(encoding="utf-8")
        told = _OLDEST.search(script)
        if told is None or not 1 <= int(told[1]) <= int(number):
            raise ValueError(f"{path.name} must say by `-- oldest: N` who can work on after it")
        found.append(Migration(int(number), name, int(told[1]), script))
    if [step.version for step in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"{folder}: migrations must be numbered 1, 2, 3 …")
    return tuple(found)


async def schema_of(connection: Connection, sql: Queries) -> Schema:
    """What the database has.

    Raises:
        StoreRefused: it is another program's.
    """
    tables, ours = await connection.fetchrow(sql["tables_there"]) or (0, False)
    if not ours:
        if tables:
            raise StoreRefused("the database has tables of another program: create one for botrunner")
        return Schema(0, 0)
    version, oldest = await connection.fetchrow(sql["schema"]) or (0, 0)
    return Schema(version, oldest)


def check_known(schema: Schema, newest: int) -> None:
    """Raise StoreRefused where a botrunner that knows `newest` must not use that schema."""
    if schema.oldest > newest:
        raise StoreRefused(
            f"the store has schema {schema.version}, which a botrunner that knows {newest} must not use:"
            " install the newer one"
        )


async def migrate(
    connection: Connection, sql: Queries, steps: tuple[Migration, ...], clock: Clock
) -> tuple[int, int]:
    """Apply what is missing, or wait until another daemon has; the versions before and after.

    Raises:
        StoreRefused: the schema is not ours, too new for us, or a step must not be made while others work.
        StoreError: it could not be done this time; the steps before that stay.
    """
    try:
        before = await schema_of(connection, sql)
        now, give_up, wait = before, clock.monotonic() + PATIENCE_S, _FIRST_WAIT_S
        while now.version < steps[-1].version:
            step = steps[now.version]
            if await _applied(connection, sql, step):
                wait = _FIRST_WAIT_S
            elif clock.monotonic() > give_up:
                raise StoreError(f"schema {step.version} cannot be applied now: the tables are never free")
            else:
                await clock.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT_S)
            now = await schema_of(connection, sql)
    except asyncpg.PostgresError as error:
        raise store_error(error) from error
    check_known(now, steps[-1].version)
    return before.version, now.version


async def _applied(connection: Connection, sql: Queries, step: Migration) -> bool:
    """Make one step; whether the schema moved on. False: somebody was in the way."""
    try:
        async with connection.transaction():
            if not await connection.fetchval(sql["lock_schema"]):
                return False
            version = (await schema_of(connection, sql)).version
            if version != step.version - 1:
                return True
            if version:
                await _check_nobody_is_left_behind(connection, sql, step)
            await connection.execute(step.script)
            await connection.execute(sql["add_step"], step.version, step.name, step.oldest)
    except asyncpg.PostgresError as error:
        if is_passing(error):
            return False
        raise
    return True


async def _check_nobody_is_left_behind(connection: Connection, sql: Queries, step: Migration) -> None:
    left = await connection.fetch(sql["daemons_that_know_less"], step.oldest)
    if left:
        names = ", ".join(str(row[0]) for row in left)
        raise StoreRefused(
            f"schema {step.version} cannot be applied while daemons of an older botrunner work: stop {names} first"
        )
