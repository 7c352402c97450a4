"""The page of hand-offs over a real socket: what waits with what was said last, decided once by its forms."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from runner.conversations.models import AssistantMessage, UserMessage, message_to_json
from runner.dispatch.errands import Resume, unwrap
from runner.store.memory import MemoryStore
from runner.workflows.nodes.talking import HANDOFF_TEXT
from tests.contract.stores.examples import answer, inbound
from tests.unit.dispatch.test_handoff_desk import asked, with_handoffs
from tests.unit.web.dashboard_pages.browsing import Person
from tests.unit.web.web_stage import Stage

SAID = (
    message_to_json(UserMessage("My cup <b>broke</b>: " + "very " * 200)),
    message_to_json(AssistantMessage(HANDOFF_TEXT)),
)


@pytest.fixture
async def shop() -> AsyncIterator[Stage]:
    store = MemoryStore()
    await store.open()
    first = replace(asked("ht1.ask"), bot="shop", user="anna", reason="wants <i>money</i> back")
    await answer(store, inbound("e1", lane="of anna", bot="shop"), *SAID, user="anna", handoff=first)
    second = replace(asked("ht2.ask"), bot="gone", user="bert", conversation="c77", reason="")
    await with_handoffs(store, second)
    async with Stage(store=store) as stage:
        yield stage


async def test_what_waits_stands_there_with_what_was_said(shop: Stage) -> None:
    person = await Person(shop).sign_in()
    seen = await person.look("/handoffs")
    assert seen.status == 200
    assert "asks about anna" in seen.words
    assert "wants <i>money</i> back" in seen.words  # as text
    assert "My cup <b>broke</b>" in seen.words
    assert HANDOFF_TEXT in seen.words
    assert "very " * 200 not in seen.words  # cut
    assert seen.words.index("about anna") < seen.words.index("about bert")  # the oldest first
    assert "It gives no reason." in seen.words
    assert "/conversations/c77" not in seen.text  # nothing is left of it
    home = await person.look("/")
    assert "Hand-offs 2 waiting" in home.words


async def test_a_decision_by_its_form(shop: Stage) -> None:
    person = await Person(shop).sign_in()
    sent = await person.send("/handoffs/ht1.ask/approve", comment="  once,\0 as goodwill ")
    done = await person.follow(sent)
    assert done.notices == ["It is approved: the conversation goes on."]
    assert "once, as goodwill" in done.words.replace("\N{REPLACEMENT CHARACTER}", "")
    assert "asks about anna" not in done.words
    [errand] = await shop.store.runs.errands(0, 9)
    resume = unwrap(errand.payload)[1]
    assert isinstance(resume, Resume)
    assert (resume.decision, resume.by) == ("approved", "dashboard")
    done = await person.follow(await person.send("/handoffs/ht2.ask/reject"))
    assert done.notices == ["It is rejected: the conversation goes on."]
    assert "Nothing to decide" in done.words


async def test_who_comes_later_is_told(shop: Stage) -> None:
    person = await Person(shop).sign_in()
    await person.send("/handoffs/ht1.ask/approve")
    late = await person.send("/handoffs/ht1.ask/reject", comment="no")
    assert (late.status, late.notices) == (409, ["It was approved before, by dashboard."])
    assert len(await shop.store.runs.errands(0, 9)) == 1


async def test_who_may_only_read_sees_no_forms(shop: Stage) -> None:
    reader = await Person(shop).sign_in("read")
    seen = await reader.look("/handoffs")
    assert "asks about anna" in seen.words
    assert "/approve" not in seen.text
    assert (await reader.send("/handoffs/ht1.ask/approve")).status == 403
    assert await shop.store.runs.errands(0, 9) == []
