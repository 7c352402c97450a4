"""`install-service` and `uninstall-service`: botrunner as a service of systemd.

Rules: installing again is how an upgrade gets into force; uninstalling keeps bots.yaml and all data unless it is
told otherwise; --dry-run says what would be done and does nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runner.errors import OperatorError

if TYPE_CHECKING:
    from runner.cli.service_plan import Place, Step

System = Annotated[
    bool | None,
    typer.Option(
        "--system/--user", help="The machine's service (needs root), or your own.", show_default=False
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]


def install_service(
    system: System = None,
    dry_run: DryRun = False,
    start: Annotated[bool, typer.Option("--start/--no-start", help="(Re)start the daemon.")] = True,
    program: Annotated[
        Path | None,
        typer.Option("--program", metavar="FILE", help="The botrunner that it runs; else this one."),
    ] = None,
) -> None:
    """Install botrunner as a service of systemd and start it, or bring the one that is there up to date."""
    from runner.cli.service_plan import install_steps, refuse_hidden, rendered
    from runner.config.starter import starter_text

    place = _place(system, dry_run)
    runs = program or Path(sys.prefix) / "bin" / "botrunner"
    if not os.access(runs, os.X_OK):
        raise OperatorError(f"{runs} is no program", "--program FILE names the botrunner that is to run")
    if system:
        refuse_hidden(Path(sys.executable).resolve(), "its Python")
    folder = shipped_units() if system else shipped_units() / "user"
    units = {
        name: rendered((folder / name).read_text(encoding="utf-8"), runs, system=bool(system))
        for name in place.names
    }
    _carry_out(install_steps(place, units, starter_text(), start=start), dry_run)
    if not dry_run:
        print(
            f"botrunner is a service{' and runs' if start else ''}: {place.config / 'bots.yaml'} is its file."
        )
        print(f"its log: {' '.join(place.journalctl)} --follow")
        if not system:
            print("it ends when you log out, unless you say once: loginctl enable-linger")


def uninstall_service(
    system: System = None,
    dry_run: DryRun = False,
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove bots.yaml, credentials and all data, too.")
    ] = False,
) -> None:
    """Stop the service and remove it; bots.yaml and the data stay, unless you say --purge."""
    from runner.cli.service_plan import uninstall_steps

    place = _place(system, dry_run)
    _carry_out(uninstall_steps(place, purge=purge), dry_run)
    if not (dry_run or purge):
        print(f"kept: {place.config} and {place.data[0]} (--purge removes them)")


def shipped_units() -> Path:
    """The folder of the unit files: of the checkout, or of the installation.

    Raises:
        OperatorError: neither has one.
    """
    checkout = Path(__file__).parents[2] / "systemd"
    installed = Path(sys.prefix) / "share" / "botrunner" / "systemd"
    for folder in (checkout, installed):
        if (folder / "botrunner.service").exists():
            return folder
    raise OperatorError(f"the unit files are not at {installed}", "install botrunner by `make install`")


def _place(system: bool | None, dry_run: bool) -> Place:
    from runner.cli.service_plan import is_root, system_place, user_place

    if system is None:
        raise typer.BadParameter("say --system for the machine's service, or --user for one of your own")
    if not system:
        return user_place(os.environ)
    if not (dry_run or is_root()):
        raise OperatorError("the machine's services are root's", "sudo, or --user for a service of your own")
    return system_place()


def _carry_out(steps: Sequence[Step], dry_run: bool) -> None:
    from runner.cli.service_plan import do, run_command

    if dry_run:
        print(*steps, sep="\n")
        return
    do(steps, run_command)
