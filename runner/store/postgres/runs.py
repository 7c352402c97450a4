"""`runner.ports.runs.RunStore` on PostgreSQL."""

from __future__ import annotations

from runner.ports.runs import Decision, Errand, Handoff, RunRecord
from runner.store.postgres.desk import Desk
from runner.store.postgres.run_rows import RunRows
from runner.store.queries import Queries
from runner.store.rows import handoff_from, run_from


class PostgresRuns:
    """A `runner.ports.runs.RunStore`."""

    def __init__(self, desk: Desk, sql: Queries, rows: RunRows) -> None:
        self._desk = desk
        self._sql = sql
        self._rows = rows

    async def run(self, run: str) -> RunRecord | None:
        """As the port says."""
        row = await self._desk.read(lambda c: c.fetchrow(self._sql["run"], run))
        return None if row is None else run_from(row)

    async def runs(self, bot: str, limit: int) -> list[RunRecord]:
        """As the port says."""
        rows = await self._desk.read(lambda c: c.fetch(self._sql["runs_of_bot"], bot, limit))
        return [run_from(row) for row in rows]

    async def waiting_runs(self, conversation: str) -> list[RunRecord]:
        """As the port says."""
        rows = await self._desk.read(lambda c: c.fetch(self._sql["waiting_runs"], conversation))
        return [run_from(row) for row in rows]

    async def errands(self, now_ms: int, limit: int) -> list[Errand]:
        """As the port says."""
        rows = await self._desk.read(lambda c: c.fetch(self._sql["due_errands"], now_ms, limit))
        return [Errand(*row) for row in rows]

    async def next_errand_ms(self) -> int | None:
        """As the port says."""
        found = await self._desk.read(lambda c: c.fetchval(self._sql["next_errand"]))
        return None if found is None else int(found)

    async def owe(self, errand: Errand) -> bool:
        """As the port says."""
        return await self._desk.write(lambda c: self._rows.owe(c, errand))

    async def send_errand(self, key: str, now_ms: int) -> int | None:
        """As the port says; of several daemons one sends it."""
        return await self._desk.write(lambda c: self._rows.send(c, key, now_ms))

    async def handoff(self, handoff: str) -> Handoff | None:
        """As the port says."""
        return await self._desk.read(lambda c: self._rows.handoff(c, handoff))

    async def handoffs(self, decision: Decision | None, limit: int) -> list[Handoff]:
        """As the port says."""
        if decision is None:
            rows = await self._desk.read(lambda c: c.fetch(self._sql["handoffs"], limit))
        else:
            rows = await self._desk.read(lambda c: c.fetch(self._sql["handoffs_decided_so"], limit, decision))
        return [handoff_from(row) for row in rows]

    async def decide(
        self, handoff: str, decision: Decision, by: str, comment: str, errand: Errand, now_ms: int
    ) -> Handoff:
        """As the port says."""
        decided = (handoff, decision, by, comment, now_ms)
        return await self._desk.write(lambda c: self._rows.decide(c, decided, errand))

    async def recall(self, bot: str, owner: str, key: str) -> str | None:
        """As the port says."""
        found = await self._desk.read(lambda c: c.fetchval(self._sql["recall"], bot, owner, key))
        return None if found is None else str(found)

    async def remember(self, bot: str, owner: str, key: str, value: str | None, at_ms: int) -> None:
        """As the port says."""
        await self._desk.write(lambda c: self._rows.remember(c, bot, owner, key, value, at_ms))
