"""Albums: which may still grow, and what one message is made of them."""

from typing import Any

from adapters.messages import Attachment, AttachmentKind, ChatRef, InboundMessage, Sender
from adapters.telegram.albums import MOST_REMEMBERED, Albums, album_of, unfinished


def update(album: str | None = None, chat: int = 1) -> dict[str, Any]:
    more = {} if album is None else {"media_group_id": album}
    return {"message": {"chat": {"id": chat}, **more}}


def part(number: int, text: str = "", **more: Any) -> InboundMessage:
    picture = Attachment(AttachmentKind.IMAGE, f"f{number}")
    return InboundMessage(
        str(number), ChatRef("1"), Sender("1"), text, attachments=(picture,), **{"addressed": False, **more}
    )


def test_which_updates_are_of_an_album() -> None:
    assert album_of(update("a")) == "a"
    others: list[Any] = [
        update(),
        update(""),
        {},
        {"message": None},
        {"message": {"media_group_id": 5}},
        [],
        7,
    ]
    for raw in others:
        assert album_of(raw) is None


def test_an_album_may_grow_until_its_chat_goes_on() -> None:
    waiting = {1: update("a"), 2: update("b", chat=2), 3: update(), 4: update("c"), 5: update("c")}
    assert unfinished(waiting, {}) == {"b": [2], "c": [4, 5]}


def test_an_album_that_has_not_grown_or_is_full_is_whole() -> None:
    waiting = {1: update("a"), 2: update("a"), 3: update("b", chat=2), 4: update("b", chat=2)}
    assert unfinished(waiting, {"a": 2, "b": 1}) == {"b": [3, 4]}
    assert unfinished({number: update("a") for number in range(10)}, {}) == {}


def test_malformed_updates_are_of_no_chat() -> None:
    assert unfinished({1: {}, 2: {"message": 5}, 3: {"message": {"chat": 5, "media_group_id": "a"}}}, {}) == {
        "a": [3]
    }


def test_an_album_is_one_message_in_the_place_of_its_first_part() -> None:
    before, between, after = part(1), part(3, "between"), part(5)
    first, second = part(2), part(4, "look", command="help", addressed=True, reply_to="9")
    read = [(1, None, before), (2, "a", first), (3, None, between), (4, "a", second), (5, "b", after)]
    messages = Albums().gathered(read)
    assert [message.event_id for message in messages] == ["1", "album:a", "3", "album:b"]
    whole = messages[1]
    assert (whole.text, whole.command, whole.addressed, whole.reply_to) == ("look", "help", True, "9")
    assert [attachment.reference for attachment in whole.attachments] == ["f2", "f4"]


def test_a_part_comes_again_or_comes_late() -> None:
    albums = Albums()
    assert albums.merged("a", {1: part(1), 2: part(2)})
    again = albums.merged("a", {2: part(2)})
    assert again is not None
    assert again.event_id == "album:a"  # nothing is durable yet
    albums.remember("a", [1, 2])
    assert albums.merged("a", {1: part(1), 2: part(2)}) is None
    late = albums.merged("a", {2: part(2), 3: part(3)})
    assert late is not None
    assert (late.event_id, [file.reference for file in late.attachments]) == ("album:a:3", ["f3"])


def test_what_is_remembered_is_bounded() -> None:
    albums = Albums()
    for number in range(MOST_REMEMBERED + 1):
        albums.remember(f"album {number}", [number])
    assert len(albums._handed_in) == MOST_REMEMBERED
    assert albums.merged("album 1", {1: part(1)}) is None
