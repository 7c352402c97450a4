"""Streams, edits and deletions of the fake Slack are as strict as those of the real one."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from adapters.testing.slack_server import SlackServer
from adapters.testing.slack_state import Account

BOT = "xoxb-one"
STREAM = {"channel": "C1", "thread_ts": "1780000000.000000"}
FOR_U7 = {"recipient_user_id": "U7", "recipient_team_id": "T0FAKE"}
Tell = Callable[..., Awaitable[Any]]


@pytest.fixture
async def server() -> AsyncIterator[SlackServer]:
    async with SlackServer() as server:
        server.account(BOT)
        yield server


@pytest.fixture
def account(server: SlackServer) -> Account:
    return server.accounts[BOT]


@pytest.fixture
async def tell(server: SlackServer) -> AsyncIterator[Tell]:
    """Call a method; the message's `ts`, or what is wrong."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {BOT}"}) as session:

        async def told(method: str, **fields: object) -> Any:
            async with session.post(f"{server.url}/api/{method}", json=fields) as response:
                answer = await response.json()
                return answer["ts"] if answer["ok"] else answer["error"]

        yield told


async def test_a_stream_takes_pieces_until_it_is_stopped(tell: Tell, account: Account) -> None:
    ts = await tell("chat.startStream", **STREAM, **FOR_U7, markdown_text="one ")
    it = {"channel": "C1", "ts": ts}
    assert await tell("chat.appendStream", **it, markdown_text=" two") == ts
    assert account.sent[0].text == "onetwo", "white space at the ends is lost"
    assert await tell("chat.appendStream", **it) == "no_text"
    assert await tell("chat.appendStream", **it, markdown_text="x" * 12_001) == "msg_too_long"
    assert await tell("chat.appendStream", channel="C1", ts="1.000000") == "message_not_found"
    assert await tell("chat.update", **it, text="edited") == "streaming_state_conflict"
    assert await tell("chat.delete", **it) == "cant_delete_message"
    assert await tell("chat.stopStream", **it, metadata={"x": 1}) == "invalid_metadata_format"
    assert await tell("chat.stopStream", **it, markdown_text="three") == ts
    for method in ("chat.appendStream", "chat.stopStream"):
        assert await tell(method, **it, markdown_text="x") == "message_not_in_streaming_state"
    assert [(message.text, message.streaming) for message in account.sent] == [("onetwothree", False)]
    assert await tell("chat.update", **it, text="edited") == ts
    assert [message.text for message in account.sent] == ["edited"]


async def test_a_stream_is_in_a_thread_and_for_somebody(tell: Tell, account: Account) -> None:
    assert await tell("chat.startStream", channel="C1", **FOR_U7) == "invalid_thread_ts"
    assert await tell("chat.startStream", **STREAM) == "missing_recipient_team_id"
    assert await tell("chat.startStream", **STREAM, recipient_team_id="T") == "missing_recipient_user_id"
    assert await tell("chat.startStream", **STREAM, **FOR_U7, markdown_text="x" * 12_001) == "msg_too_long"
    assert await tell("chat.startStream", **STREAM, **FOR_U7, text="x") == "invalid_arguments"
    account.refused["C1"] = "is_archived"
    assert await tell("chat.startStream", **STREAM, **FOR_U7) == "is_archived"
    assert account.sent == []


async def test_a_stream_ends_by_itself(tell: Tell, account: Account) -> None:
    ts = await tell("chat.startStream", **STREAM, **FOR_U7, markdown_text="one")
    account.expire(ts)
    it = {"channel": "C1", "ts": ts}
    assert await tell("chat.appendStream", **it, markdown_text="x") == "message_not_in_streaming_state"
    assert await tell("chat.delete", **it) == ts


async def test_what_is_edited_is_ones_own_and_not_too_long(tell: Tell, account: Account) -> None:
    theirs = account.say("hello", channel="C1")
    ours = await tell("chat.postMessage", channel="C1", text="hi")
    assert await tell("chat.update", channel="C1", ts=theirs, text="x") == "cant_update_message"
    assert await tell("chat.delete", channel="C1", ts=theirs) == "cant_delete_message"
    assert await tell("chat.update", channel="C2", ts=ours, text="x") == "message_not_found"
    assert await tell("chat.update", channel="C1", ts=ours, text="x" * 4001) == "msg_too_long"
    assert await tell("chat.update", channel="C1", ts=ours, text=" ") == "no_text"
    assert await tell("chat.update", channel="C1", ts=ours, text="x", thread_ts=theirs) == "invalid_arguments"
    assert await tell("chat.update", channel="C1", ts=ours, text="ho") == ours
    assert [message.text for message in account.sent] == ["ho"]
    assert await tell("chat.delete", channel="C1", ts=ours) == ours
    assert account.sent == []
