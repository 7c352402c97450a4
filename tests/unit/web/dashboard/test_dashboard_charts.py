"""Charts: what is drawn is as large as what it stands for, fits its place, and is told in words."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.money.amounts import PICO_PER_CENT, PICO_PER_USD, Money
from runner.testing.dashboard_bots import days_of
from runner.web.dashboard.charts import (
    PLOT,
    TOP,
    Bar,
    bars,
    cap_bar,
    cap_level,
    line_of_percent,
    parts_bar,
    share_bar,
    sparkline,
    stacked_days,
)
from runner.web.dashboard.figures import OTHER, Cap, Days, Series
from runner.web.dashboard.scales import folded, labelled, marks, money_mark, readable, series_classes
from runner.web.dashboard.wording import days_until
from tests.unit.web.dashboard.page_reader import Element, read

NEAR = pytest.approx
AMOUNTS = st.integers(0, 10**16)


def rects(drawing: str, without: str = "hit track") -> list[Element]:
    return [one for one in read(drawing).all("rect") if one.given["class"] not in without.split()]


def number(element: Element, name: str) -> float:
    return float((element.given[name] or "").rstrip("%"))


@st.composite
def day_figures(draw: st.DrawFn) -> Days:
    many = draw(st.integers(1, 40))
    values = st.lists(AMOUNTS, min_size=many, max_size=many).map(tuple)
    series = draw(st.lists(values, max_size=9))
    return Days(days_until("2026-11-22", many), tuple(Series(f"s{at}", one) for at, one in enumerate(series)))


@given(day_figures())
def test_stacks_are_as_high_as_their_days_and_stay_inside(days: Days) -> None:
    groups = list(read(stacked_days(days, "Spend", "c")).all("g"))
    totals = [sum(values) for values in zip(*(one.values for one in days.series), strict=True)] or [0] * len(
        days.days
    )
    top = marks(max(totals))[-1]
    assert len(groups) == len(days.days)
    for total, group in zip(totals, groups, strict=True):
        parts = [one for one in group.all("rect") if one.given["class"] != "hit"]
        assert sum(number(one, "height") for one in parts) == NEAR(PLOT * total / top, abs=0.01)
        ground: float = TOP + PLOT
        for one in parts:  # each stands on the one before
            assert number(one, "y") + number(one, "height") == NEAR(ground, abs=0.01)
            ground = number(one, "y")
        assert ground >= TOP - 0.01
        assert all(
            number(one, "x") >= 0 and number(one, "x") + number(one, "width") <= 100.001 for one in parts
        )


@given(day_figures())
def test_folding_loses_nothing(days: Days) -> None:
    few = folded(days, 3)
    assert len(few.series) <= 4
    assert few.total() == days.total()
    for at in range(len(days.days)):
        assert sum(one.values[at] for one in few.series) == sum(one.values[at] for one in days.series)
    sums = [sum(one.values) for one in few.series if one.name != OTHER]
    assert sums == sorted(sums, reverse=True)
    assert all(any(one.values) for one in few.series)


def test_folding_again_keeps_the_rest_last() -> None:
    days = Days(
        ("2026-11-22",), (Series(OTHER, (9,)), Series("a", (5,)), Series("b", (3,)), Series("c", (1,)))
    )
    assert folded(days, 2).series == (Series("a", (5,)), Series("b", (3,)), Series(OTHER, (10,)))
    assert series_classes(["a", "b", OTHER]) == ("s0", "s1", "s-other")


@given(AMOUNTS)
def test_marks_are_round_few_and_reach_the_top(largest: int) -> None:
    those = marks(largest)
    assert those[0] == 0
    assert those[-1] >= largest
    assert 2 <= len(those) <= 5
    step = those[1]
    assert those == tuple(step * at for at in range(len(those)))
    assert str(step).strip("0") in {"1", "2", "5"}
    assert largest == 0 or those[-2] < largest


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "$0"),
        (5 * PICO_PER_CENT, "$0.05"),
        (PICO_PER_USD * 1200, "$1,200"),
        (PICO_PER_USD * 5 // 2, "$2.50"),
        (2 * 10**8, "$0.0002"),
    ],
)
def test_marks_in_dollars(amount: int, text: str) -> None:
    assert money_mark(amount) == text


@given(st.integers(1, 400))
def test_the_last_day_has_its_label_and_labels_have_room(many: int) -> None:
    those = labelled(many)
    assert those[-1] == (many - 1, True)
    assert len(those) <= 8
    assert 1 <= sum(stays for _, stays in those) <= 4
    assert len({after - before for (before, _), (after, _) in pairwise(those)}) <= 1


def test_a_chart_is_told_in_words() -> None:
    drawing = read(stacked_days(days_of(7, chat=100, summary=20), "Spend by <day>", "c"))
    (svg,) = drawing.children
    assert (svg.given["role"], svg.given["aria-labelledby"]) == ("img", "c-title c-desc")
    title, desc = svg.children[:2]
    assert (title.given["id"], title.text()) == ("c-title", "Spend by <day>")
    assert re.search(r"^\$\d+\.\d\d in 7 days; the most on \w{3} \d+ Nov 2026: \$\d\.\d\d", desc.text())
    days = [next(one.all("title")).text() for one in svg.all("g")]
    assert len(days) == 7
    assert all("chat $" in day and "summary $" in day for day in days)


def test_an_empty_chart_is_a_chart() -> None:
    drawing = read(stacked_days(Days(days_until("2026-11-22", 3), ()), "Spend", "c"))
    assert len(list(drawing.all("g"))) == 3
    assert not rects(stacked_days(Days((), ()), "Spend", "c"))


def test_a_line_breaks_where_there_is_no_value() -> None:
    days = days_until("2026-11-22", 5)
    drawing = read(line_of_percent(days, (40, 60, None, 100, 0), "Hits", "c"))
    path = next(drawing.all("path")).given["d"] or ""
    assert path.count("M") == 2
    assert path.startswith("M10 60L30 40")
    dots = list(drawing.all("circle"))
    assert [number(one, "cy") for one in dots] == [TOP + PLOT * 0.6, TOP + PLOT * 0.4, TOP, TOP + PLOT]
    assert next(dots[0].all("title")).text() == "Wed 18 Nov 2026: 40 %"
    assert "between 0 and 100 %" in next(drawing.all("desc")).text()
    alone = read(line_of_percent(days, (None, 50, None, None, None), "Hits", "c"))
    assert len(list(alone.all("circle"))) == 1
    assert next(alone.all("path")).given["d"] == ""


def test_bars_are_measured_against_the_largest() -> None:
    drawing = bars([Bar("a", 8, "$8"), Bar("b" * 80, 2, "$2"), Bar("c", 0, "$0")], "Cost", "c")
    assert [number(one, "width") for one in rects(drawing)] == [100, 25, 0]
    labels = [one.text() for one in read(drawing).all("text") if one.given["class"] == "label"]
    assert len(labels[1]) == 34
    assert "b" * 80 in next(read(drawing).all("desc")).text()
    assert next(read(bars([], "Cost", "c")).all("desc")).text() == "nothing"


@given(st.lists(AMOUNTS, max_size=40))
def test_a_sparkline_stays_in_its_box(values: list[int]) -> None:
    area, line = read(sparkline(values, "Spend")).all("path")
    points = (line.given["d"] or "").replace("M", "L").split("L")[1:]
    assert len(points) == (2 if len(values) == 1 else len(values))
    for point in points:
        x, y = map(float, point.split())
        assert 0 <= x <= 100.001
        assert 2 <= y <= 26.001
    assert bool(area.given["d"]) == bool(values)


@given(AMOUNTS, AMOUNTS, AMOUNTS, st.integers(0, 10**16))
def test_a_cap_bar_is_never_more_than_full(spent: int, held: int, unknown: int, limit: int) -> None:
    cap = Cap(Money(spent), Money(held), Money(unknown), Money(limit))
    parts = rects(cap_bar(cap))
    assert sum(number(one, "width") for one in parts) <= 100.01
    assert (cap_level(cap) == "reached") == (spent + unknown >= limit)
    assert cap.left is not None
    assert cap.left >= 0
    if spent + held + unknown <= limit and limit:
        whole = 100 * (spent + held + unknown) / limit
        assert sum(number(one, "width") for one in parts) == NEAR(whole, abs=0.01)


@pytest.mark.parametrize(
    ("spent", "level"),
    [(0, "calm"), (79, "calm"), (80, "near"), (99, "near"), (100, "reached"), (120, "reached")],
)
def test_a_cap_bar_changes_where_alerts_speak_up(spent: int, level: str) -> None:
    cap = Cap(Money(spent), limit=Money(100))
    assert cap_level(cap) == level
    assert [one.given["class"] for one in rects(cap_bar(cap))] == ([level] if spent else [])


def test_without_a_cap_there_is_no_bar() -> None:
    assert cap_bar(Cap(Money(5))) == ""
    assert cap_level(Cap(Money(5))) == "calm"
    assert Cap(Money(5)).left is None


def test_parts_fill_their_bar() -> None:
    drawing = parts_bar([("prompt", 300), ("none", 0), ("answer", 100)], "Tokens", "tokens")
    assert [(one.given["class"], number(one, "x"), number(one, "width")) for one in rects(drawing)] == [
        ("s0", 0, 75),
        ("s2", 75, 25),
    ]
    assert next(read(drawing).all("svg")).given["aria-label"] == "Tokens: prompt 300, answer 100"
    assert not rects(parts_bar([("prompt", 0)], "Tokens", "tokens"))


@pytest.mark.parametrize(("part", "whole", "width"), [(1, 4, 25), (0, 0, 0), (-3, 4, 0), (9, 4, 100)])
def test_a_share_is_between_nothing_and_all(part: int, whole: int, width: int) -> None:
    assert [number(one, "width") for one in rects(share_bar(part, whole))] == [width]


def test_names_of_strangers_are_escaped() -> None:
    name = "<script>\"'&"
    days = Days(("2026-11-22",), (Series(name, (5,)), Series("b", (1,))))
    for drawing in (
        stacked_days(days, name, "c"),
        bars([Bar(name, 5, name)], name, "c"),
        sparkline((1, 2), name),
        parts_bar([(name, 5)], name, name),
        line_of_percent(("2026-11-22",), (5,), name, "c"),
    ):
        assert "<script>" not in drawing
        svg = next(read(drawing).all("svg"))
        assert name in f"{svg.text()} {svg.given.get('aria-label')}"


@pytest.mark.parametrize("number", [121, 126, 127, 365, 366])
def test_many_days_are_drawn_by_week_and_no_cent_is_lost(number: int) -> None:
    days = Days(
        days_until("2026-11-22", number), (Series("a", tuple(range(number))), Series("b", (1,) * number))
    )
    weeks = readable(days)
    assert weeks.weeks
    assert weeks.total() == days.total()
    assert weeks.days[0] == days.days[0]
    assert weeks.days[-1] == "2026-11-16", "the last week is a whole one"
    assert len(weeks.days) == -(-number // 7)
    assert readable(Days(days.days[:120], ())) == Days(days.days[:120], ())
