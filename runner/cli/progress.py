"""How far long work is: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(what: str, shown_from: int) -> Iterator[Callable[[int, int], None]]:
    """Told of steps, done and in all; shown on a terminal where there are so many in all."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from runner.cli.screen import screen

    console = screen(to_stderr=True)
    if not console.is_terminal:
        yield lambda _done, _whole: None
        return
    columns = (TextColumn(what), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task(what, visible=False)
        yield lambda done, whole: shown.update(task, completed=done, total=whole, visible=whole >= shown_from)
