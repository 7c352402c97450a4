"""What an unfinished answer is to Slack: the piece of it that is settled, and the arguments of the calls. Pure.

    the answer so far   Ask <@U1 or m│ore ab│out      settled: "Ask", for what follows "<" is not known yet
    the answer so far   Ask me or m│ore               settled: "Ask me or m", and the next piece begins with "ore"

Rules: what was streamed cannot be taken back, so a piece ends before anything that may yet become a mention; as
Slack drops white space at the ends of pieces, each ends and the next begins inside of a word. What is shown before
the end carries no key: only the whole answer is found in the history by it.
"""

from __future__ import annotations

from adapters.messages import OutboundMessage
from adapters.slack import wire

_MAY_BECOME_MENTIONS = frozenset("<&@")


def settled(text: str) -> str:
    """The beginning of an unfinished text, harmless, that stays so whatever follows; "" where there is none.

    A text that begins with a space has none: Slack would drop the space.
    """
    bare = text.strip("\n").rstrip()
    if not bare or bare[0].isspace():
        return ""
    word = bare.rsplit(None, 1)[-1]
    known = next(
        (at for at, character in enumerate(word) if character in _MAY_BECOME_MENTIONS), len(word) - 1
    )
    end = len(bare) - len(word) + known
    while end > 0 and (bare[end - 1].isspace() or bare[end].isspace()):
        end -= 1
    return wire.harmless(bare)[:end]


def rest(text: str, shown: str) -> str | None:
    """What the whole text has more than was streamed; None where it is another text."""
    whole = wire.harmless(text)
    return whole[len(shown) :] if whole.startswith(shown) else None


def can_stream(message: OutboundMessage) -> bool:
    """Whether Slack streams there: in a thread, to somebody whose question it answers."""
    known = (message.details.get("asker"), message.details.get("team"))
    return message.chat.thread is not None and all(isinstance(one, str) and one for one in known)


def start_fields(message: OutboundMessage, piece: str) -> dict[str, object]:
    """The arguments of chat.startStream."""
    return {
        "channel": message.chat.id,
        "thread_ts": message.chat.thread,
        "recipient_user_id": message.details["asker"],
        "recipient_team_id": message.details["team"],
        "markdown_text": piece,
    }


def stop_fields(message: OutboundMessage, piece: str) -> dict[str, object]:
    """The arguments of chat.stopStream with the last piece, beside channel and `ts`; the whole has its key."""
    last: dict[str, object] = {"markdown_text": piece} if piece else {}
    return {**last, "metadata": wire.part_metadata(message.key)}


def begin_fields(message: OutboundMessage) -> dict[str, object]:
    """The arguments of chat.postMessage for an answer that is not whole yet."""
    fields = wire.post_fields(message)
    del fields["metadata"]
    return fields


def edit_fields(message: OutboundMessage, *, whole: bool) -> dict[str, object]:
    """The arguments of chat.update beside channel and `ts`."""
    fields = wire.content_fields(message.text)
    return {**fields, "metadata": wire.part_metadata(message.key)} if whole else fields
