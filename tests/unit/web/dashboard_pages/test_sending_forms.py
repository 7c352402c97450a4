"""The dashboard's forms over a real socket: what they do, and what is told where nothing is done."""

from pathlib import Path
from typing import Any

import pytest

from adapters.contract import Delivery, DeliveryState
from runner.money.amounts import Money, from_cents
from runner.money.reservation import ReservationState
from runner.ports.books import HoldRequest, Quarantine, Settlement
from runner.ports.definitions import Conflict, Unapplied
from runner.web.api.talking import TESTS_PER_MINUTE
from runner.web.dashboard_pages.bot import whole_cents
from tests.contract.stores.examples import WANTED, attempt, scope
from tests.unit.web.dashboard_pages.browsing import Person, Seen
from tests.unit.web.file_stage import FILE, staged
from tests.unit.web.web_stage import Stage

WRITES: dict[str, dict[str, Any]] = {
    "/bots/shop/cap": {"amount": "7", "do": "set"},
    "/bots/shop/settings": {"name": "Other"},
    "/console?bot=shop": {"message": "hello"},
    "/wallet/top-ups": {"amount": "5", "key": "k1"},
    "/wallet/reconcile": {"attempt": "t1.1", "cost": "0", "reason": "x"},
    "/wallet/clear": {"provider": "p", "model": "m"},
    "/handoffs/h1/approve": {},
}


async def test_only_what_somebody_meant_and_may_do_is_done() -> None:
    async with Stage() as stage:
        person, home = await Person(stage).sign_in(), {"Origin": stage.url}
        for path, fields in WRITES.items():
            refused = [
                await person.send(path, headers={"Origin": "https://evil.example"}, **fields),
                await person.send(path, headers={}, **fields),
                await person.send(path, headers=home, **{**fields, "csrf": ""}),
                await person.send(path, headers=home, **{**fields, "csrf": person.csrf[:-1] + "é"}),
            ]
            for seen in refused:
                assert (seen.status, "That is not allowed" in seen.words) == (403, True), path
        reader = await Person(stage).sign_in("read")
        for path, fields in WRITES.items():
            seen = await reader.send(path, **fields)
            assert (seen.status, "signed in to read" in seen.words) == (403, True), path
        assert (await reader.look("/")).status == 200
        assert not stage.told
        assert not stage.file.writes  # type: ignore[attr-defined] # the one in memory
        assert await stage.store.deposits() == []


async def test_a_cap_is_set_and_removed_in_the_file_and_in_force(tmp_path: Path) -> None:
    async with staged(tmp_path) as made:
        person = await Person(made.stage).sign_in()
        done = await person.follow(
            await person.send("/bots/shop/cap", amount=" $12.30 ", unit="usd", do="set", days="7")
        )
        assert done.notices == ["The cap is saved and holds from the next call on."]
        assert "of $12.30" in done.words
        assert made.text == FILE.replace("cents: 100", "cents: 1230")
        assert made.stage.roster.cap("shop") == from_cents(1230)
        await person.send("/bots/shop/cap", amount="250", unit="cents", do="set")
        assert made.stage.roster.cap("shop") == from_cents(250)
        done = await person.follow(await person.send("/bots/shop/cap", amount="250", do="remove"))
        assert "no cap" in done.words
        assert made.stage.roster.cap("shop") is None
        wrong = await person.send("/bots/shop/cap", amount="<b>five</b>", unit="cents", do="set")
        assert (wrong.status, wrong.field("amount")) == (400, "<b>five</b>")
        assert "is no amount, such as 5.00" in wrong.words
        chosen = [one.given["value"] for one in wrong.page.all("option") if "selected" in one.given]
        assert chosen == ["cents"]
        assert (await person.send("/bots/none/cap", amount="5", do="set")).status == 404


