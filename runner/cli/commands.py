"""All commands, as one typer application.

Rule: a command's module names its options and imports what it works with only when it is called, so that help
and completion are quick.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

import runner
from runner.cli import batch, conversations, handoff, store, store_copy, wallet, workflow
from runner.cli.advise import advise
from runner.cli.analytics import analytics
from runner.cli.begin import init, schema
from runner.cli.bench import bench
from runner.cli.cap import cap
from runner.cli.chat import chat
from runner.cli.check import check
from runner.cli.dashboard import dashboard
from runner.cli.doctor import doctor
from runner.cli.ledger import verify
from runner.cli.ledger_export import export
from runner.cli.ledger_fix import quarantine, reconcile
from runner.cli.options import ConfigBefore
from runner.cli.prices import prices
from runner.cli.reload import reload
from runner.cli.routes import routes
from runner.cli.run import run
from runner.cli.secret import copy_secrets, list_secrets, make_key, remove_secret, rotate_key, set_secret
from runner.cli.service import install_service, uninstall_service
from runner.cli.status import status
from runner.cli.tokens import token
from runner.cli.usage import usage


def application() -> typer.Typer:
    """The application with every command; each epilog is an example that works."""
    app = typer.Typer(
        name="botrunner",
        callback=_botrunner,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for command, example in (
        (run, "botrunner run --config shop.yaml"),
        (check, "botrunner check --online"),
        (init, "botrunner init"),
        (chat, "botrunner chat support"),
        (status, "botrunner status"),
        (reload, "botrunner reload"),
        (doctor, "botrunner doctor --online"),
        (cap, "botrunner cap support 5.00"),
        (analytics, "botrunner analytics support --from 2026-11-01"),
        (usage, "botrunner usage --by bot,day --from 2026-11-01"),
        (advise, "botrunner advise support --days 7"),
        (prices, "botrunner prices claude-haiku-4-5"),
        (routes, "botrunner routes support 'I want a refund' --user 4711"),
        (token, "botrunner token --scope admin --days 1"),
        (dashboard, "botrunner dashboard"),
        (schema, "botrunner schema > bots.schema.json"),
        (install_service, "botrunner install-service --user --dry-run"),
        (uninstall_service, "botrunner uninstall-service --user"),
    ):
        app.command(epilog=f"Example: {example}")(command)
    app.command(
        epilog="Example: botrunner bench load --quick",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(bench)
    ledger = typer.Typer(no_args_is_help=True, help="The record of every model call and its money.")
    ledger.command(epilog="Example: botrunner ledger verify")(verify)
    ledger.command(epilog="Example: botrunner ledger reconcile t17-1 --released --reason 'not on the bill'")(
        reconcile
    )
    ledger.command(epilog="Example: botrunner ledger export --format jsonl --from 2026-11-01")(export)
    ledger.command(epilog="Example: botrunner ledger quarantine --clear openai/gpt-5-mini")(quarantine)
    app.add_typer(ledger, name="ledger")
    purse = typer.Typer(
        no_args_is_help=True, help="Money that is paid in ahead, for bots with billing_mode: wallet."
    )
    purse.command(epilog="Example: botrunner wallet show")(wallet.show)
    purse.command(epilog="Example: botrunner wallet top-up 20.00 --key invoice-77")(wallet.top_up)
    purse.command(epilog="Example: botrunner wallet history")(wallet.history)
    app.add_typer(purse, name="wallet")
    app.add_typer(_batches(), name="batch")
    app.add_typer(_handoffs(), name="handoff")
    app.add_typer(_workflows(), name="workflow")
    app.add_typer(_secrets(), name="secret")
    app.add_typer(_store(), name="store")
    app.add_typer(_conversations(), name="conversations")
    return app


def _store() -> typer.Typer:
    group = typer.Typer(no_args_is_help=True, help="The file that everything is remembered in.")
    group.command(epilog="Example: botrunner store backup /backups/botrunner.db")(store.backup)
    group.command(epilog="Example: botrunner store restore /backups/botrunner.db")(store.restore)
    group.command(epilog="Example: botrunner store migrate --dry-run")(store.migrate)
    group.command(epilog="Example: botrunner store vacuum")(store.vacuum)
    group.command(epilog="Example: botrunner store check /backups/botrunner.db")(store.check)
    group.command(epilog="Example: botrunner store info --json")(store.info)
    group.command(
        epilog="Example: botrunner store copy sqlite:botrunner.db postgresql://botrunner@db/botrunner"
    )(store_copy.copy)
    return group


def _batches() -> typer.Typer:
    group = typer.Typer(
        no_args_is_help=True, help="Many prompts for one bot, answered within a day, for less."
    )
    group.command(epilog="Example: botrunner batch submit support prompts.jsonl --wait")(batch.submit)
    group.command(epilog="Example: botrunner batch status b0c1d2e3f4a5b6c7 --wait")(batch.status)
    group.command(epilog="Example: botrunner batch results b0c1d2e3f4a5b6c7 --out answers.jsonl")(
        batch.results
    )
    group.command(epilog="Example: botrunner batch cancel b0c1d2e3f4a5b6c7")(batch.cancel)
    return group


def _handoffs() -> typer.Typer:
    group = typer.Typer(no_args_is_help=True, help="What workflows ask reviewers.")
    group.command("list", epilog="Example: botrunner handoff list")(handoff.list_handoffs)
    group.command(epilog="Example: botrunner handoff approve ht17.ask --comment 'once, as goodwill'")(
        handoff.approve
    )
    group.command(epilog="Example: botrunner handoff reject ht17.ask --comment 'not without the receipt'")(
        handoff.reject
    )
    return group


def _workflows() -> typer.Typer:
    group = typer.Typer(no_args_is_help=True, help="Workflows: their picture, their runs, who is let in.")
    group.command(epilog="Example: botrunner workflow show support > workflow.mmd")(workflow.show)
    group.command(epilog="Example: botrunner workflow runs support --limit 5")(workflow.runs)
    group.command(epilog="Example: botrunner workflow trace rt17")(workflow.trace)
    group.command("pass", epilog="Example: botrunner workflow pass support --user 4711")(workflow.issue_pass)
    return group


def _conversations() -> typer.Typer:
    group = typer.Typer(no_args_is_help=True, help="What was said to the bots.")
    group.command("list", epilog="Example: botrunner conversations list --bot support --limit 20")(
        conversations.list_conversations
    )
    group.command("show", epilog="Example: botrunner conversations show 8f14e45fceea")(
        conversations.show_conversation
    )
    group.command("delete", epilog="Example: botrunner conversations delete --user 4711 --yes")(
        conversations.delete_conversations
    )
    group.command("export", epilog="Example: botrunner conversations export --user 4711 > anna.jsonl")(
        conversations.export_conversations
    )
    return group


def _secrets() -> typer.Typer:
    group = typer.Typer(no_args_is_help=True, help="Secrets, kept encrypted: what ${secret:NAME} stands for.")
    group.command(
        "set",
        epilog="Example: botrunner secret set openai",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(set_secret)
    group.command("list", epilog="Example: botrunner secret list")(list_secrets)
    group.command("rm", epilog="Example: botrunner secret rm openai")(remove_secret)
    group.command("rotate", epilog="Example: botrunner secret rotate")(rotate_key)
    group.command("copy", epilog="Example: botrunner secret copy")(copy_secrets)
    group.command("key", epilog="Example: botrunner secret key > /etc/credstore/botrunner-key")(make_key)
    return group


def dispatch(arguments: Sequence[str]) -> int:
    """Do what the arguments say; returns the exit code. A command's own errors come out as they are."""
    try:
        typer.main.get_command(application()).main(args=list(arguments), prog_name="botrunner")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"botrunner {runner.__version__}")
        raise typer.Exit


def _botrunner(
    config: ConfigBefore = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Run chat bots on many platforms with any model, and never spend more than you said."""
