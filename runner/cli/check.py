"""`check`: everything that would keep `run` from running, all at once.

Rules: problems fail it, warnings do not. --online asks each platform "who am I" with the bot's own credentials,
a few at a time, each at most `ANSWER_WITHIN_S`, each tool server for its tools, and a store in PostgreSQL what it is;
one that refuses or cannot be reached fails it too. Without it only secrets that are kept in such a store are asked for.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.files import load_file
from runner.cli.options import UNSAID, AsJson, Config

if TYPE_CHECKING:  # loaded only to check, not to print help
    from adapters.http import Shared
    from runner.bots import Bot, Channel
    from runner.config.problems import Problem

ANSWER_WITHIN_S = 15.0
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """What a platform, a tool server or the store said. `answer`: whose credentials, which tools, what, or why not.

    `bot` names the bots, and `channel` the server, where it is a tool server; the store is no bot's.
    """

    bot: str
    channel: str
    ok: bool
    answer: str


def check(
    config: Config = UNSAID,
    online: Annotated[
        bool,
        typer.Option(
            "--online",
            help="Also ask each platform whether it takes the bot's credentials, tool servers for their tools, and a"
            " store in PostgreSQL what it is.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check bots.yaml: all faults at once, each with its line. Exit 1 where there is one."""
    from runner.config.problems import Problems

    loaded = load_file(config)
    bots: tuple[Bot, ...] = () if isinstance(loaded, Problems) else loaded.settings.bots
    problems = loaded.problems if isinstance(loaded, Problems) else ()
    public_url = None if isinstance(loaded, Problems) else loaded.settings.server.public_url
    asked = asyncio.run(ask_all(bots, config.absolute().parent, public_url)) if online else []
    if online and not isinstance(loaded, Problems):
        asked[:0] = asyncio.run(ask_store(loaded.settings.store_url))
    if as_json:
        from runner.cli.screen import show_json

        show_json(
            {
                "file": str(config),
                "ok": not problems and all(answer.ok for answer in asked),
                "bots": len(bots),
                "problems": [asdict(problem) for problem in problems],
                "warnings": [asdict(warning) for warning in loaded.warnings],
                "online": [asdict(answer) for answer in asked] if online else None,
            }
        )
    else:
        for line in report(str(config), bots, problems, loaded.warnings):
            typer.echo(line)
        if asked:
            _show(asked)
    if problems or not all(answer.ok for answer in asked):
        raise typer.Exit(1)


def report(
    file: str, bots: Sequence[Bot], problems: Sequence[Problem], warnings: Sequence[Problem]
) -> list[str]:
    """What `check` says about the file itself, line by line."""
    lines = [*map(str, problems), *(f"warning: {warning}" for warning in warnings)]
    if problems:
        return [*lines, f"{file}: {_counted(len(problems), 'problem')}"]
    resting = sum(not bot.enabled for bot in bots)
    off = f" ({resting} not enabled)" if resting else ""
    odd = f"usable, {_counted(len(warnings), 'warning')}" if warnings else "all well"
    return [*lines, f"{file}: {_counted(len(bots), 'bot')}{off}, {odd}"]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


async def ask_all(bots: tuple[Bot, ...], folder: Path, public_url: str | None) -> list[Asked]:
    """Ask platforms, then tool servers. `folder`: of bots.yaml."""
    from runner.app.asking import ask_servers
    from runner.clock import SystemClock

    asked = await ask_platforms(bots, public_url)
    for offer in await ask_servers(bots, folder, os.environ, SystemClock()):
        tools = ", ".join(tool.name for tool in offer.tools) or "no tools"
        answer = offer.wrong or tools
        asked.append(Asked(", ".join(offer.bots), f"tools {offer.server}", not offer.wrong, answer))
    return asked


async def ask_store(url: str) -> list[Asked]:
    """Ask a store in PostgreSQL; one of this machine has nothing to say."""
    from runner.clock import SystemClock
    from runner.errors import StoreError
    from runner.store.catalogue import look_at
    from runner.store.postgres.address import is_postgres

    if not is_postgres(url):
        return []
    try:
        found = await look_at(url, SystemClock())
    except StoreError as error:
        return [Asked("", "store", False, str(error))]
    schema = "no tables yet" if found.schema is None else f"schema {found.schema}"
    facts = [
        f"PostgreSQL {found.server}",
        schema,
        f"{found.latency_ms:.1f} ms",
        _counted(found.daemons, "daemon"),
    ]
    if found.pooled:
        facts.append("behind a pooler in transaction mode: botrunner needs one in session mode, or none")
    return [Asked("", "store", not found.pooled, ", ".join(facts))]


async def ask_platforms(bots: Sequence[Bot], public_url: str | None = None) -> list[Asked]:
    """Ask for each connection of the enabled bots, in their order.

    Args:
        public_url: how platforms reach the daemon; who is posted to can tell its address then.
    """
    import secrets

    from adapters.http import Shared
    from runner.clock import SystemClock

    shared = Shared(SystemClock(), lambda: secrets.token_hex(16), public_url=public_url)
    turnstile = asyncio.Semaphore(AT_ONCE)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_ask(bot, channel, shared, turnstile), name=f"ask {bot.id} {channel.name}")
                for bot in bots
                if bot.enabled
                for channel in bot.channels
            ]
        return [task.result() for task in tasks]
    finally:
        await shared.close()


async def _ask(bot: Bot, channel: Channel, shared: Shared, turnstile: asyncio.Semaphore) -> Asked:
    from adapters import registry
    from adapters.errors import AdapterError

    async with turnstile:
        adapter = registry.build(channel.platform, channel.config, shared, bot_id=bot.id)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return Asked(bot.id, channel.name, True, await adapter.who_am_i())
        except AdapterError as error:
            return Asked(bot.id, channel.name, False, str(error))
        except TimeoutError:
            return Asked(bot.id, channel.name, False, f"no answer within {ANSWER_WITHIN_S:.0f} seconds")
        finally:
            await adapter.close()


def _show(asked: Sequence[Asked]) -> None:
    from rich.text import Text

    from runner.cli.screen import Column, screen, show_table

    columns = (Column("bot"), Column("channel"), Column(""), Column("what was said"))
    rows = [
        (one.bot, one.channel, Text("ok", "green") if one.ok else Text("no", "red"), one.answer)
        for one in asked
    ]
    show_table(screen(), columns, rows)
