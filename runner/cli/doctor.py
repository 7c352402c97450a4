"""`doctor`: looks at everything that can be amiss, and says what to do about what is."""

from __future__ import annotations

import asyncio
import os
from dataclasses import asdict
from typing import Annotated

import typer

from runner.cli.options import UNSAID, AsJson, Config


def doctor(
    config: Config = UNSAID,
    online: Annotated[
        bool, typer.Option("--online", help="Also ask platforms and providers: credentials, and the time.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look for what is amiss and say what to do. Exit 1 where a person has to do something."""
    from runner.cli.doctor_gathering import gather
    from runner.cli.doctor_rules import findings
    from runner.clock import SystemClock

    found = findings(asyncio.run(gather(config, os.environ, SystemClock(), online=online)))
    to_do = sum(one.act for one in found)
    if as_json:
        from runner.cli.screen import show_json

        show_json({"ok": not to_do, "findings": [asdict(one) for one in found]})
    else:
        from runner.cli.screen import printable

        for one in found:
            typer.echo(f"{'!' if one.act else '-'} {one.area}: {printable(one.what)}")
            typer.echo(f"  {printable(one.do)}")
        rest = len(found) - to_do
        typer.echo(f"{to_do or 'nothing'} to do, {rest or 'nothing'} more to know")
    if to_do:
        raise typer.Exit(1)
