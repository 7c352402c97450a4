"""What Discord and the network do to a connection, and that it comes back, or stops where it must."""

import asyncio
import json

import pytest

from adapters.contract import ConnectionState, Delivery, DeliveryState
from adapters.discord.client import Patience
from adapters.testing.discord_parts import Fault, FaultKind
from tests.faults.discord_bench import HASTY, TOKEN, Bot, bot

pytestmark = pytest.mark.faults
CONNECTING, UP, DOWN, DEGRADED, REFUSED = (
    ConnectionState.CONNECTING,
    ConnectionState.UP,
    ConnectionState.DOWN,
    ConnectionState.DEGRADED,
    ConnectionState.REFUSED,
)
ACCEPTED = Delivery(DeliveryState.ACCEPTED)


async def test_a_bad_token_at_start_is_refused_after_one_try() -> None:
    async with bot(running=False) as one:
        one.application.revoked = True
        await one.run()
        assert one.refused is not None
        assert one.states == [CONNECTING, REFUSED]
        assert one.timer.slept == []
        assert "token" in one.reports[-1][1]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (4004, "token"),
        (4010, "shards"),
        (4011, "shards"),
        (4012, "version"),
        (4013, "intents"),
        (4014, "Message Content"),
    ],
)
async def test_a_fatal_close_code_is_refused_and_says_what_to_do(code: int, says: str) -> None:
    async with bot(running=False) as one:
        one.application.refuse = code
        await one.run()
        assert one.refused is not None
        assert says in one.reports[-1][1]
        assert str(code) in one.reports[-1][1]
        assert one.application.calls["GET /gateway/bot"] <= 2


async def test_an_intent_that_the_portal_does_not_allow_can_be_left_out() -> None:
    async with bot(message_content=False) as one:
        one.application.allowed = (1 << 26) - 1 - (1 << 15)
        await one.reaches(UP)
        one.application.say("for nobody", channel="700")
        one.application.say("for us", channel="700", mention=True)
        await one.hears("for us")
        assert one.heard == ["for us"]


async def test_a_token_revoked_in_mid_run_is_refused() -> None:
    async with bot() as one:
        await one.reaches(UP)
        one.application.revoked = True
        one.server.close(TOKEN, 4000)
        await one.until(lambda: one.refused is not None)
        assert one.states[-1] is REFUSED


async def test_network_down_at_start_comes_back_by_itself_with_growing_pauses() -> None:
    async with bot(up=False) as one:
        await one.timer.waits(9)
        assert one.timer.slept[:9] == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30]
        await one.server.start()
        await one.reaches(DOWN, UP)


async def test_a_lost_connection_is_resumed_and_nothing_is_lost() -> None:
    async with bot() as one:
        await one.reaches(UP)
        for number in range(5):
            one.server.close(TOKEN, None if number % 2 else 4000)
            one.application.say(f"during {number}")
            await one.hears(f"during {number}")
            await one.until(lambda number=number: one.application.resumed == number + 1)  # type: ignore[misc]
        assert one.heard == [f"during {number}" for number in range(5)]
        assert one.application.identified == 1
        assert one.server.connections(TOKEN) == 1


async def test_asked_to_connect_again_it_resumes() -> None:
    async with bot() as one:
        await one.reaches(UP)
        one.server.reconnect(TOKEN)
        await one.until(lambda: one.application.resumed == 1)
        await one.reaches(UP, DOWN, UP)


async def test_an_invalidated_session_is_begun_anew() -> None:
    async with bot() as one:
        await one.reaches(UP)
        one.server.invalidate(TOKEN)
        await one.until(lambda: one.application.identified == 2)
        one.application.say("hello")
        await one.hears("hello")
        assert max(one.timer.slept) >= 4  # Discord wants five seconds between two sessions


async def test_events_that_cannot_be_read_are_kept_and_stepped_over() -> None:
    async with bot() as one:
        await one.reaches(UP)
        one.application.push(
            "MESSAGE_CREATE", {"id": "x", "channel_id": "700", "guild_id": "5000", "mentions": []}
        )
        one.application.push("GUILD_CREATE", {"guild_id": "5000", "channels": 7})
        one.application.push("THREAD_DELETE", {"guild_id": "5000"})
        one.application.push("INTERACTION_CREATE", {"guild_id": "5000", "type": 2})
        await one.until(lambda: one.adapter.unreadable.count == 4)
        one.application.say("after them")
        await one.hears("after them")
        await one.reaches(UP, DEGRADED, UP)
        assert json.dumps(list(one.adapter.unreadable.last))
        assert one.server.connections(TOKEN) == 1


