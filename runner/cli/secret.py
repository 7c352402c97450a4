"""`secret set / list / rm / rotate`: the encrypted store that `${secret:NAME}` of bots.yaml reads.

Rules: a secret is typed where nobody sees it or comes by stdin, never as an argument, for arguments are seen by
everybody on the machine and stay in a shell's history; nothing ever prints one. The store is that of the state
folder, so a daemon of systemd is meant by BOTRUNNER_STATE. A running daemon reads secrets at its next reload.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.options import UNSAID, AsJson, Config
from runner.errors import OperatorError

if TYPE_CHECKING:
    from runner.config.secret_store import SecretStore
    from runner.config.secret_uses import Use

_RELOAD = "a running daemon uses it from its next reload on"
_MS_PER_S = 1000

SecretName = Annotated[str, typer.Argument(metavar="NAME", help="The NAME of ${secret:NAME}.")]


def set_secret(
    context: typer.Context,
    name: SecretName,
    from_stdin: Annotated[
        bool, typer.Option("--from-stdin", help="Read it from stdin, without its last line break.")
    ] = False,
) -> None:
    """Keep a secret, encrypted, in place of the one of that name. It is asked for, and not shown."""
    if context.args:
        raise typer.BadParameter("a secret is never an argument: leave it out and it is asked for", context)
    text = _from_stdin() if from_stdin else _asked(name)
    with _store() as store:
        try:
            store.set(name, text)
        except ValueError as fault:
            raise OperatorError(str(fault)) from None
    typer.echo(f"{name} is kept; {_RELOAD}")


def list_secrets(config: Config = UNSAID, as_json: AsJson = False) -> None:
    """List the names of all secrets, when each was set, and which bots use it. What they hold is not shown."""
    from runner.clock import UnixMs, iso

    with _store() as store:
        kept = store.entries()
    uses = _uses(config) or []
    rows = [
        (
            entry.name,
            None if entry.set_at_s is None else iso(UnixMs(entry.set_at_s * _MS_PER_S)),
            list(dict.fromkeys(bot for use in uses if use.secret == entry.name for bot in use.bots)),
            [use.place for use in uses if use.secret == entry.name],
        )
        for entry in kept
    ]
    if as_json:
        from runner.cli.screen import show_json

        keys = ("name", "set_at", "bots", "places")
        show_json({"secrets": [dict(zip(keys, row, strict=True)) for row in rows]})
        return
    if not rows:
        typer.echo("no secrets are kept; `botrunner secret set NAME` keeps one")
        return
    from runner.cli.screen import Column, screen, show_table

    columns = [Column("name"), Column("set", number=True), Column("bots"), Column("used in", spare=True)]
    shown = [
        [name, (at or "unknown")[:16].replace("T", " "), ", ".join(bots), ", ".join(places)]
        for name, at, bots, places in rows
    ]
    show_table(screen(), columns, shown)


def remove_secret(
    name: SecretName,
    config: Config = UNSAID,
    force: Annotated[
        bool, typer.Option("--force", help="Forget it even where bots.yaml refers to it.")
    ] = False,
) -> None:
    """Forget a secret. Refused where bots.yaml refers to it."""
    if not force:
        _check_unused(name, config)
    with _store() as store:
        if not store.remove(name):
            from runner.config.problems import did_you_mean

            raise OperatorError(f"there is no secret {name!r}{did_you_mean(name, store.names())}")
    typer.echo(f"{name} is forgotten")


def rotate_key() -> None:
    """Make a new key and encrypt every secret with it. The old key opens nothing afterwards."""
    from runner.config.secret_tokens import NoNewKey

    with _store() as store:
        done = store.rotate()
    if isinstance(done, NoNewKey):
        raise OperatorError(
            f"the key comes from {done.source}, which holds only one",
            "Put a new key before it, with a blank or a line break between them, and do this again;"
            " `openssl rand -base64 32 | tr '+/' '-_'` makes one.",
        )
    count = "1 secret is" if done.secrets == 1 else f"{done.secrets} secrets are"
    typer.echo(f"{count} encrypted with a new key, from {done.source}")
    if done.old_keys:
        typer.echo("nothing needs the keys behind it any more: take them away")


@contextmanager
def _store() -> Iterator[SecretStore]:
    """The store of the state folder; what it cannot do is an operator's error."""
    from runner.config.loader import state_dir
    from runner.config.secret_store import SecretStore
    from runner.config.secrets import SecretsUnreadable

    folder = state_dir(os.environ)
    try:
        yield SecretStore(folder, os.environ)
    except SecretsUnreadable as fault:
        raise OperatorError(f"the secrets in {folder} cannot be used: {fault}") from None
    except OSError as fault:
        raise OperatorError(
            f"the secrets in {folder} cannot be used: {os.strerror(fault.errno or 0)}"
        ) from None


def _from_stdin() -> str:
    from runner.config.secret_tokens import LONGEST_SECRET

    try:
        text = sys.stdin.read(LONGEST_SECRET + 2)  # one too many is refused, whatever follows
    except UnicodeDecodeError:
        raise OperatorError("what came by stdin is not a UTF-8 text") from None
    return text.removesuffix("\n").removesuffix("\r")


def _asked(name: str) -> str:
    """What is typed at the terminal, unseen."""
    if not sys.stdin.isatty():
        raise OperatorError("there is no terminal to ask at", "--from-stdin reads the secret from stdin")
    answer: str = typer.prompt(f"{name} (not shown)", hide_input=True)
    return answer


def _uses(config: Path) -> list[Use] | None:
    """Where bots.yaml refers to secrets; None where that cannot be told."""
    from runner.config.document import read_document
    from runner.config.secret_uses import uses_of
    from runner.config.secrets import read_text_file

    if not config.exists():
        return []
    try:
        document = read_document(read_text_file(config), str(config))
    except (OSError, ValueError):
        return None
    return None if document.data is None and document.problems else uses_of(document.data)


def _check_unused(name: str, config: Path) -> None:
    """Refuse where somebody may need the secret. Raises OperatorError."""
    uses = _uses(config)
    if uses is None:
        raise OperatorError(
            f"{config} cannot be read, so nobody knows whether it refers to {name}",
            "`botrunner check` says what is wrong with it; --force does not ask.",
        )
    places = [use.place for use in uses if use.secret == name]
    if places:
        raise OperatorError(
            f"{config} refers to {name}: {', '.join(places)}",
            "Take that out of the file first; --force forgets the secret all the same.",
        )
