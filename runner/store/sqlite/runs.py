"""`runner.ports.runs.RunStore` on SQLite; lists for people are read beside the writer."""

from __future__ import annotations

from runner.ports.runs import Decision, Errand, Handoff, RunRecord
from runner.store.rows import handoff_from, run_from
from runner.store.sqlite.queries import Queries
from runner.store.sqlite.reader import SqliteReader
from runner.store.sqlite.run_rows import RunRows
from runner.store.sqlite.writer import Writer


class SqliteRuns:
    """A `runner.ports.runs.RunStore`."""

    def __init__(self, writer: Writer, reader: SqliteReader, sql: Queries, rows: RunRows) -> None:
        self._writer = writer
        self._reader = reader
        self._sql = sql
        self._rows = rows

    async def run(self, run: str) -> RunRecord | None:
        """As the port says."""
        row = await self._writer.read(lambda c: c.execute(self._sql["run"], (run,)).fetchone())
        return None if row is None else run_from(row)

    async def runs(self, bot: str, limit: int) -> list[RunRecord]:
        """As the port says."""
        query = self._sql["runs_of_bot"]
        return await self._reader.look(lambda c: [run_from(row) for row in c.execute(query, (bot, limit))])

    async def waiting_runs(self, conversation: str) -> list[RunRecord]:
        """As the port says."""
        query = self._sql["waiting_runs"]
        return await self._writer.read(lambda c: [run_from(row) for row in c.execute(query, (conversation,))])

    async def errands(self, now_ms: int, limit: int) -> list[Errand]:
        """As the port says."""
        query = self._sql["due_errands"]
        return await self._writer.read(lambda c: [Errand(*row) for row in c.execute(query, (now_ms, limit))])

    async def next_errand_ms(self) -> int | None:
        """As the port says."""
        row = await self._writer.read(lambda c: c.execute(self._sql["next_errand"]).fetchone())
        return None if row[0] is None else int(row[0])

    async def owe(self, errand: Errand) -> bool:
        """As the port says."""
        return await self._writer.write(lambda c: self._rows.owe(c, errand))

    async def send_errand(self, key: str, now_ms: int) -> int | None:
        """As the port says."""
        return await self._writer.write(lambda c: self._rows.send(c, key, now_ms))

    async def handoff(self, handoff: str) -> Handoff | None:
        """As the port says."""
        return await self._writer.read(lambda c: self._rows.handoff(c, handoff))

    async def handoffs(self, decision: Decision | None, limit: int) -> list[Handoff]:
        """As the port says."""
        query = self._sql["handoffs" if decision is None else "handoffs_decided_so"]
        asked = {"decision": decision, "limit": limit}
        return await self._reader.look(lambda c: [handoff_from(row) for row in c.execute(query, asked)])

    async def decide(
        self, handoff: str, decision: Decision, by: str, comment: str, errand: Errand, now_ms: int
    ) -> Handoff:
        """As the port says."""
        decided = (handoff, decision, by, comment, now_ms)
        return await self._writer.write(lambda c: self._rows.decide(c, decided, errand))

    async def recall(self, bot: str, owner: str, key: str) -> str | None:
        """As the port says."""
        asked = (bot, owner, key)
        row = await self._writer.read(lambda c: c.execute(self._sql["recall"], asked).fetchone())
        return None if row is None else str(row[0])

    async def remember(self, bot: str, owner: str, key: str, value: str | None, at_ms: int) -> None:
        """As the port says."""
        await self._writer.write(lambda c: self._rows.remember(c, bot, owner, key, value, at_ms))
