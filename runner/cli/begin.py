"""`init` and `schema`: what a first bots.yaml needs.

Rule: a file that is there already is never changed without --force.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from runner.cli.place import HERE
from runner.errors import OperatorError

NEXT = """\
{path} is written. It holds one bot that works at once, offline and free of charge:

  botrunner check {option}        what is wrong with the file, if anything
  botrunner chat hello {option}   talk to that bot here
  botrunner run {option}          start everything

To fill in: take away the # signs of the bot that you want, and export the variables that it names,
such as SUPPORT_TOKEN (from @BotFather) and ANTHROPIC_API_KEY."""


NEXT_OF_TEMPLATE = """\
{path} is written: {name}. {description}

To fill in:
  export {exports}
  in {path}: the platform, and the lines that begin with "Context - "

  botrunner check {option}        what is wrong with the file, if anything
  botrunner chat {bot} {option}   talk to that bot here
  botrunner run {option}          start everything"""


def init(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", metavar="FILE", help="Where to write it, instead of ./bots.yaml."),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option("--template", "-t", metavar="NAME", help="support, community or sales: a whole bot."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write a commented bots.yaml to start from, and say what to fill in."""
    path = config or context.find_root().params.get("config") or HERE
    option = "" if path == HERE else f"--config {path}"
    said = _write_starter(path, option, force) if template is None else _made(template, path, option, force)
    typer.echo("\n".join(line.rstrip() for line in said.splitlines()))


def _write_starter(path: Path, option: str, force: bool) -> str:
    from runner.config.starter import starter_text

    _write(path, starter_text(), force)
    return NEXT.format(path=path, option=option)


def _made(name: str, path: Path, option: str, force: bool) -> str:
    """Write a template's file; what to fill in."""
    from runner.config.templates import template, variables_of

    made = template(name)
    _write(path, made.text, force)
    return NEXT_OF_TEMPLATE.format(
        path=path,
        name=made.name,
        description=made.description,
        exports=" ".join(f"{variable}=…" for variable in variables_of(made)),
        bot=made.id,
        option=option,
    )


def schema() -> None:
    """Print the JSON Schema of bots.yaml, for editors that check and complete the file."""
    from runner.config.schema import schema as schema_of_the_file

    typer.echo(json.dumps(schema_of_the_file(), indent=2, ensure_ascii=False))


def _write(path: Path, text: str, force: bool) -> None:
    """Write the file, for its owner alone: it may come to hold secrets."""
    new = os.O_TRUNC if force else os.O_EXCL
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | new, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise OperatorError(f"{path} is there already", "--force writes over it") from None
    except OSError as error:
        raise OperatorError(f"{path} cannot be written: {error.strerror}") from None
