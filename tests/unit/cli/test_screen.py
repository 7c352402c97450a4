"""Tables, bars and texts from outside."""

import io

import pytest
from rich.console import Console

from runner.cli.screen import Column, bar, printable, show_table

COLUMNS = (Column("name"), Column("cost", number=True))


def console(*, terminal: bool, encoding: str = "utf-8", width: int = 60) -> Console:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    return Console(file=file, force_terminal=terminal, width=width, markup=False, highlight=False)


def printed(made: Console) -> str:
    buffer = made.file.buffer  # type: ignore[attr-defined]
    return str(buffer.getvalue().decode(made.encoding))


@pytest.mark.parametrize(
    ("part", "shown"), [(0, "...."), (1, "#..."), (50, "##.."), (99, "###."), (100, "####"), (200, "####")]
)
def test_bars(part: int, shown: str) -> None:
    assert bar(console(terminal=False, encoding="ascii"), part, 100, width=4) == shown


def test_a_bar_of_nothing() -> None:
    assert bar(console(terminal=True), 0, 0, width=3) == "░░░"


def test_elsewhere_than_on_a_terminal_rows_are_plain_and_whole() -> None:
    made = console(terminal=False, width=1000)
    show_table(made, COLUMNS, [("x" * 300, "1.50"), ("[bold]y[/]", "20.00")], ("total", "21.50"))
    lines = printed(made).splitlines()
    assert [line.split() for line in lines] == [
        ["name", "cost"],
        ["x" * 300, "1.50"],
        ["[bold]y[/]", "20.00"],
        ["total", "21.50"],
    ]
    assert all(line == line.rstrip() for line in lines)


def test_on_a_terminal_there_is_colour_and_figures_are_never_cut() -> None:
    made = console(terminal=True, width=20)
    show_table(made, COLUMNS, [("x" * 300, "0.000000000001")])
    assert "\x1b[" in printed(made)
    assert "0.000000000001" in printed(made)


def test_what_is_spare_goes_where_the_terminal_is_narrow() -> None:
    columns = (*COLUMNS, Column("share", spare=True))
    for width, names in ((40, ["name", "cost", "share"]), (20, ["name", "cost"])):
        made = console(terminal=True, width=width)
        show_table(made, columns, [("somebody", "1.00", "#" * 10)], ("total", "1.00", ""))
        assert [name for name in ("name", "cost", "share") if name in printed(made)] == names
        assert "somebody" in printed(made)


def test_no_colour_where_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    made = console(terminal=True)
    made.print("red", style="red")
    assert "\x1b[31m" not in printed(made)


def test_what_comes_from_outside_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b[2Jb\r\x9bc\td\n") == "a�[2Jb��c\td\n"