async def test_threads_and_roles_of_ours_are_known() -> None:
    async with bot(running=False) as one:
        one.application.threads["900"] = {"id": "900", "parent_id": "700", "member": {}}
        one.application.channels["900"] = []
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.until(lambda: one.application.identified == 1)
            one.application.say("in our thread", channel="900")
            one.application.say("elsewhere", channel="700")
            one.application.say("<@&5001> our role", channel="701", mention_roles=["5001"])
            await one.until(lambda: len(one.delivered) == 3)
            task.cancel()
        assert {message.text: message.addressed for message in one.delivered} == {
            "in our thread": True,
            "elsewhere": False,
            "our role": True,
        }


async def test_a_gateway_that_says_nothing_is_left() -> None:
    async with bot(patience=Patience(silence_s=0.5), running=False) as one:
        one.server.heartbeat_ms = None
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.reaches(DOWN)
            one.server.heartbeat_ms = 41_250
            await one.reaches(DOWN, UP)
            task.cancel()


async def test_a_silent_stall_is_noticed_and_resumed() -> None:
    async with bot(
        patience=Patience(silence_s=0.5)
    ) as one:  # the library's own watchdog, in half a second here
        await one.reaches(UP)
        await one.reaches(UP, DOWN, UP)
        one.application.say("still there")
        await one.hears("still there")
        assert one.application.resumed >= 1


async def test_heartbeats_keep_a_quiet_connection_up() -> None:
    async with bot(running=False) as one:
        one.server.heartbeat_ms = 100
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.until(lambda: one.application.calls["HEARTBEAT"] >= 10)
            task.cancel()
        assert one.states == [CONNECTING, UP]


async def test_no_more_sessions_today_waits_as_long_as_discord_says() -> None:
    async with bot(running=False) as one:
        one.application.sessions_left = 0
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.reaches(DEGRADED)
            assert one.application.identified == 0
            one.application.sessions_left = 1
            await one.reaches(DEGRADED, UP)
            task.cancel()
        assert one.timer.slept[0] == 3600
        assert "sessions" in dict(one.reports)[DEGRADED]


async def test_a_gateway_that_ends_each_session_at_once_meets_growing_pauses() -> None:
    async with bot(running=False) as one:
        one.application.refuse = 4000
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.timer.waits(20)
            task.cancel()
        pauses_and_turns = [0.25, 4.75, 0.5, 4.5, 1, 4, 2, 3, 4, 1, 8, 16, 30, 30]
        assert one.timer.slept[:14] == pauses_and_turns


async def test_garbage_from_the_gateway_is_no_end() -> None:
    async with bot() as one:
        await one.reaches(UP)
        for socket in list(one.server._sockets):
            await socket._ws.send_bytes(b"no zlib at all\x00\x00\xff\xff")
        await one.reaches(UP, DOWN, UP)
        one.application.say("after it")
        await one.hears("after it")


async def test_two_shards_share_the_servers() -> None:
    async with bot(shards=2) as one:
        await one.until(lambda: one.application.identified == 2)
        assert {(session.shard, session.shards) for session in one.application.sessions.values()} == {
            (0, 2),
            (1, 2),
        }
        one.application.say("direct")
        one.application.push("MESSAGE_CREATE", in_server(str(1 << 22), "elsewhere"))
        await one.until(lambda: sorted(one.heard) == ["direct", "elsewhere"])
        assert one.server.connections(TOKEN) == 2
        assert one.states[-1] is UP


def in_server(guild: str, text: str) -> dict[str, object]:
    author = {"id": "7", "username": "ada"}
    message = {
        "id": "1551622331518943235",
        "channel_id": "701",
        "content": text,
        "author": author,
        "mentions": [],
    }
    return {**message, "guild_id": guild}


async def test_commands_are_registered_once_and_others_stay() -> None:
    async with bot(commands=True) as one:
        one.application.commands["theirs"] = {"name": "theirs"}
        await one.until(lambda: "usage" in one.application.commands)
        await started_again(one)
        assert one.application.calls["POST /applications/{id}/commands"] == 4
        assert sorted(one.application.commands) == ["ask", "help", "reset", "theirs", "usage"]


async def started_again(one: Bot) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(one.run())
        await one.until(lambda: one.application.calls["GET /applications/{id}/commands"] == 2)
        await one.until(lambda: one.application.identified == 2)
        task.cancel()


async def test_commands_that_cannot_be_registered_degrade_until_something_is_heard() -> None:
    async with bot(commands=True, application_id="77777") as one:
        await one.reaches(DEGRADED)
        assert "commands" in one.reports[-1][1]
        one.application.say("hello")
        await one.reaches(DEGRADED, UP)


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.HANG])
async def test_a_gateway_address_that_cannot_be_had_is_asked_for_again(kind: FaultKind) -> None:
    async with bot(patience=HASTY, running=False) as one:
        one.application.fail("GET /gateway/bot", Fault(kind), 1)
        one.application.fail("GET /gateway/bot", Fault(FaultKind.ANSWER, 200, "{}"), 1)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.reaches(DOWN, UP)
            task.cancel()
