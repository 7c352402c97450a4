"""What holds for all tests."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from runner.clock import SystemClock
from runner.testing.postgres_server import PostgresServer
from tests.steady_loop import SteadyLoop

CLEANER = """
CREATE FUNCTION cleaned() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    one record;
BEGIN
    PERFORM pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
    SET LOCAL session_replication_role = replica; -- no trigger forbids it, no reference stands in the way
    FOR one IN SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
        IF one.name <> 'schema_steps' THEN
            EXECUTE format('DELETE FROM %I', one.name);
        END IF;
    END LOOP;
    PERFORM setval(oid, 1, false) FROM pg_class WHERE relkind = 'S';
END
$$"""
"""Much faster than another database for each test."""

settings.register_profile(  # two busy cores say nothing about an example
    "botrunner", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("botrunner")


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], SteadyLoop]]:
    """Run all tests on a loop whose time limits count no stall of the machine."""
    return {"steady": SteadyLoop}


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A real server, started when the first test asks for it. Where there is none, that is an error.

    From then on it has patience with sessions of this process: a machine that stalls is no daemon that hangs.
    """
    from runner.store.postgres.connection import TALKATIVE  # noqa: PLC0415 - only who uses a server needs it

    server = PostgresServer(tmp_path_factory.mktemp("postgres"))
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        for setting in (setting for setting in TALKATIVE if setting.startswith("idle_")):
            patch.setitem(TALKATIVE, setting, "60s")
        yield server
    server.stop("immediate")


@pytest.fixture(scope="session")
def postgres_database(postgres: PostgresServer) -> str:
    """A database with our tables, for one test after the other."""
    name = postgres.fresh()

    async def migrated() -> None:
        from runner.store.postgres.outside import values_at  # noqa: PLC0415 - only who uses a server needs it

        async with values_at(postgres.url(name), SystemClock(), begin=True):
            return

    asyncio.run(migrated())
    postgres.run_sql(CLEANER, name)
    return name


@pytest.fixture
def postgres_url(postgres: PostgresServer, postgres_database: str) -> str:
    """The address of a database with our tables and nothing in them. What a test left goes before the next one."""
    postgres.run_sql("SELECT cleaned()", postgres_database)
    return postgres.url(postgres_database)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Count money that is not fully tested as an error of the run, in its closing line too."""
    cov: Any = config.pluginmanager.get_plugin("_cov")
    total = getattr(cov, "cov_total", None)
    if total is not None and total < (needed := cov.options.cov_fail_under):
        gap = pytest.CollectReport(
            nodeid="runner/money",
            outcome="failed",
            longrepr=f"{total:.1f} % of lines and branches are tested, {needed:.0f} % are needed",
            result=None,
        )
        terminalreporter.stats.setdefault("error", []).append(gap)
