"""`secret set / list / rm / rotate`: the encrypted store that `${secret:NAME}` of bots.yaml reads.

Rules: a secret is typed where nobody sees it or comes by stdin, never as an argument, for arguments are seen by
everybody on the machine and stay in a shell's history; nothing ever prints one. The store is that of the state
folder, so a daemon of systemd is meant by BOTRUNNER_STATE; a running daemon reads secrets at its next reload. Where the
file's store is a fleet's, secrets are kept there, for all its daemons, which read them again by themselves.
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
    from runner.cli.fleet import FleetSecrets
    from runner.config.secret_store import SecretStore
    from runner.config.secret_uses import Use

_RELOAD = "a running daemon uses it from its next reload on"
_ALL = "all daemons read it within some seconds"
_MS_PER_S = 1000

SecretName = Annotated[str, typer.Argument(metavar="NAME", help="The NAME of ${secret:NAME}.")]


def set_secret(
    context: typer.Context,
    name: SecretName,
    from_stdin: Annotated[
        bool, typer.Option("--from-stdin", help="Read it from stdin, without its last line break.")
    ] = False,
    config: Config = UNSAID,
) -> None:
    """Keep a secret, encrypted, in place of the one of that name. It is asked for, and not shown."""
    if context.args:
        raise typer.BadParameter("a secret is never an argument: leave it out and it is asked for", context)
    text = _from_stdin() if from_stdin else _asked(name)
    url = _fleet(config)
    with _store(url) as store:
        try:
            store.set(name, text)
        except ValueError as fault:
            raise OperatorError(str(fault)) from None
    typer.echo(f"{name} is kept; {_ALL if url else _RELOAD}")


def list_secrets(config: Config = UNSAID, as_json: AsJson = False) -> None:
    """List the names of all secrets, when each was set, and which bots use it. What they hold is not shown."""
    from runner.clock import UnixMs, iso

    with _store(_fleet(config)) as store:
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
    with _store(_fleet(config)) as store:
        if not store.remove(name):
            from runner.config.problems import did_you_mean

            raise OperatorError(f"there is no secret {name!r}{did_you_mean(name, store.names())}")
    typer.echo(f"{name} is forgotten")


def copy_secrets(
    config: Config = UNSAID,
    force: Annotated[bool, typer.Option("--force", help="Replace what other secrets are there.")] = False,
) -> None:
    """Copy the secrets of this machine's state folder to the store that several daemons share."""
    from runner.cli.fleet import FleetSecrets
    from runner.config.loader import state_dir
    from runner.config.shared_secrets import texts_of

    url = _fleet(config)
    if url is None:
        raise OperatorError(f"the store of {config} is not shared", "Set store.url to postgresql://… first.")
    with _store(None):
        texts = texts_of(state_dir(os.environ), os.environ)
    with _store(url):
        store = FleetSecrets(url)
        kept = store.at_hand()
        there = {name: kept.lookup(name) for name in kept.names()}
        others = [name for name, text in texts.items() if there.get(name, text) != text]
        if others and not force:
            raise OperatorError(
                f"the daemons have other secrets of these names: {', '.join(others)}",
                "Nothing was copied; --force replaces them.",
            )
        fresh = {name: text for name, text in texts.items() if there.get(name) != text}
        for name, text in fresh.items():
            store.set(name, text)
    count = "1 secret is" if len(fresh) == 1 else f"{len(fresh)} secrets are"
    typer.echo(f"{count} copied; {_ALL}. Those of the state folder are still there")


def make_key() -> None:
    """Print a new key, for $BOTRUNNER_SECRETS_KEY or the credential botrunner-key. It is kept nowhere."""
    from runner.config.secret_tokens import new_key

    typer.echo(new_key().decode())


def rotate_key(config: Config = UNSAID) -> None:
    """Make a new key and encrypt every secret with it. The old key opens nothing afterwards."""
    from runner.config.secret_tokens import NoNewKey

    with _store(_fleet(config)) as store:
        done = store.rotate()
    if isinstance(done, NoNewKey):
        raise OperatorError(
            f"the key comes from {done.source}, which holds only one",
            "Put a new key before it, with a blank or a line break between them, and do this again;"
            " `botrunner secret key` makes one.",
        )
    count = "1 secret is" if done.secrets == 1 else f"{done.secrets} secrets are"
    typer.echo(f"{count} encrypted with a new key, from {done.source}")
    if done.old_keys:
        typer.echo("nothing needs the keys behind it any more: take them away")


def _fleet(config: Path) -> str | None:
    """The address of the store that several daemons share; None: the secrets are those of the state folder."""
    from runner.cli.fleet import fleet_of

    return fleet_of(config)


@contextmanager
def _store(fleet: str | None) -> Iterator[SecretStore | FleetSecrets]:
    """The store of the fleet, or of the state folder; what it cannot do is an operator's error."""
    from runner.cli.fleet import FleetSecrets
    from runner.config.loader import state_dir
    from runner.config.secret_store import SecretStore
    from runner.config.secrets import SecretsUnreadable

    folder = state_dir(os.environ)
    where = f"in {folder}" if fleet is None else "of the daemons"
    try:
        yield SecretStore(folder, os.environ) if fleet is None else FleetSecrets(fleet)
    except SecretsUnreadable as fault:
        raise OperatorError(f"the secrets {where} cannot be used: {fault}") from None
    except OSError as fault:
        raise OperatorError(f"the secrets {where} cannot be used: {os.strerror(fault.errno or 0)}") from None


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