@pytest.mark.parametrize(
    ("text", "unit", "cents"),
    [("5", "usd", 500), ("0.01", "usd", 1), ("0", "usd", 0), ("500", "cents", 500), ("1e2", "usd", 10_000)],
)
def test_a_cap_is_read(text: str, unit: str, cents: int) -> None:
    assert whole_cents(text, unit) == cents


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("", "usd"),
        ("0.001", "usd"),
        ("-1", "usd"),
        ("1.5", "cents"),
        ("-3", "cents"),
        ("5,00", "usd"),
        ("9e99", "usd"),
    ],
)
def test_what_is_no_cap_is_told(text: str, unit: str) -> None:
    assert isinstance(whole_cents(text, unit), str)


async def test_why_the_file_cannot_be_written_is_told() -> None:
    async with Stage() as stage:
        person = await Person(stage).sign_in()
        for problem in (Conflict("bots.yaml is read-only"), Unapplied(("a key is missing",))):
            stage.file.problem = problem  # type: ignore[attr-defined] # the one in memory
            for seen in (
                await person.send("/bots/shop/cap", amount="7", do="set"),
                await person.send("/bots/shop/settings", name="New", revision=await revision(person)),
            ):
                assert seen.status == 409
                assert any("read-only" in one or "a key is missing" in one for one in seen.notices)
                assert "7" in seen.field("amount") or seen.field("name") == "New"


async def revision(person: Person) -> str:
    return (await person.look("/bots/shop/settings")).field("revision")


async def save(person: Person, **changed: str) -> Seen:
    """The settings as they are shown, but for these."""
    shown = await person.look("/bots/shop/settings")
    names = {one.given["name"] or "" for one in shown.page.all("input", "textarea")} - {"csrf", "enabled"}
    fields: dict[str, Any] = {name: shown.field(name) for name in names}
    return await person.send("/bots/shop/settings", **{**fields, "enabled": "true", **changed})


async def test_settings_write_what_was_changed_and_nothing_else(tmp_path: Path) -> None:
    async with staged(tmp_path) as made:
        person = await Person(made.stage).sign_in()
        unchanged = await person.follow(await save(person))
        assert (unchanged.notices, made.text) == (["Nothing was changed."], FILE)
        saved = await person.follow(
            await save(
                person,
                name="The Shop",
                system_prompt="You sell.\r\nKindly.",
                max_tool_calls="7",
                spending_cap_cents="",
            )
        )
        assert saved.notices == ["The settings are saved and in force."]
        [bot] = made.stage.bots
        assert (bot.name, bot.limits.max_tool_calls, bot.cap) == ("The Shop", 7, None)
        assert bot.system_prompt == "You sell.\nKindly."
        assert "# the bots of the shop" in made.text
        wrong = await save(person, max_tool_calls="many", timeout_ms="-1", name="Kept")
        assert (wrong.status, wrong.field("max_tool_calls"), wrong.field("name")) == (400, "many", "Kept")
        marked = [one.given["name"] for one in wrong.page.all("input") if one.given.get("aria-invalid")]
        assert sorted(map(str, marked)) == ["max_tool_calls", "timeout_ms"]
        stale = await save(person, revision="another", name="Stale")
        assert (stale.status, stale.field("name")) == (409, "Stale")
        assert "changed meanwhile" in stale.words
        assert made.stage.bots[0].name == "The Shop"
        off = await person.send("/bots/shop/settings", revision=await revision(person), name="The Shop")
        assert off.status in {303, 400}


