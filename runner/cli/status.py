"""`status`: the running daemon's bots, their connections, and what each has spent of its cap."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runner.cli.options import UNSAID, AsJson, Config
from runner.money.amounts import Money, from_cents, from_usd, to_usd

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_STYLES = {"up": "green", "connecting": "cyan", "degraded": "yellow", "down": "red", "refused": "bold red"}
_OFF = "off"


def status(config: Config = UNSAID, as_json: AsJson = False) -> None:
    """Show the bots of the running daemon: connections, spend against cap, messages that wait."""
    from runner.cli.daemon import need_daemon
    from runner.cli.screen import Column, screen, show_json, show_table
    from runner.config.loader import state_dir

    daemon = need_daemon(config, state_dir(os.environ))
    answer = daemon.status()
    if as_json:
        show_json({"url": daemon.note.url, **answer})
        return
    console = screen()
    columns = (
        Column("bot"),
        Column("channel"),
        Column("connection"),
        Column("spent", number=True),
        Column("cap", number=True),
        Column("used"),
        Column("waiting", number=True),
        Column("why"),
    )
    show_table(console, columns, [row for bot in answer["bots"] for row in bot_rows(console, bot)])
    if answer.get("fleet"):
        from runner.cli.status_fleet import show_fleet

        show_fleet(console, answer["fleet"])
    console.print(closing_line(daemon.note.url, answer))
    for line in (*tool_lines(answer), *health_lines(answer), *config_lines(answer)):
        console.print(line)


def tool_lines(answer: Mapping[str, Any]) -> list[str]:
    """Whose tools are off, and why."""
    from runner.cli.screen import printable

    return [
        printable(f"{bot['id']} is without the tools of {server['name']}: {server['why']}")
        for bot in answer["bots"]
        for server in bot.get("tool_servers", ())
        if server["why"]
    ]


def config_lines(answer: Mapping[str, Any]) -> list[str]:
    """What of bots.yaml is not in force, and why."""
    config = answer.get("health", {}).get("config", {})
    lines = []
    if config.get("fault"):
        lines = [f"bots.yaml cannot be used: the one read at {config['loaded_at']} goes on", *config["fault"]]
    if config.get("needs_restart"):
        lines.append(f"in force after a restart only: {', '.join(config['needs_restart'])}")
    return lines


def health_lines(answer: Mapping[str, Any]) -> list[str]:
    """What `/health/ready` says; what is wrong with a connection or bots.yaml stands elsewhere."""
    health = answer.get("health", {})
    if "status" not in health:
        return []
    found = {
        f"the event loop is {health['loop']['lag_ms']} ms late": health["loop"]["ok"],
        f"the store takes nothing: {health['store']['why']}": health["store"]["ok"],
        "no connection works": health["connections"]["ok"],
    }
    wrong = [what for what, ok in found.items() if not ok]
    return [f"health: {health['status']}{': ' if wrong else ''}{'; '.join(wrong)}"]


def bot_rows(console: Console, bot: Mapping[str, Any]) -> list[list[str | Text]]:
    """A row for each connection of the bot; its money stands in the first one only."""
    from rich.text import Text

    from runner.cli.screen import printable

    connections = bot["connections"] or [
        {"channel": bot["platform"] or "", "state": "up" if bot["enabled"] else _OFF, "why": ""}
    ]
    money = spend(console, bot)
    rows: list[list[str | Text]] = []
    for index, connection in enumerate(connections):
        state = str(connection["state"]) if bot["enabled"] else _OFF
        first = index == 0
        rows.append(
            [
                bot["id"] if first else "",
                connection["channel"],
                Text(state, _STYLES.get(state, "dim")),
                *(money if first else ("", "", "")),
                str(bot["waiting"]) if first else "",
                printable(_told(connection)),
            ]
        )
    return rows


def _told(connection: Mapping[str, Any]) -> str:
    """Why it is so, and which daemon of a fleet holds it."""
    holder = connection.get("held_by")
    return "; ".join(filter(None, (connection["why"], f"on {holder}" if holder else "")))


def spend(console: Console, bot: Mapping[str, Any]) -> Sequence[str]:
    """What stands against the cap, the cap, and the one as part of the other."""
    from runner.cli.screen import bar

    taken = Money(sum(from_usd(bot[name]) for name in ("spent_usd", "held_usd", "unknown_usd")))
    if bot["spending_cap_cents"] is None:
        return to_usd(taken), "none", ""
    cap = from_cents(bot["spending_cap_cents"])
    share = f" {taken * 100 // cap:3d} %" if cap else ""
    return to_usd(taken), to_usd(cap), bar(console, taken if cap else 1, cap or 1) + share


def closing_line(url: str, answer: Mapping[str, Any]) -> str:
    """The daemon itself, and what is odd about its outbox."""
    parts = [f"daemon at {url}, pid {answer['pid']}, since {answer['started_at']}"]
    parts += [f"{count} answers {state}" for state, count in answer["outbox"].items() if count]
    if answer["possibly_doubled"]:
        parts.append(f"{answer['possibly_doubled']} possibly sent twice")
    return ", ".join(parts)
