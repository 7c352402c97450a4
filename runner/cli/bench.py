"""`bench`: the benchmarks, each beside its baselines in the same run; they are in a checkout, not in a release.

Rule: a benchmark is `python -m bench.<name>`, and what stands behind its name here goes to it as it is.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated, Literal

import typer

from runner.errors import OperatorError

Name = Literal["caps", "cost", "fleet", "load", "http", "money", "conversations", "reports", "workflow"]


def bench(
    context: typer.Context,
    name: Annotated[
        Name,
        typer.Argument(
            metavar="NAME",
            help="caps, cost, workflow, load, http, money, conversations, reports or fleet; its own options follow.",
        ),
    ],
) -> None:
    """Measure how caps are kept, what messages cost, load, webhooks and holds a second, memory, reports, a fleet."""
    import runpy
    import sys

    module = f"bench.{name}"
    if find_spec("bench") is None or find_spec(module) is None:
        raise OperatorError(
            "the benchmarks are not installed",
            "They are in botrunner's repository: run this from a checkout.",
        )
    sys.argv = [f"botrunner bench {name}", *context.args]
    runpy.run_module(module, run_name="__main__")
