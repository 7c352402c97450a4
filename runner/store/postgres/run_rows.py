"""Units on the tables `runs`, `errands`, `handoffs` and `memories`.

Rule: what an errand becomes and what a decision sets off is written by the unit that ends what it came from.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.errors import IllegalStep
from runner.ports.mail import FinishedTurn
from runner.ports.runs import (
    ERRAND_ACCOUNT,
    MOST_MEMORIES,
    Decision,
    Errand,
    Handoff,
    RunRecord,
)
from runner.store.postgres.changes import changed
from runner.store.postgres.connection import Connection
from runner.store.queries import Queries
from runner.store.rows import handoff_from

AT_ONCE = 500
_OF_USER = (
    "forget_errands_of_user",
    "forget_handoffs_of_user",
    "forget_runs_of_user",
    "forget_memories_of_user",
)
_OF_CONVERSATION = (
    "forget_errands_of_conversation",  # found by their runs, so they go first
    "forget_handoffs_of_conversation",
    "forget_runs_of_conversation",
)
_OLD = ("forget_old_runs", "forget_old_handoffs")


class RunRows:
    """Units on runs, errands and hand-offs."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    async def end_turn(self, connection: Connection, turn: FinishedTurn) -> None:
        """What a turn's end leaves behind of a run. Raises IllegalStep: its hand-off was asked before."""
        if turn.run is not None:
            await self._save(connection, turn.run)
        for errand in turn.errands:
            await self.owe(connection, errand)
        if turn.handoff is not None:
            await self._ask(connection, turn.handoff)

    async def owe(self, connection: Connection, errand: Errand) -> bool:
        """As `RunStore.owe`."""
        e = errand
        owed = await connection.execute(
            self._sql["owe_errand"],
            *(e.key, e.bot, e.channel, e.lane, e.payload, e.due_ms, e.run, e.user, ERRAND_ACCOUNT),
        )
        return changed(owed) == 1

    async def send(self, connection: Connection, key: str, now_ms: int) -> int | None:
        """As `RunStore.send_errand`."""
        sent = await connection.fetchval(self._sql["send_errand"], key, ERRAND_ACCOUNT, now_ms)
        return None if sent is None else int(sent)

    async def decide(
        self, connection: Connection, decided: tuple[str, Decision, str, str, int], errand: Errand
    ) -> Handoff:
        """As `RunStore.decide`; `decided`: hand-off, decision, by, comment, when."""
        written = await connection.fetchrow(self._sql["decide"], *decided)
        if written is None:
            raise IllegalStep(f"hand-off {decided[0]} is decided already or was never there")
        await self.owe(connection, errand)
        return handoff_from(written)

    async def handoff(self, connection: Connection, handoff: str) -> Handoff | None:
        """As `RunStore.handoff`."""
        row = await connection.fetchrow(self._sql["handoff"], handoff)
        return None if row is None else handoff_from(row)

    async def remember(
        self, connection: Connection, bot: str, owner: str, key: str, value: str | None, at_ms: int
    ) -> None:
        """As `RunStore.remember`."""
        if value is None:
            await connection.execute(self._sql["forget_memory"], bot, owner, key)
            return
        await connection.execute(self._sql["remember"], bot, owner, key, value, at_ms)
        await connection.execute(self._sql["drop_oldest_memories"], bot, owner, MOST_MEMORIES)

    # ── forgetting: some rows at a time; 0: nothing was left to do ─────────────────────────────────────────
    async def forget_old(self, connection: Connection, before_ms: int) -> int:
        """Some runs that do not wait and some hand-offs that were decided before that."""
        return await self._forget(connection, _OLD, before_ms, AT_ONCE)

    async def forget_user(self, connection: Connection, bot: str | None, user: str) -> int:
        """Some of what is kept of a user's runs, and what is remembered of the user."""
        return await self._forget(connection, _OF_USER, user, AT_ONCE, bot)

    async def forget_conversation(self, connection: Connection, conversation: str) -> int:
        """Some of what is kept of a conversation's runs."""
        return await self._forget(connection, _OF_CONVERSATION, conversation, AT_ONCE)

    async def _forget(self, connection: Connection, queries: Sequence[str], *asked: object) -> int:
        for query in queries:
            if removed := changed(await connection.execute(self._sql[query], *asked)):
                return removed
        return 0

    async def _save(self, connection: Connection, run: RunRecord) -> None:
        await connection.execute(
            self._sql["save_run"],
            *(run.id, run.bot, run.conversation, run.channel, run.user, run.status, run.started_ms),
            *(run.at_ms, run.state, run.trace, run.turn, run.waiting_for),
        )

    async def _ask(self, connection: Connection, handoff: Handoff) -> None:
        h = handoff
        asked = await connection.execute(
            self._sql["save_handoff"],
            *(h.id, h.run, h.bot, h.conversation, h.channel, h.lane, h.user, h.reason, h.errand),
            *(h.asked_ms, h.decision, h.by, h.comment, h.decided_ms),
        )
        if changed(asked) != 1:
            raise IllegalStep(f"hand-off {handoff.id} is there already")
