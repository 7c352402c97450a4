"""Models set aside and alerts: each is remembered once, and over a restart."""

from dataclasses import replace

import pytest

from runner.money.amounts import Money
from runner.ports.books import Alert, Quarantine, WaitingAlert
from runner.ports.stores import Store
from tests.contract.stores.conftest import Again
from tests.contract.stores.examples import NOON

BROKE = Quarantine("openai", "small", "t1-1", Money(100), Money(160), NOON)
HALF = Alert("bot:bot-1", 50, 1000, 620, NOON)


async def reopened(store: Store, again: Again) -> Store:
    await store.close()
    later = again()
    await later.open()
    return later


# ── quarantine ───────────────────────────────────────────────────────────────────────────────────────────
async def test_a_model_is_set_aside_once(store: Store) -> None:
    assert await store.quarantined() == []
    await store.quarantine(BROKE)
    await store.quarantine(replace(BROKE, attempt="t2-1", cost=Money(999), at_ms=NOON + 9))
    assert await store.quarantined() == [BROKE]


async def test_models_set_aside_are_told_the_latest_first(store: Store, again: Again) -> None:
    others = [
        replace(BROKE, provider="mistral"),
        replace(BROKE, model="large"),
        replace(BROKE, model="new", at_ms=NOON + 1),
    ]
    for one in (BROKE, *others):
        await store.quarantine(one)
    expected = [others[2], others[0], others[1], BROKE]
    assert await store.quarantined() == expected
    later = await reopened(store, again)
    assert await later.quarantined() == expected
    await later.close()


async def test_a_model_is_cleared(store: Store, again: Again) -> None:
    other = replace(BROKE, model="large")
    await store.quarantine(BROKE)
    await store.quarantine(other)
    assert not await store.clear_quarantine("openai", "unheard of")
    assert await store.clear_quarantine("openai", "small")
    assert not await store.clear_quarantine("openai", "small")
    later = await reopened(store, again)
    assert await later.quarantined() == [other]
    broke_again = replace(BROKE, attempt="t9-1")
    await later.quarantine(broke_again)
    assert broke_again in await later.quarantined()
    await later.close()


# ── alerts ───────────────────────────────────────────────────────────────────────────────────────────────
async def test_an_alert_is_told_once(store: Store, again: Again) -> None:
    assert await store.raise_alert(HALF, deliver=True)
    assert not await store.raise_alert(replace(HALF, gone=700, at_ms=NOON + 9), deliver=True)
    later = await reopened(store, again)
    assert not await later.raise_alert(HALF, deliver=False)
    assert await later.alerts(9) == [HALF]
    assert await later.waiting_alerts(9) == [WaitingAlert(1, HALF)]
    await later.close()


@pytest.mark.parametrize("other", [{"scope": "bot:bot-2"}, {"percent": 80}, {"limit": 2000}])
async def test_another_scope_percentage_or_limit_is_another_alert(
    store: Store, other: dict[str, object]
) -> None:
    await store.raise_alert(HALF, deliver=False)
    second = replace(HALF, **other)  # type: ignore[arg-type]
    assert await store.raise_alert(second, deliver=False)
    assert await store.alerts(9) == [second, HALF]
    assert await store.alerts(1) == [second]


async def test_what_nobody_waits_for_is_not_delivered(store: Store) -> None:
    await store.raise_alert(HALF, deliver=False)
    assert await store.waiting_alerts(9) == []
    await store.end_alert(1, NOON)
    assert await store.waiting_alerts(9) == []


async def test_alerts_wait_for_their_webhook(store: Store, again: Again) -> None:
    most = replace(HALF, percent=80)
    await store.raise_alert(replace(HALF, scope="team:x"), deliver=False)
    await store.raise_alert(HALF, deliver=True)
    await store.raise_alert(most, deliver=True)
    first, second = await store.waiting_alerts(9)
    assert (first.alert, second.alert) == (HALF, most)
    assert await store.waiting_alerts(1) == [first]

    await store.end_alert(first.id, NOON + 60)
    await store.end_alert(first.id, NOON + 120)
    later = await reopened(store, again)
    put_off = replace(first, tries=2, due_ms=NOON + 120)
    assert await later.waiting_alerts(9) == [second, put_off]
    assert await later.waiting_alerts(1) == [second], "what is put off stands in nobody's way"

    await later.end_alert(second.id, None)
    await later.end_alert(second.id, NOON)
    await later.end_alert(999, NOON)
    assert [one.id for one in await later.waiting_alerts(9)] == [first.id]
    await later.end_alert(first.id, None)
    assert await later.waiting_alerts(9) == []
    assert len(await later.alerts(9)) == 3
    await later.close()
