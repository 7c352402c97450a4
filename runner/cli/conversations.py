"""`conversations`: what was said to bots; a user's data shown, taken along, or deleted.

Rules: reading is beside a running daemon or without one; deleting goes through the daemon where one runs, and is
done only with --yes; an export holds that user's own turns, not what others said in the same channel; what a
conversation cost stays in the ledger, which has no word of it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from runner.cli.options import UNSAID, AsJson, Config
from runner.errors import OperatorError

if TYPE_CHECKING:
    from runner.ports.reading import StoreReader
    from runner.ports.reports import ConversationLine, Transcript
    from runner.ports.stores import Store

PAGE = 200
ALL_TURNS = 2**31
FORGET_WITHIN_S = 120.0

User = Annotated[
    str | None, typer.Option("--user", metavar="USER", help="The user's id, as `list` shows it.")
]
OfBot = Annotated[str | None, typer.Option("--bot", metavar="BOT", help="With this bot only.")]
Conversation = Annotated[str, typer.Argument(metavar="ID", help="The conversation's id, as `list` shows it.")]


def list_conversations(
    config: Config = UNSAID,
    bot: OfBot = None,
    user: User = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List conversations, the latest first."""
    lines = asyncio.run(_with_books(config, lambda books: _lines(books, bot, user, limit)))
    from runner.cli.screen import Column, printable, screen, show_json, show_table
    from runner.web.api.reports import conversation_shown

    shown = [conversation_shown(line).model_dump() for line in lines]
    if as_json:
        show_json({"conversations": shown})
        return
    if not shown:
        typer.echo("There is no conversation.")
        return
    columns = [
        Column("id"),
        Column("bot"),
        Column("channel", spare=True),
        Column("user"),
        Column("latest"),
        Column("turns", number=True),
        Column("messages", number=True, spare=True),
        Column("USD", number=True),
    ]
    names = ("id", "bot", "channel", "user", "last_at", "turns", "messages", "cost_usd")
    show_table(screen(), columns, [[printable(str(line[name])) for name in names] for line in shown])


def show_conversation(conversation: Conversation, config: Config = UNSAID, as_json: AsJson = False) -> None:
    """Show all that was said in a conversation."""
    found = asyncio.run(_with_books(config, lambda books: books.transcript(conversation, ALL_TURNS)))
    if found is None:
        raise OperatorError(f"there is no conversation {conversation[:80]!r} (any more)")
    shown = _whole(found, None)
    from runner.cli.screen import show_json

    if as_json:
        show_json(shown)
        return
    _print(shown)


