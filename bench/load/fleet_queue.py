"""The same job by a task queue on the same PostgreSQL: procrastinate, a job a message, its lock the conversation.

    python -m bench.load.fleet_queue PLAN

    defer (durable) ─▶ [hold on the cap, a ledger row] ─▶ reply ─▶ [settle, both messages] ─▶ send ─▶ job done
                        a transaction                              a transaction

It keeps less than botrunner does: no history is read, a send leaves no trace, nothing is summed by day, and a job whose
worker died waits for somebody to find it.
"""

from __future__ import annotations

import asyncio
import logging

from procrastinate import App, PsycopgConnector
from psycopg_pool import AsyncConnectionPool

from bench.load.fleet_plan import QUESTION, Plan, plan_given, produce, say, told

CAP = 10**17
HOLD, COST = 60_000_000, 40_000_000
TABLES = """
CREATE TABLE caps (bot text PRIMARY KEY, settled bigint NOT NULL DEFAULT 0, held bigint NOT NULL DEFAULT 0);
CREATE TABLE calls (id text PRIMARY KEY, bot text NOT NULL, state text NOT NULL, amount bigint NOT NULL);
CREATE TABLE said (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, conversation text NOT NULL, who text NOT NULL,
    text text NOT NULL
);
CREATE INDEX said_in ON said (conversation, seq);
"""


async def prepare(url: str, bots: int) -> None:
    """Its tables and ours."""
    app = App(connector=PsycopgConnector(conninfo=url))
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
    async with AsyncConnectionPool(url, min_size=1, max_size=1) as pool, pool.connection() as connection:
        await connection.execute(TABLES)
        for number in range(bots):
            await connection.execute("INSERT INTO caps (bot) VALUES (%s)", (f"bot{number}",))


async def main(plan: Plan) -> None:
    app = App(connector=PsycopgConnector(conninfo=plan.url, min_size=2, max_size=2 + plan.workers))
    async with (
        app.open_async(),
        AsyncConnectionPool(plan.url, min_size=2, max_size=plan.workers) as pool,
    ):

        @app.task(name="answer", queue="messages")
        async def answer(bot: str, conversation: str, event: str) -> None:
            await _answer(pool, bot, conversation, event)

        async def write(bot: str, conversation: str, event: str) -> None:
            job = app.configure_task("answer", lock=f"{bot}/{conversation}", queue="messages")
            await job.defer_async(bot=bot, conversation=conversation, event=event)

        working = asyncio.create_task(
            app.run_worker_async(
                queues=["messages"],
                concurrency=plan.workers,
                install_signal_handlers=False,
                delete_jobs="never",
            )
        )
        say("ready")
        await told("go")
        await produce(plan, write)
        say("fed")
        await told("stop")
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def _answer(pool: AsyncConnectionPool, bot: str, conversation: str, event: str) -> None:
    async with pool.connection() as connection:
        found = await connection.execute("SELECT settled + held FROM caps WHERE bot = %s FOR UPDATE", (bot,))
        row = await found.fetchone()
        if row is None or row[0] + HOLD > CAP:
            return
        await connection.execute("UPDATE caps SET held = held + %s WHERE bot = %s", (HOLD, bot))
        await connection.execute("INSERT INTO calls VALUES (%s, %s, 'held', %s)", (event, bot, HOLD))
    reply = f"You said: {QUESTION}"
    async with pool.connection() as connection:
        await connection.execute(
            "UPDATE caps SET settled = settled + %s, held = held - %s WHERE bot = %s", (COST, HOLD, bot)
        )
        await connection.execute(
            "UPDATE calls SET state = 'settled', amount = %s WHERE id = %s", (COST, event)
        )
        await connection.execute(
            "INSERT INTO said (conversation, who, text) VALUES (%s, 'user', %s), (%s, 'bot', %s)",
            (conversation, QUESTION, conversation, reply),
        )
    await _send(reply)


async def _send(_: str) -> None:
    """Handed over."""


if __name__ == "__main__":
    logging.getLogger("procrastinate").setLevel(logging.ERROR)
    asyncio.run(main(plan_given()))
