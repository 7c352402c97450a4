"""What came with a message, in a shape that its model can take."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from adapters.contract import Capabilities, Fetched
from adapters.messages import Attachment, AttachmentKind
from adapters.testing.fake import FakeAdapter
from runner.agent.loop import LoopResult
from runner.agent.replies import PaidReply, Step, ToolsStarted, step_from_json
from runner.agent.transcribe import Ear, Listening
from runner.bots import ModelChoice
from runner.conversations.models import Picture, UserMessage, message_from_json, message_to_json
from runner.dispatch.attachments import (
    ALONE,
    MAX_ATTACHMENTS,
    MAX_TEXT_CHARS,
    NOT_NOW,
    NOTHING_HEARD,
    Perceived,
    perceive,
)
from runner.money.amounts import ZERO, Money
from runner.money.budget import ScopeLimit
from runner.money.ledger import Attempt
from runner.money.prices import ModelLimits, Price, PriceBook, Rates
from runner.money.usage import NO_USAGE, Usage
from runner.ports.dialogue import ModelReply, StopReason
from runner.ports.mail import NewInbound
from runner.testing.model_script import Fault, Hang, Say
from runner.testing.recordings import opus
from runner.testing.scenes import a_book, a_message, a_price
from tests.unit.agent.meter_world import World, a_world

PHOTO = Attachment(AttachmentKind.IMAGE, "p1", "image/jpeg", "photo.jpg", 3)
NOTES = Attachment(AttachmentKind.DOCUMENT, "d1", "text/plain", "notes.txt", 5)
SHEET = Attachment(AttachmentKind.DOCUMENT, "d2", "application/pdf", "sheet.pdf", 5)
VOICE = Attachment(AttachmentKind.AUDIO, "a1", "audio/ogg")
See = Callable[..., Awaitable[Perceived]]


SPEECH = ModelChoice("fake", "speech-1")
SPEECH_PRICE = Price(
    "speech-1", "fake", Rates(100_000_000, 0), limits=ModelLimits(min_audio_seconds=1), version="test"
)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with a_world(a_book(a_price(), SPEECH_PRICE)) as made:
        yield made


def an_ear(
    world: World,
    choice: ModelChoice | None = SPEECH,
    *,
    limit: int | None = None,
    done: tuple[Step, ...] = (),
    used: int = 0,
) -> Ear:
    scopes = (ScopeLimit("bot:bot", None if limit is None else Money(limit)),)
    deadline = world.clock.monotonic() + 30
    about = Attempt("", 0, "bot", "fake", "chat", "c1", "ada", "t1", "fake", "model-1", "")
    return Ear(world.meter, Listening(choice, about, lambda _: scopes, deadline, done, used), world.store)


async def listen(adapter: FakeAdapter, ear: Ear, *more: Attachment, text: str = "") -> Perceived:
    message = a_message(text, attachments=(VOICE, *more))
    return await perceive(message, adapter, wanted=True, sees=True, ear=ear)


@pytest.fixture
def adapter() -> FakeAdapter:
    fake = FakeAdapter(Capabilities(fetches=True))
    fake.files = {
        "p1": Fetched(b"\xff\xd8\xff", "image/jpeg"),
        "d1": Fetched(b"milk, eggs", "text/plain"),
        "d2": Fetched(b"%PDF-1.7", "application/pdf"),
        "a1": Fetched(opus(4.2), "audio/ogg"),
    }
    return fake


@pytest.fixture
def see(world: World, adapter: FakeAdapter) -> See:
    deaf = an_ear(world, None)

    async def perceived(
        *attachments: Attachment, text: str = "look", sees: bool = True, wanted: bool = True
    ) -> Perceived:
        message = a_message(text, attachments=attachments)
        return await perceive(message, adapter, wanted=wanted, sees=sees, ear=deaf)

    return perceived


async def test_a_picture_reaches_a_model_that_sees(see: See) -> None:
    seen = await see(PHOTO)
    assert seen == Perceived("look", (Picture("image/jpeg", base64.b64encode(b"\xff\xd8\xff").decode()),))


async def test_a_picture_alone_is_enough(see: See) -> None:
    seen = await see(PHOTO, text="")
    assert (seen.text, len(seen.pictures), seen.end) == ("", 1, None)


async def test_a_model_that_does_not_see_is_told(see: See) -> None:
    seen = await see(PHOTO, sees=False)
    assert seen == Perceived("look\n\n[The user sent a picture (photo.jpg), which you cannot open.]")


async def test_a_text_file_is_part_of_the_message(see: See) -> None:
    assert (await see(NOTES)).text == "look\n\n[File notes.txt]\nmilk, eggs"


async def test_a_long_file_is_cut_and_says_so(adapter: FakeAdapter, see: See) -> None:
    adapter.files["d1"] = Fetched(b"x" * (MAX_TEXT_CHARS + 9), "text/plain")
    text = (await see(NOTES)).text
    assert text.endswith(f"[cut: {MAX_TEXT_CHARS + 9} characters in all]")
    assert len(text) < MAX_TEXT_CHARS + 100


@pytest.mark.parametrize("alone", [SHEET, VOICE])
async def test_what_nobody_can_open_is_answered_without_a_model(see: See, alone: Attachment) -> None:
    seen = await see(alone, text="")
    assert seen.end == LoopResult(StopReason.UNREADABLE, ALONE[alone.kind])
    assert (await see(alone, text="listen")).end is None


async def test_a_file_that_is_gone_is_named_with_the_reason(adapter: FakeAdapter, see: See) -> None:
    adapter.files.clear()
    seen = await see(NOTES)
    assert "[The user sent a file (notes.txt), which could not be loaded: it is gone.]" in seen.text


async def test_text_that_is_none_and_too_many_files(adapter: FakeAdapter, see: See) -> None:
    adapter.files["d1"] = Fetched(b"\xff\xfe\x00", "text/plain")
    assert "cannot open" in (await see(NOTES)).text
    assert len((await see(*[PHOTO] * (MAX_ATTACHMENTS + 2))).pictures) == MAX_ATTACHMENTS


async def test_a_bot_that_takes_none(see: See) -> None:
    seen = await see(PHOTO, text="", wanted=False)
    assert seen.end == LoopResult(StopReason.UNREADABLE, ALONE[AttachmentKind.IMAGE])


def test_a_picture_is_remembered_by_name_only() -> None:
    said = UserMessage("look", pictures=(Picture("image/png", "AAAA"),))
    assert message_from_json(message_to_json(said)) == UserMessage("look\n[The user sent a picture.]")


# ── speech ───────────────────────────────────────────────────────────────────────────────────────────────
COST = 500
"""Of five seconds at a hundred pico-dollars."""


async def test_speech_is_part_of_the_message(world: World, adapter: FakeAdapter) -> None:
    world.provider.script(Say("where is my parcel?"))
    ear = an_ear(world, limit=COST)
    assert await listen(adapter, ear, text="hi") == Perceived("hi\n\n[Voice message] where is my parcel?")
    assert (ear.steps, ear.attempts_used) == (1, 1)
    assert world.providers.asked == [("fake listening", None)]
    [row] = await world.rows()
    assert (row.attempt.feature, row.attempt.model, row.usage) == ("transcribe", "speech-1", Usage(5))
    assert (row.hold, row.cost) == (COST, COST)


async def test_speech_that_was_paid_for_is_not_asked_for_again(world: World, adapter: FakeAdapter) -> None:
    paid = PaidReply(ModelReply("as before"), Usage(5), Money(COST), "fake", "speech-1", feature="transcribe")
    adapter.files.clear()
    for choice in (SPEECH, None):
        ear = an_ear(world, choice, done=(paid, ToolsStarted(())))
        assert (await listen(adapter, ear)).text == "[Voice message] as before"
        assert (ear.steps, ear.attempts_used) == (1, 0)
    assert world.provider.calls == []


async def test_a_try_that_went_on_without_it_is_followed(world: World, adapter: FakeAdapter) -> None:
    reply = PaidReply(ModelReply("an answer"), NO_USAGE, ZERO, "fake", "model-1")
    ear = an_ear(world, done=(reply,))
    assert "could not be heard" in (await listen(adapter, ear, text="hi")).text
    assert (ear.steps, world.provider.calls) == (0, [])


async def test_no_money_to_hear_it(world: World, adapter: FakeAdapter) -> None:
    seen = await listen(adapter, an_ear(world, limit=COST - 1), text="hi")
    assert seen.end == LoopResult(StopReason.BUDGET, detail="bot:bot")
    assert world.provider.calls == []


async def test_no_time_to_hear_it(world: World, adapter: FakeAdapter) -> None:
    world.provider.script(Hang())
    listening = world.tasks.create_task(listen(adapter, an_ear(world)), name="listen")
    await world.clock.asleep()
    world.clock.advance(100)
    assert (await listening).end == LoopResult(StopReason.TIMEOUT, detail="no answer in time")


@pytest.mark.parametrize("fault", [Fault(400), Fault(401)])
async def test_who_cannot_hear_it_says_so(world: World, adapter: FakeAdapter, fault: Fault) -> None:
    world.provider.script(fault, fault)
    assert (await listen(adapter, an_ear(world))).end == LoopResult(
        StopReason.UNREADABLE, NOT_NOW, detail=f"HTTP {fault.status}: made to fail"
    )
    seen = await listen(adapter, an_ear(world, used=1), text="hi")
    assert seen.text == "hi\n\n[The user sent a voice message, which could not be heard just now.]"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"ID3\x04 some MP3", "which you cannot open: its length cannot be told"),
        (opus(0.1, granule=48_000 * 3_600), "which you cannot open: it is longer than 20 minutes"),
        (None, "which could not be loaded: it is gone"),
    ],
)
async def test_what_is_no_recording_is_named(
    world: World, adapter: FakeAdapter, data: bytes | None, why: str
) -> None:
    adapter.files = {} if data is None else {"a1": Fetched(data, "audio/mpeg")}
    assert why in (await listen(adapter, an_ear(world), text="hi")).text
    end = (await listen(adapter, an_ear(world))).end
    assert end is not None
    assert end.text == (NOT_NOW if data is None else ALONE[AttachmentKind.AUDIO])
    assert world.provider.calls == []


async def test_silence(world: World, adapter: FakeAdapter) -> None:
    world.provider.script(Say(" "))
    ear = an_ear(world)
    assert (await listen(adapter, ear)).end == LoopResult(StopReason.UNREADABLE, NOTHING_HEARD)
    assert ear.paid is not None


async def test_one_recording_a_message(world: World, adapter: FakeAdapter) -> None:
    world.provider.script(Say("first"))
    adapter.files["a2"] = adapter.files["a1"]
    second = Attachment(AttachmentKind.AUDIO, "a2", "audio/ogg")
    seen = await listen(adapter, an_ear(world), second)
    assert seen.text == "[Voice message] first\n\n[The user sent a voice message, which you cannot open.]"
    assert len(world.provider.calls) == 1


async def test_a_model_without_a_price_hears_only_where_nothing_is_limited(adapter: FakeAdapter) -> None:
    async with a_world(PriceBook("empty")) as world:
        assert (await listen(adapter, an_ear(world, limit=10**12))).end == LoopResult(
            StopReason.UNREADABLE, NOT_NOW, detail="fake/speech-1 has no price"
        )
        assert world.provider.calls == []
        world.provider.script(Say("hello"))
        assert (await listen(adapter, an_ear(world))).text == "[Voice message] hello"


async def test_the_text_is_a_step_of_the_turn(world: World, adapter: FakeAdapter) -> None:
    await world.store.accept(NewInbound("bot", "chat", "", "e1", "l", "{}", world.clock.now_ms()))
    world.provider.script(Say("hello"))
    ear = an_ear(world)
    await listen(adapter, ear)
    work = await world.store.next_in("l", world.clock.now_ms())
    assert work is not None
    [step] = work.steps
    assert (step.number, step_from_json(step.payload)) == (0, ear.paid)