def delete_conversations(
    conversation: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="This conversation, whoever spoke in it.")
    ] = None,
    config: Config = UNSAID,
    user: User = None,
    bot: OfBot = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it: it cannot be taken back.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a conversation, or all that a user said and was told. The ledger keeps what it cost, without words."""
    if (conversation is None) == (user is None):
        raise typer.BadParameter("name a conversation, or a user", param_hint="ID / --user")
    if bot is not None and user is None:
        raise typer.BadParameter("goes with --user", param_hint="--bot")
    what = f"conversation {conversation}" if user is None else f"all that {user} said and was told"
    if not yes:
        raise typer.BadParameter(f"{what} would be deleted for good: say so", param_hint="--yes")
    done = _forget_by_daemon(config, conversation, user, bot) or asyncio.run(
        _forget_here(config, conversation, user, bot)
    )
    if as_json:
        from runner.cli.screen import show_json

        show_json(done)
    else:
        typer.echo(f"{what}: {done['removed']} rows deleted")
        if done["left"]:
            typer.echo(
                "Something is left: a turn runs, or an answer is on its way. Delete again in a minute."
            )
    if done["left"]:
        raise typer.Exit(1)


def export_conversations(
    user: Annotated[str, typer.Option("--user", metavar="USER", help="Whose, as `list` shows it.")],
    config: Config = UNSAID,
    bot: OfBot = None,
) -> None:
    """Print all that a user said and was told as JSON Lines, a conversation each."""
    asyncio.run(_with_books(config, lambda books: _export(books, bot, user)))


async def _with_books(config: Path, read: Callable[[StoreReader], Awaitable[Any]]) -> Any:  # noqa: ANN401 - what `read` gives
    from runner.cli.books import open_books
    from runner.cli.files import load_settings

    async with open_books(load_settings(config)) as books:
        return await read(books)


async def _lines(books: StoreReader, bot: str | None, user: str | None, limit: int) -> list[ConversationLine]:
    lines: list[ConversationLine] = []
    async with aclosing(_pages(books, bot, user, limit)) as pages:
        async for page in pages:
            lines += page
            if len(lines) >= limit:
                break
    return lines[:limit]


async def _pages(
    books: StoreReader, bot: str | None, user: str | None, limit: int = PAGE
) -> AsyncGenerator[list[ConversationLine], None]:
    before = None
    while page := await books.conversations(bot, min(limit, PAGE), before, user):
        yield page
        before = (page[-1].last_ms, page[-1].id)


async def _export(books: StoreReader, bot: str | None, user: str) -> None:
    async with aclosing(_pages(books, bot, user)) as pages:
        async for page in pages:
            for line in page:
                found = await books.transcript(line.id, ALL_TURNS)
                if found is not None:
                    sys.stdout.write(json.dumps(_whole(found, user), ensure_ascii=False) + "\n")


def _whole(found: Transcript, user: str | None) -> dict[str, Any]:
    """A conversation with its turns; those of one user where one is named."""
    from runner.web.api.reports import conversation_shown, turn_shown

    turns = [turn_shown(turn).model_dump() for turn in found.turns if user in (None, turn.user)]
    return {**conversation_shown(found.line).model_dump(), "transcript": turns}


def _print(shown: dict[str, Any]) -> None:
    from rich.text import Text

    from runner.cli.screen import printable, screen

    console = screen()
    head = f"{shown['bot']} on {shown['channel']}, {shown['turns']} turns, {shown['cost_usd']} USD"
    console.print(f"{shown['id']}: {printable(head)}")
    for turn in shown["transcript"]:
        console.print()
        facts = f"{turn['at']}  {turn['turn_id']}  {turn['stop_reason']}  {turn['cost_usd']} USD"
        console.print(Text(facts, "dim"))
        for message in turn["messages"]:
            for who, said in _spoken(turn["user"], shown["bot"], message):
                console.print(Text.assemble((f"{printable(who)}> ", "bold"), printable(said)))


def _spoken(user: str, bot: str, message: dict[str, Any]) -> list[tuple[str, str]]:
    """Who said what, in a remembered message."""
    match message["role"]:
        case "user":
            return [(message["name"] or user, message["text"])]
        case "assistant":
            calls = [(bot, f"[calls {call['name']} {call['arguments']}]") for call in message["tool_calls"]]
            return ([(bot, message["text"])] if message["text"] else []) + calls
        case _:
            return [(result["name"], result["text"]) for result in message["results"]]


def _forget_by_daemon(
    config: Path, conversation: str | None, user: str | None, bot: str | None
) -> dict[str, Any] | None:
    """What the running daemon did; None where none runs."""
    import os

    from runner.cli.daemon import find_daemon
    from runner.config.loader import state_dir

    daemon = find_daemon(config, state_dir(os.environ))
    if daemon is None:
        return None
    if conversation is not None:
        return daemon.call(
            "DELETE", f"/api/conversations/{quote(conversation, safe='')}", None, FORGET_WITHIN_S
        )
    return daemon.call("POST", "/api/users/forget", {"user": user, "bot": bot}, FORGET_WITHIN_S)


async def _forget_here(
    config: Path, conversation: str | None, user: str | None, bot: str | None
) -> dict[str, Any]:
    from runner.cli.books import open_store_here
    from runner.cli.files import load_settings

    async with open_store_here(load_settings(config)) as store:
        if conversation is not None:
            return await _forget_one(store, conversation)
        removed = await store.forget_user(bot, user or "")
        return {"removed": removed, "left": bool(await store.conversations(bot, 1, None, user))}


async def _forget_one(store: Store, conversation: str) -> dict[str, Any]:
    if await store.transcript(conversation, 1) is None:
        raise OperatorError(f"there is no conversation {conversation[:80]!r} (any more)")
    removed = await store.forget_conversation(conversation)
    return {"removed": removed, "left": await store.transcript(conversation, 1) is not None}
