"""Two daemons take messages in at once, on one PostgreSQL: rates are of the bot and the user, not of a daemon."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.contract import Capabilities, DeliveryState, Pressure
from adapters.testing.fake import FakeAdapter
from runner.clock import SystemClock
from runner.dispatch.inbox import Inbox
from runner.ports.stores import Store
from runner.store.catalogue import open_store
from runner.testing.observer import RecordingObserver
from runner.testing.roster import FakeRoster
from runner.testing.scenes import a_bot, a_message

LIMIT = 6
OF_ONE = 2
USERS = 5
ACCEPTED, DUPLICATE, LIMITED = DeliveryState.ACCEPTED, DeliveryState.DUPLICATE, DeliveryState.LIMITED


class Nobody:
    """Works on nothing."""

    def wake(self, lane: str) -> None:
        """Nobody is there to be woken."""

    def waiting(self, bot: str) -> int:
        return 0

    def accepted(self, bot: str) -> None:
        """It is not counted."""


async def again(*_: object) -> None:
    raise AssertionError("nothing was answered yet")


def inbox_on(store: Store) -> Inbox:
    roster = FakeRoster()
    bot = a_bot(rate_limit_per_minute=LIMIT, user_rate_limit_per_minute=OF_ONE)
    roster.add(bot, FakeAdapter(Capabilities(pressure=Pressure.REFUSE)))
    return Inbox(store, roster, Nobody(), SystemClock(), RecordingObserver(), again)


@pytest.fixture
async def stores(postgres_url: str, tmp_path: Path) -> AsyncIterator[list[Store]]:
    both = [open_store(postgres_url, tmp_path, SystemClock()) for _ in range(2)]
    for store in both:
        await store.open()
    yield both
    for store in both:
        await store.close()


async def test_limits_hold_over_both_exactly(stores: list[Store]) -> None:
    inboxes = [inbox_on(store) for store in stores]
    users = [f"u{number % USERS}" for number in range(60)]
    messages = [a_message(event_id=f"e{number}", user=user) for number, user in enumerate(users)]
    clock = SystemClock()
    begun = clock.monotonic()
    told = await asyncio.gather(
        *(inboxes[number % 2].deliver("bot", "chat", message) for number, message in enumerate(messages))
    )
    minutes = 1 + int((clock.monotonic() - begun) // 60)  # one, but on a machine that stands still
    states = [each.state for each in told]
    by_user = Counter(user for user, state in zip(users, states, strict=True) if state is ACCEPTED)
    assert set(states) == {ACCEPTED, LIMITED}
    assert LIMIT <= by_user.total() <= LIMIT * minutes
    assert max(by_user.values()) <= OF_ONE * minutes
    assert all(0 < each.retry_after_s <= 60 for each in told if each.state is LIMITED)
    assert (await stores[0].figures()).waiting == {"bot": by_user.total()}


async def test_what_comes_to_both_at_once_takes_one_place(stores: list[Store]) -> None:
    inboxes = [inbox_on(store) for store in stores]
    for number in range(LIMIT - 1):
        message = a_message(event_id=f"e{number}", user=f"u{number}")
        pair = await asyncio.gather(*(inbox.deliver("bot", "chat", message) for inbox in inboxes))
        assert {each.state for each in pair} == {ACCEPTED, DUPLICATE}
    last = await inboxes[0].deliver("bot", "chat", a_message(event_id="last", user="eve"))
    assert last.state is ACCEPTED