async def test_a_top_up_counts_once_and_what_is_none_stays_in_the_form() -> None:
    async with Stage() as stage:
        person = await Person(stage).sign_in()
        key = (await person.look("/wallet")).field("key")
        first = await person.follow(
            await person.send("/wallet/top-ups", key=key, amount="20", note="<i>May</i>")
        )
        again = await person.follow(await person.send("/wallet/top-ups", key=key, amount="20", note="x"))
        assert (first.notices, again.notices) == (
            ["The top-up is booked."],
            ["That top-up was booked before; it counts once."],
        )
        assert [(one.amount, one.note) for one in await stage.store.deposits()] == [
            (20 * 10**12, "<i>May</i>")
        ]
        other = await person.send("/wallet/top-ups", key=key, amount="30")
        assert (other.status, "sent before, with $20.00" in other.words) == (400, True)
        assert other.field("key") not in {"", key}
        for amount in ("ten", "0", "-5", ""):
            wrong = await person.send("/wallet/top-ups", key="k2", amount=amount, note="mine")
            assert (wrong.status, wrong.field("amount"), wrong.field("note")) == (400, amount, "mine")
            assert [one for one in wrong.page.all("p") if one.given.get("id") == "top-up-fault"]
        assert (await person.send("/wallet/top-ups", amount="5")).status == 400
        assert stage.changed == ["wallet"]


async def test_a_call_of_unknown_cost_is_put_right_and_a_model_called_again() -> None:
    async with Stage() as stage:
        store = stage.store
        await store.hold(HoldRequest(attempt("t1.1", bot="shop"), (scope("bot:shop", None),), WANTED))
        await store.settle(Settlement("t1.1", ReservationState.UNKNOWN))
        await store.quarantine(Quarantine("p", "m", "t1.1", Money(1), Money(2), 0))
        person = await Person(stage).sign_in()
        wrong = await person.send("/wallet/reconcile", attempt="t1.1", cost="x", reason="bill")
        assert (wrong.status, wrong.field("cost"), wrong.field("reason")) == (400, "x", "bill")
        why = await person.send("/wallet/reconcile", attempt="t1.1", cost="0", reason=" ")
        assert (why.status, "Say why" in why.words) == (400, True)
        assert (await person.send("/wallet/reconcile", attempt="none", cost="0", reason="x")).status == 409
        done = await person.follow(
            await person.send("/wallet/reconcile", attempt="t1.1", cost="0", reason="bill")
        )
        assert done.notices == ["The call's cost is put right."]
        assert "Calls of unknown cost" not in done.words
        done = await person.follow(await person.send("/wallet/clear", provider="p", model="m"))
        assert "Models set aside" not in done.words
        assert (await person.send("/wallet/clear", provider="p", model="m")).status == 404


async def test_the_console_talks_and_keeps_what_was_not_taken() -> None:
    async with Stage() as stage:
        person = await Person(stage).sign_in()
        said = await person.follow(await person.send("/console?bot=shop", message="Is <b>tea</b>\r\nin?"))
        assert "re Is <b>tea</b> in?" in said.words
        assert [one.text() for one in said.page.all("div") if one.given.get("class") == "words"] == [
            "Is <b>tea</b> in?",
            "re Is <b>tea</b> in?",
        ]
        assert [(bot, channel, message.sender.id) for bot, channel, message in stage.told] == [
            ("shop", "console", "dashboard")
        ]
        for state, why in {
            DeliveryState.LIMITED: "so many messages a minute",
            DeliveryState.IGNORED: "access rules",
            DeliveryState.OVERLOADED: "Not now",
        }.items():
            stage.fate = Delivery(state)
            refused = await person.send("/console?bot=shop", message="Again?")
            assert (refused.status, refused.field("message")) == (503, "Again?")
            assert why in refused.notices[0]
        assert (await person.send("/console?bot=shop", message="  ")).status == 400
        assert (await person.send("/console?bot=none", message="x")).status == 404
        for _ in range(TESTS_PER_MINUTE - 4):
            await person.send("/console?bot=shop", message="more")
        many = await person.send("/console?bot=shop", message="One more")
        assert (many.status, many.field("message"), many.headers["Retry-After"]) == (429, "One more", "61")


async def test_there_is_no_hand_off_to_decide() -> None:
    async with Stage() as stage:
        person = await Person(stage).sign_in()
        for deed in ("approve", "reject"):
            assert (await person.send(f"/handoffs/h1/{deed}")).status == 404
