"""Each page of the dashboard: well formed, escaped, usable without eyes or mouse, and without a script of its own."""

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from itertools import pairwise
from typing import Any

import pytest

from runner.money.amounts import Money
from runner.testing import dashboard_scenes as scenes
from runner.testing.dashboard_bots import NOW
from runner.testing.dashboard_bots import frame as a_frame
from runner.web.dashboard.figures import Cap
from runner.web.dashboard.render import STATIC_PATH, Renderer, load_assets, usage_query
from runner.web.dashboard.views import (
    BotCard,
    Connection,
    Frame,
    Notice,
    Overview,
    PageView,
    Trouble,
    UsagePage,
)
from tests.unit.web.dashboard.page_reader import Element, PageReader, read

PAGES = {**scenes.pages(), **{f"fresh {name}": page for name, page in scenes.fresh_pages().items()}}
HOSTILE = """<script>alert(1)</script>"'><img src=x onerror=alert(2)>&amp;{{ 7 * 7 }}</textarea></title>"""
PLAIN = {"kind", "role", "state", "days", "from_day", "to_day", "group_by"}
"""Fields whose texts are ours or checked: their values choose what is shown."""
CONTROLS = ("input", "select", "textarea")


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(load_assets())


@pytest.fixture(scope="module", params=sorted(PAGES))
def page(request: pytest.FixtureRequest, renderer: Renderer) -> Element:
    return read(renderer.page(*PAGES[request.param]))


