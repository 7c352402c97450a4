"""`chat`: talk to a bot in the terminal, with what each answer cost.

Rules: the bot is the daemon's where one runs, else it is started here without its platforms; a conversation at
the terminal is the same one from day to day, `/new` begins another; what a model says cannot steer the terminal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.cli.options import UNSAID, AsJson, BotId, Config
from runner.errors import OperatorError

if TYPE_CHECKING:
    from rich.console import Console

    from runner.cli.talk import Answer, Talk

USER = "terminal"
LONGEST_TURN_S = 90.0
"""More than any bot's `timeout_ms` and the daemon's own margin."""
LEAVE = {"/quit", "/exit"}
PROMPT = "you> "


def chat(
    bot: BotId,
    config: Config = UNSAID,
    message: Annotated[
        str | None, typer.Option("--message", "-m", metavar="TEXT", help="Say this, print the answer, end.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Talk to a bot here, through the real pipeline: it is really charged. /quit or Ctrl-D leaves."""
    from runner.cli.screen import screen

    console = screen()
    by_hand = message is None and sys.stdin.isatty()
    with _talk(config, bot) as talk:
        if by_hand:
            console.print(greeting(bot), style="dim")
        for text in _by_hand(console) if by_hand else _given(message):
            _show(console, talk.say(text), as_json)


def greeting(bot_id: str) -> str:
    """What there is to know before the first word."""
    from runner.dispatch.texts import COMMANDS

    return f"You are talking to {bot_id}. {', '.join(f'/{name}' for name in COMMANDS)}; /quit leaves."


def figures(answer: Answer) -> str:
    """The line under an answer: tokens, cost, time, model, and why that model where it was not the first choice."""
    tokens, route = answer.get("tokens") or {}, answer.get("route")
    if not route:
        return f"no model was called, {answer.get('latency_ms', 0)} ms"
    cached = f" ({tokens['cache_read']} cached)" if tokens.get("cache_read") else ""
    parts = [
        f"{tokens.get('input', 0)} tokens in{cached}, {tokens.get('output', 0)} out",
        f"{answer.get('cost_usd', '?')} USD",
        f"{answer.get('latency_ms', 0)} ms",
        f"{route.get('provider')}/{route.get('model')}",
    ]
    if route.get("route") not in {None, "", "default"}:
        parts.append(f"{route['route']}: {route['reason']}" if route.get("reason") else str(route["route"]))
    if answer.get("tool_calls"):
        parts.append("tools: " + ", ".join(str(call["toolName"]) for call in answer["tool_calls"]))
    if answer.get("stop_reason") not in {None, "answered"}:
        parts.append(f"ended by: {answer['stop_reason']}")
    return " · ".join(parts)


@contextmanager
def _talk(config: Path, bot_id: str) -> Iterator[Talk]:
    from runner.cli.daemon import find_daemon
    from runner.cli.files import find_bot, load_settings, no_such_bot
    from runner.cli.talk import InProcess, ThroughDaemon
    from runner.config.loader import state_dir

    daemon = find_daemon(config, state_dir(os.environ))
    if daemon is not None:
        known = daemon.bot_ids()
        if bot_id not in known:
            raise no_such_bot(bot_id, known)
        yield ThroughDaemon(daemon, bot_id, USER, LONGEST_TURN_S)
        return
    if not find_bot(load_settings(config), bot_id).enabled:
        raise OperatorError(f"bot {bot_id!r} is not enabled", "take `enabled: false` away in bots.yaml")
    from runner.app import chat_session

    with InProcess(lambda: chat_session(config, os.environ, bot_id)) as talk:
        yield talk


def _by_hand(console: Console) -> Iterator[str]:
    """What somebody types, until they leave."""
    import readline  # noqa: F401 - gives `input` its line editing and history

    while True:
        try:
            text = input(PROMPT).strip()
        except EOFError:
            console.print()
            return
        if text in LEAVE:
            return
        if text:
            yield text


def _given(message: str | None) -> Iterator[str]:
    """The one message, or the lines of stdin."""
    if message is not None:
        if not message.strip():
            raise OperatorError("there is nothing to say: --message is empty")
        yield message
        return
    for line in sys.stdin:
        if line.strip() in LEAVE:
            return
        if line.strip():
            yield line.strip()


def _show(console: Console, answer: Answer, as_json: bool) -> None:
    from runner.cli.screen import printable

    if as_json:
        import json

        line: dict[str, Any] = dict(answer)
        print(json.dumps(line, ensure_ascii=False), flush=True)
        return
    console.print(printable(str(answer["response"])), soft_wrap=True)
    console.print(printable(figures(answer)), style="dim", soft_wrap=True)
