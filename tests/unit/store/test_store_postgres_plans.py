"""How PostgreSQL runs what each message needs: by keys, also where it planned that for an empty table."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from runner.clock import SystemClock
from runner.store.postgres.address import address_of
from runner.store.postgres.connection import TALKATIVE, Connection, connect, hang_up
from runner.store.postgres.outside import values_at
from runner.store.postgres.store import SQL_FOLDER
from runner.store.queries import load_queries
from runner.testing.postgres_server import PostgresServer

SQL = load_queries(SQL_FOLDER)
CODE = "\n".join(path.read_text() for path in sorted(SQL_FOLDER.parent.glob("*.py")))
HOT = {
    "accept": ["inbox_event"],
    "seen": ["inbox_event"],
    "next": ["inbox_open", "conversations_by_lane", "ledger_by_turn", "messages_pkey", "steps_by_turn"],
    "steps": ["ledger_by_turn", "steps_by_turn"],
    "heads": ["inbox_open"],
    "postpone": ["inbox_pkey"],
    "finish_messages": ["inbox_pkey", "conversations_id_key"],
    "add_outgoing": ["outbox_of_place"],
    "sends_to_begin": ["outbox_pkey", "outbox_of_place"],
    "begin_sends": ["outbox_pkey"],
    "end_sends": ["outbox_pkey"],
    "sends_of_ours": ["outbox_pkey"],
    "outbox_states": ["outbox_pkey"],
    "reservations": ["ledger_id_key"],
    "reservations_kept": ["ledger_id_key"],
    "attempts_there": ["ledger_id_key"],
    "end_holds": ["ledger_id_key"],
    "save_scopes": ["scopes_pkey"],
}


def test_each_query_is_used() -> None:
    assert [name for name in SQL if f'"{name}"' not in CODE] == []


def test_python_holds_no_sql() -> None:
    assert re.findall(r'"\s*(?:SELECT|INSERT|UPDATE|DELETE|SET|BEGIN|CREATE)\b', CODE) == []


@pytest.fixture(scope="module")
def untouched(postgres: PostgresServer) -> str:
    """The address of a database that never held a row: nothing that other tests left tells the planner anything."""
    address = postgres.url(postgres.fresh())

    async def migrated() -> None:
        async with values_at(address, SystemClock(), begin=True):
            return

    asyncio.run(migrated())
    return address


@pytest.fixture
async def connection(untouched: str) -> AsyncIterator[Connection]:
    """As a writer's."""
    connection = await connect(address_of(untouched), "a test", SQL, TALKATIVE)
    yield connection
    await hang_up(connection)


async def plan(connection: Connection, name: str) -> str:
    marks = max(int(number) for number in re.findall(r"\$(\d+)", SQL[name]))
    await connection.execute(f"PREPARE asked AS {SQL[name]}")
    nothing = ", ".join(["NULL"] * marks)
    return "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE asked({nothing})"))


@pytest.mark.parametrize("name", HOT)
async def test_rows_are_found_by_their_keys(connection: Connection, name: str) -> None:
    told = await plan(connection, name)
    steps = re.findall(r"(?:Scan using|Scan Backward using|Index Scan on) (\w+)[^\n]*\n\s+(\w+ ?\w*)", told)
    assert {index for index, _ in steps} == set(HOT[name])
    assert all(what == "Index Cond" for _, what in steps)
    assert "Seq Scan" not in told.replace("Seq Scan on ledger_seq_seq", "")
