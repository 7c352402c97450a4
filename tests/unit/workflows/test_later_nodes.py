"""schedule_message and send_proactive: when, where to, once."""

from dataclasses import replace

import pytest

from adapters.messages import Attachment, AttachmentKind, ChatRef
from runner.bots import Channel
from runner.clock import iso
from runner.dispatch.errands import Say, unwrap, wrap
from runner.testing.clock import START_MS, ManualClock
from runner.testing.scenes import a_bot, a_message
from runner.workflows.doers.later import LaterDoer
from runner.workflows.doing import Outcome
from runner.workflows.engine import Done, Failed
from runner.workflows.expressions import Json
from tests.unit.workflows.doing_world import doing

DAY = 86_400_000


@pytest.fixture
def doer() -> LaterDoer:
    return LaterDoer(lambda text, message: wrap(Say(text), message), ManualClock())


async def scheduled(doer: LaterDoer, **data: Json) -> Outcome:
    return await doer.do(doing("schedule_message", {"text": "Hello {{message}}", **data}))


async def test_a_delay(doer: LaterDoer) -> None:
    outcome = await scheduled(doer, delay=90.5)
    [errand] = outcome.errands
    assert errand.due_ms == START_MS + 90_500
    assert outcome.result == Done(iso(errand.due_ms))  # type: ignore[arg-type] # of Unix ms
    message, duty = unwrap(errand.payload)
    assert duty == Say("Hello hello")
    assert message.chat == ChatRef("ada")
    assert (errand.channel, errand.lane, errand.user) == ("chat", "bot|chat|ada|ada", "ada")


@pytest.mark.parametrize(
    ("at", "due_ms"),
    [
        ("2027-01-16T08:00:00Z", 1_800_086_400_000),
        ("2027-01-16T09:00:00+01:00", 1_800_086_400_000),
        ("2027-01-16 08:00", 1_800_086_400_000),
        ("2027-01-17", 1_800_144_000_000),
        ("2020-01-01", START_MS),
    ],
)
async def test_a_time_is_utc_and_one_that_has_passed_is_now(doer: LaterDoer, at: str, due_ms: int) -> None:
    [errand] = (await scheduled(doer, at=at)).errands
    assert errand.due_ms == due_ms


@pytest.mark.parametrize("at", ["tomorrow", "{{nothing}}x", "9999-12-31T23:59:59Z", "2029-01-01", "24:00"])
async def test_what_is_no_time_fails_the_node(doer: LaterDoer, at: str) -> None:
    outcome = await scheduled(doer, at=at)
    assert isinstance(outcome.result, Failed)
    assert outcome.errands == ()


async def test_doing_it_again_owes_the_same(doer: LaterDoer) -> None:
    first, again = await scheduled(doer, delay=1), await scheduled(doer, delay=1)
    assert first == again
    assert first.errands[0].key


@pytest.mark.parametrize("text", ["{{nothing}}", " {{nothing}} ", "{{long}}"])
async def test_there_must_be_something_to_say(doer: LaterDoer, text: str) -> None:
    variables: dict[str, Json] = {"long": "x" * 30_000}
    data: dict[str, Json] = {"text": text, "delay": 1}
    outcome = await doer.do(doing("schedule_message", data, variables=variables))
    assert isinstance(outcome.result, Failed)


async def proactive(doer: LaterDoer, channel: str) -> Outcome:
    bot = a_bot(channels=(Channel("chat", "fake", None), Channel("slack", "slack", None)))
    came = Attachment(AttachmentKind.IMAGE, "p1")
    message = a_message("secret words", details={"token": "t"}, attachments=(came,), command="now")
    data: dict[str, Json] = {"text": "News", "channel": channel}
    return await doer.do(doing("send_proactive", data, message=message, bot=bot))


async def test_another_chat_gets_the_text_and_nothing_of_the_message(doer: LaterDoer) -> None:
    [errand] = (await proactive(doer, "C77")).errands
    message, duty = unwrap(errand.payload)
    assert duty == Say("News")
    assert (message.chat, message.text, message.details) == (ChatRef("C77"), "", {})
    assert (message.attachments, message.command) == ((), None)
    assert (errand.channel, errand.lane, errand.due_ms) == ("chat", "bot|chat|C77|ada", START_MS)


async def test_a_chat_of_another_connection(doer: LaterDoer) -> None:
    [errand] = (await proactive(doer, "slack:C77:9")).errands
    assert (errand.channel, errand.lane) == ("slack", "bot|slack|C77%3A9|ada")
    [errand] = (await proactive(doer, "teams:C77")).errands
    assert (errand.channel, unwrap(errand.payload)[0].chat.id) == ("chat", "teams:C77")


async def test_the_users_own_chat_by_its_id_is_answered_as_the_message_was(doer: LaterDoer) -> None:
    [errand] = (await proactive(doer, "{{channel_id}}")).errands
    assert unwrap(errand.payload)[0].details == {"token": "t"}
    assert errand.lane == "bot|chat|ada|ada"


async def test_a_topic_of_a_chat_is_kept(doer: LaterDoer) -> None:
    message = replace(a_message(), chat=ChatRef("g1", thread="7"))
    data: dict[str, Json] = {"text": "News", "channel": "{{channel_id}}"}
    [errand] = (await doer.do(doing("send_proactive", data, message=message))).errands
    assert unwrap(errand.payload)[0].chat.thread == "7"


async def test_nobody_is_nobody(doer: LaterDoer) -> None:
    assert isinstance((await proactive(doer, "{{nothing}}")).result, Failed)
    assert isinstance((await proactive(doer, "slack:")).result, Failed)