def hostile(value: Any) -> Any:
    """The same view with a hostile text behind each of its texts."""
    if isinstance(value, str):
        return value + HOSTILE
    if isinstance(value, tuple):
        return tuple(hostile(one) for one in value)
    if isinstance(value, Mapping):
        return {name: hostile(one) for name, one in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        changed = {
            one.name: hostile(getattr(value, one.name)) for one in fields(value) if one.name not in PLAIN
        }
        return replace(value, **changed)
    return value


@pytest.mark.parametrize("name", sorted(PAGES))
def test_texts_of_strangers_stay_texts(renderer: Renderer, name: str) -> None:
    frame, view = (hostile(part) for part in PAGES[name])
    frame = replace(frame, notices=(Notice("error", HOSTILE),))
    shown = read(renderer.page(frame, view))
    clean = read(renderer.page(*PAGES[name]))
    assert HOSTILE in shown.text()
    for tag in ("script", "img", "iframe", "form", "textarea", "title"):
        mine = [one for one in shown.all(tag) if all(up.tag != "svg" for up in one.above())]
        theirs = [one for one in clean.all(tag) if all(up.tag != "svg" for up in one.above())]
        assert len(mine) == len(theirs), tag
    assert not [one.tag for one in shown.all() if any(name.startswith("on") for name in one.given)]


def test_nothing_in_a_page_needs_a_softer_policy(page: Element) -> None:
    for one in page.all():
        assert "style" not in one.given
        assert not [name for name in one.given if name.startswith("on")]
        assert one.tag != "style"
        assert not (one.tag == "script" and one.text())
        for name in ("href", "src", "action", "formaction"):
            assert (one.given.get(name) or "/").startswith(("/", "#", "?")), one.given
            assert not (one.given.get(name) or "/").startswith("//")


def test_ids_are_unique_and_those_that_are_named_are_there(page: Element) -> None:
    ids = [one.given["id"] for one in page.all() if "id" in one.given]
    assert len(ids) == len(set(ids))
    for one in page.all():
        for name in ("for", "aria-labelledby", "aria-describedby", "list"):
            assert set((one.given.get(name) or "").split()) <= set(ids), one.given
        assert "data-live" not in one.given or "id" in one.given


def test_each_control_has_a_name(page: Element) -> None:
    labels = {one.given.get("for") for one in page.all("label")}
    for one in page.all(*CONTROLS):
        labelled = one.given.get("id") in labels or any(up.tag == "label" for up in one.above())
        named = labelled or one.given.get("aria-label")
        assert named or one.given.get("type") == "hidden", one.given
    assert all(one.text() for one in page.all("button", "a"))
    assert all("alt" in one.given for one in page.all("img"))


def test_landmarks_and_headings(page: Element) -> None:
    assert len(list(page.all("main"))) == 1
    assert len(list(page.all("h1"))) == 1
    levels = [int(one.tag[1]) for one in page.all("h1", "h2", "h3", "h4")]
    assert all(after - before <= 1 for before, after in pairwise(levels)), levels
    first = next(page.all("a"))
    assert first.given["href"] == "#content"
    assert next(page.all("main")).given["id"] == "content"
    assert next(page.all("html")).given["lang"] == "en"
    navs = [one.given["aria-label"] for one in page.all("nav")]
    assert len(navs) == len(set(navs))
    assert all(
        len([one for one in nav.all("a") if "aria-current" in one.given]) <= 1 for nav in page.all("nav")
    )


def test_drawings_have_names_and_tables_have_headings(page: Element) -> None:
    for one in page.all("svg"):
        if one.parent is not None and any(up.tag == "svg" for up in one.above()):
            continue  # a part of a drawing
        named = one.given.get("aria-label") or one.given.get("aria-labelledby")
        assert (one.given.get("role") == "img" and named) or one.given.get("aria-hidden") == "true", one.given
    for table in page.all("table"):
        assert list(table.all("thead"))
        assert all(one.given.get("scope") in {"col", "row"} for one in table.all("th"))
        widths = {len([one for one in row.children if one.tag in {"td", "th"}]) for row in table.all("tr")}
        assert len(widths) == 1
    for one in page.all():
        if one.given.get("class") == "scroll":
            assert (one.given["tabindex"], one.given["role"]) == ("0", "region")
            assert one.given["aria-label"]


def test_each_form_that_changes_something_carries_the_sessions_token(page: Element) -> None:
    for form in page.all("form"):
        tokens = [one.given["value"] for one in form.all("input") if one.given.get("name") == "csrf"]
        assert tokens == (["made-up-csrf"] if form.given["method"] == "post" else [])


@pytest.mark.parametrize("name", sorted(PAGES))
def test_who_may_only_read_is_shown_no_form_that_writes(renderer: Renderer, name: str) -> None:
    frame, view = PAGES[name]
    shown = read(renderer.page(replace(frame, may_write=False), view))
    actions = {one.given.get("action") for one in shown.all("form") if one.given["method"] == "post"}
    live = [one for one in shown.all("form") if one.given.get("class") == "settings"]
    assert actions - {one.given["action"] for one in live} <= {"/logout", "/login"}
    assert all("disabled" in next(one.all("fieldset")).given and not list(one.all("button")) for one in live)


def test_assets_are_there_and_their_addresses_change_with_their_content(renderer: Renderer) -> None:
    assets = load_assets()
    page = read(renderer.page(*PAGES["overview"]))
    asked = {one.given.get("src") or one.given.get("href") or "" for one in page.all("script", "link", "img")}
    assert asked
    for address in asked:
        name, _, mark = address.removeprefix(STATIC_PATH).partition("?")
        assert address.startswith(STATIC_PATH)
        assert assets[name].mark == mark
    assert {name.rpartition(".")[2] for name in assets} == {"css", "js", "svg"}


def test_no_asset_names_another_host() -> None:
    for name, asset in load_assets().items():
        hosts = set(re.findall(r"https?://[^\s\"')]+", asset.body.decode()))
        assert hosts <= {"http://www.w3.org/2000/svg"}, name


def test_each_class_of_a_page_is_known_to_the_style_sheets(renderer: Renderer) -> None:
    sheets = "".join(asset.body.decode() for name, asset in load_assets().items() if name.endswith(".css"))
    known = set(re.findall(r"\.([a-z][a-z0-9-]*)", sheets))
    used = {
        name
        for shown in PAGES.values()
        for one in PageReader(renderer.page(*shown)).root.all()
        for name in (one.given.get("class") or "").split()
    }
    assert used - known <= {"bot", "mark", "off"}  # as everything else


def test_the_overview_says_what_stands_where(renderer: Renderer) -> None:
    page = read(renderer.page(*PAGES["overview-fault"]))
    assert (
        "did you mean llm_model?"
        in next(one for one in page.all("div") if one.given.get("role") == "alert").text()
    )
    cards = {one.given["aria-labelledby"]: one.text() for one in page.all("article")}
    assert "Needs you" in cards["bot-night-desk"]
    assert "Make a new one and put it into bots.yaml." in cards["bot-night-desk"]
    assert "$8.73 of $10.00" in cards["bot-shop"]
    assert "$1.26 left" in cards["bot-shop"]
    assert "Cap reached" in cards["bot-homework"]
    assert "Switched off" in cards["bot-hello"]


@pytest.mark.parametrize(
    ("states", "enabled", "cap", "told"),
    [
        (("up",), True, Cap(), ("good", "Running")),
        ((), True, Cap(), ("good", "Running")),
        (("up", "degraded"), True, Cap(), ("warn", "Degraded")),
        (("refused", "down"), True, Cap(), ("bad", "Needs you")),
        (("connecting", "up"), True, Cap(), ("busy", "Connecting")),
        (("up",), True, Cap(Money(4), limit=Money(5)), ("good", "Running")),
        (("up",), True, Cap(Money(4), unknown=Money(1), limit=Money(5)), ("bad", "Cap reached")),
        (("refused",), False, Cap(), ("off", "Switched off")),
    ],
)
def test_a_bot_stands_as_its_worst_part_does(
    states: tuple[str, ...],
    enabled: bool,  # noqa: FBT001 - a column of the table
    cap: Cap,
    told: tuple[str, str],
) -> None:
    lines = tuple(Connection("telegram", state) for state in states)
    assert BotCard("a", "A", "p", "m", enabled, lines, cap).standing() == told


def test_the_usage_page_asks_for_the_same_again_as_csv(renderer: Renderer) -> None:
    frame, view = PAGES["usage-bars"]
    assert isinstance(view, UsagePage)
    assert usage_query(view) == "group_by=bot%2Cfeature&from=2026-11-09&to=2026-11-22"
    page = read(renderer.page(frame, view))
    assert f"/usage.csv?{usage_query(view)}" in [one.given["href"] for one in page.all("a")]
    checked = [one.given["value"] for one in page.all("input") if "checked" in one.given]
    assert checked == ["bot", "feature"]


def test_a_fault_stands_at_its_field(renderer: Renderer) -> None:
    page = read(renderer.page(*PAGES["settings"]))
    field = next(one for one in page.all("input") if one.given.get("name") == "timeout_ms")
    assert (field.given["aria-invalid"], field.given["aria-describedby"]) == ("true", "e-timeout_ms")
    told = next(one for one in page.all() if one.given.get("id") == "e-timeout_ms")
    assert told.text() == "must be at most 60000"


def test_ids_of_strangers_stay_in_their_part_of_an_address(renderer: Renderer) -> None:
    _, view = PAGES["overview"]
    assert isinstance(view, Overview)
    odd = replace(view, bots=(replace(view.bots[0], id="a/../b?c#d"),))
    links = [one.given["href"] for one in read(renderer.page(a_frame(), odd)).all("a")]
    assert "/bots/a%2F..%2Fb%3Fc%23d" in links


@pytest.mark.parametrize(
    "view", [Trouble(404, "No such page", "x"), scenes.wallet()], ids=["trouble", "wallet"]
)
def test_signed_out_there_is_no_navigation(renderer: Renderer, view: PageView) -> None:
    page = read(renderer.page(Frame(NOW, signed_in=False), view))
    assert not [one for one in page.all("nav") if one.given["aria-label"] == "Main"]
