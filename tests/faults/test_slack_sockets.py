"""What Slack and the network do to a socket, and that it comes back, or stops where it must."""

import asyncio
import json

import pytest

from adapters.contract import ConnectionState, Delivery, DeliveryState
from adapters.messages import InboundMessage
from adapters.slack import sockets
from adapters.slack.client import Patience
from adapters.testing.slack_state import Fault, FaultKind
from tests.faults.slack_bench import HASTY, TOKEN, bot

pytestmark = pytest.mark.faults
UP, DOWN, DEGRADED, REFUSED = (
    ConnectionState.UP,
    ConnectionState.DOWN,
    ConnectionState.DEGRADED,
    ConnectionState.REFUSED,
)
ACCEPTED = Delivery(DeliveryState.ACCEPTED)


def answer(status: int, body: str, **headers: str) -> Fault:
    return Fault(FaultKind.ANSWER, status, body, {name.replace("_", "-"): v for name, v in headers.items()})


async def test_a_bad_bot_token_at_start_is_refused_after_one_try() -> None:
    async with bot(running=False) as one:
        one.account.revoked = True
        await one.run()
        assert one.refused is not None
        assert one.states[-1] is REFUSED
        assert one.account.calls == {"auth.test": 1}
        assert one.timer.slept == []
        assert one.reports[-1][1] == "bot_token: Slack does not accept the token (invalid_auth)"


async def test_a_bad_app_token_at_start_is_refused_and_not_asked_for_ever() -> None:
    async with bot(running=False) as one:
        one.account.app_token = "xapp-another"
        await one.run()
        assert one.refused is not None
        assert one.account.calls == {"auth.test": 1}
        assert one.timer.slept == []
        assert one.reports[-1][1] == "app_token: Slack does not accept the token (invalid_auth)"


@pytest.mark.parametrize("event", ["tokens_revoked", "app_uninstalled"])
async def test_a_token_revoked_in_mid_run_is_refused(event: str) -> None:
    async with bot() as one:
        await one.reaches(UP)
        one.account.revoked = True
        one.account.bring({"type": event, "tokens": {"bot": ["U0BOT"]}})
        await one.until(lambda: one.refused is not None)
        assert one.states[-1] is REFUSED


async def test_a_send_that_finds_the_token_dead_ends_the_connection() -> None:
    async with bot() as one:
        await one.reaches(UP)
        one.account.revoked = True
        await one.send()
        await one.until(lambda: one.refused is not None)


async def test_a_doubt_that_proves_wrong_changes_nothing() -> None:
    async with bot() as one:
        await one.reaches(UP)
        one.account.bring({"type": "tokens_revoked", "tokens": {"oauth": ["U9"]}})
        await one.account.called("auth.test", 2)
        one.account.say("still here")
        await one.hears("still here")
        assert one.states == [ConnectionState.CONNECTING, UP]


async def test_network_down_at_start_comes_back_by_itself_with_growing_pauses() -> None:
    async with bot(up=False) as one:
        one.account.say("waiting for you")
        await one.timer.waits(9)
        assert one.timer.slept[:9] == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30]
        await one.server.start()
        await one.hears("waiting for you")
        await one.reaches(DOWN, UP)


async def test_network_down_in_mid_run_comes_back_and_loses_nothing() -> None:
    async with bot() as one:
        one.account.say("before")
        await one.hears("before")
        await one.drained()
        await one.server.stop()
        await one.reaches(UP, DOWN)
        one.account.say("during")
        await one.server.start()
        await one.hears("before", "during")
        await one.reaches(UP, DOWN, UP)


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_notice_of_a_disconnect_opens_the_next_socket_first(reason: str) -> None:
    async with bot(patience=HASTY) as one:
        go_on = asyncio.Event()

        async def hook(_: InboundMessage) -> Delivery:
            await go_on.wait()
            return ACCEPTED

        one.hook = hook
        one.account.say("under way")
        await one.until(lambda: bool(one.delivered))
        await one.server.disconnect(one.account, reason)
        await one.server.linked(one.account, 2)
        go_on.set()
        await one.drained()  # acknowledged on the old one
        one.account.say("on the new one")
        await one.hears("under way", "on the new one")
        await one.drained()
        await one.server.linked(one.account, 1)  # Slack did not close the old one, so we did
        assert DOWN not in one.states
        assert one.server.opened == 2


async def test_socket_mode_switched_off_is_refused() -> None:
    async with bot() as one:
        await one.reaches(UP)
        one.account.socket_mode = False
        await one.server.disconnect(one.account, "link_disabled")
        await one.until(lambda: one.refused is not None)
        assert (DOWN, "link_disabled") in one.reports


async def test_what_was_in_hand_when_the_socket_broke_is_acknowledged_when_it_comes_again() -> None:
    async with bot() as one:
        go_on, seen = asyncio.Event(), set[str]()

        async def hook(message: InboundMessage) -> Delivery:
            await go_on.wait()
            state = DeliveryState.DUPLICATE if message.event_id in seen else DeliveryState.ACCEPTED
            seen.add(message.event_id)
            return Delivery(state)

        one.hook = hook
        one.account.retry_s = 0.05
        one.account.say("in hand")
        await one.until(lambda: bool(one.delivered))
        one.server.cut(one.account)
        await one.reaches(UP, DOWN)
        go_on.set()
        await one.drained()
        assert len(seen) == 1


async def test_a_socket_that_answers_no_ping_is_given_up() -> None:
    async with bot(patience=Patience(ping_s=0.2), running=False) as one:
        one.account.mute = True
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.reaches(UP, DOWN)
            one.account.mute = False
            one.account.say("heard at last")
            await one.hears("heard at last")
            task.cancel()


@pytest.mark.parametrize(
    ("method", "fault", "state"),
    [
        ("auth.test", answer(502, "<html>Bad Gateway</html>"), DOWN),
        ("auth.test", answer(404, f"<html>{TOKEN}</html>"), DOWN),
        ("auth.test", answer(200, '{"ok": true}'), DOWN),
        ("auth.test", answer(200, '{"ok": tr'), DOWN),
        ("auth.test", answer(200, "[1]"), DOWN),
        ("auth.test", answer(200, '{"ok": false, "error": "internal_error"}'), DOWN),
        ("auth.test", answer(429, '{"ok": false, "error": "ratelimited"}', Retry_After="17"), DEGRADED),
        ("auth.test", Fault(FaultKind.HANG), DOWN),
        ("apps.connections.open", answer(200, '{"ok": true}'), DOWN),
        ("apps.connections.open", answer(429, "slow down"), DEGRADED),
        ("apps.connections.open", answer(503, '{"ok": false, "error": "service_unavailable"}'), DOWN),
        ("apps.connections.open", Fault(FaultKind.DROP_AFTER), DOWN),
        ("link", Fault(FaultKind.HANG), DOWN),
        ("link", answer(500, ""), DOWN),
        ("link", answer(408, "<html>"), DOWN),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, Fault) else str(value),
)
async def test_a_start_that_goes_wrong_pauses_and_recovers(
    method: str, fault: Fault, state: ConnectionState
) -> None:
    async with bot(patience=HASTY, running=False) as one:
        one.account.say("through all of it")
        one.account.fail(method, fault)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.hears("through all of it")
            task.cancel()
        assert one.states == [ConnectionState.CONNECTING, state, UP]
        assert one.timer.slept == [
            17.0 if "17" in fault.headers.values() else 1.0 if state is DEGRADED else 0.25
        ]


async def test_an_event_that_cannot_be_read_is_kept_acknowledged_and_stepped_over() -> None:
    async with bot() as one:
        await one.reaches(UP)
        one.account.bring({"type": "message", "text": "whose?", "ts": 5, "channel": "D7", "user": "U7"})
        await one.drained()
        await one.reaches(UP, DEGRADED)
        one.account.say("after it")
        await one.hears("after it")
        await one.reaches(UP, DEGRADED, UP)
        assert one.adapter.unreadable.count == 1
        assert "whose?" in json.dumps(one.adapter.unreadable.last[0])


@pytest.mark.parametrize("payload", [{}, {"event": [1]}, {"event": {"type": 7}}, {"event": None}])
async def test_an_envelope_without_form_is_kept_and_acknowledged(payload: dict[str, object]) -> None:
    async with bot() as one:
        one.account.push("events_api", payload)
        await one.drained()
        await one.reaches(UP, DEGRADED)
        assert list(one.adapter.unreadable.last) == [payload]


@pytest.mark.parametrize("frame", ["{", "[]", "7", '{"type": "events_api"}'])
async def test_a_frame_that_cannot_be_read_is_kept(frame: str) -> None:
    async with bot() as one:
        await one.server.linked(one.account)
        await one.server.links[TOKEN][0].ws.send_str(frame)
        await one.reaches(UP, DEGRADED)
        one.account.say("after it")
        await one.hears("after it")
        assert list(one.adapter.unreadable.last) == [frame]


async def test_what_nobody_answers_is_acknowledged_all_the_same() -> None:
    async with bot() as one:
        one.account.bring({"type": "assistant_thread_started", "assistant_thread": {"user_id": "U7"}})
        one.account.bring({"type": "team_join", "user": {"id": "U8"}})
        one.account.push("interactive", {"type": "block_actions", "actions": [], "user": {"id": "U7"}})
        one.account.push("interactive", {"type": "of a later day"})
        await one.drained()
        assert one.delivered == []
        assert one.adapter.unreadable.count == 0


async def test_a_channel_that_is_held_up_holds_up_no_other_and_keeps_its_order() -> None:
    async with bot() as one:
        slow_may_go = asyncio.Event()

        async def hook(message: InboundMessage) -> Delivery:
            if message.text == "slow":
                await slow_may_go.wait()
            return ACCEPTED

        one.hook = hook
        for text, user in (("slow", "U1"), ("after slow", "U1"), ("quick", "U2")):
            one.account.say(text, user=user)
        await one.until(lambda: len(one.delivered) == 2)
        assert [message.text for message in one.delivered] == ["slow", "quick"]
        assert len(one.account.waiting) >= 2
        slow_may_go.set()
        await one.drained()
        assert [message.text for message in one.delivered] == ["slow", "quick", "after slow"]


async def test_what_the_daemon_does_not_take_is_tried_again_before_what_comes_after_it() -> None:
    async with bot() as one:
        answers = [
            Delivery(DeliveryState.OVERLOADED, 3.0),
            Delivery(DeliveryState.LIMITED, 0.0),
            ACCEPTED,
            ACCEPTED,
        ]

        async def hook(_: InboundMessage) -> Delivery:
            return answers.pop(0)

        one.hook = hook
        one.account.say("take me")
        one.account.say("then me")
        await one.drained()
        assert [message.text for message in one.delivered] == ["take me"] * 3 + ["then me"]
        assert one.timer.slept == [3, 1]


async def test_slacks_own_retries_are_the_same_message() -> None:
    async with bot() as one:
        go_on = asyncio.Event()

        async def hook(_: InboundMessage) -> Delivery:
            await go_on.wait()
            return ACCEPTED

        one.hook = hook
        one.account.retry_s = 0.01
        one.account.say("too slow for Slack")
        await one.until(lambda: bool(one.delivered))
        (waiting,) = one.account.waiting.values()
        await one.account.bell.until(lambda: waiting.tries >= 3)
        go_on.set()
        await one.drained()
        assert len({message.event_id for message in one.delivered}) == 1


async def test_a_mention_that_is_told_twice_is_the_same_message() -> None:
    async with bot() as one:
        one.account.say("<@U0BOT> hello", channel="C1", kinds=("app_mention", "message"))
        await one.drained()
        first, second = one.delivered
        assert first == second


async def test_many_envelopes_come_in_order() -> None:
    async with bot() as one:
        texts = [f"number {number}" for number in range(250)]
        for text in texts:
            one.account.say(text)
        await one.drained()
        assert [message.text for message in one.delivered] == texts


async def test_more_than_may_be_in_hand_is_left_to_slack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "MOST_IN_HAND", 2)
    async with bot() as one:
        go_on = asyncio.Event()

        async def hook(_: InboundMessage) -> Delivery:
            await go_on.wait()
            return ACCEPTED

        one.hook = hook
        one.account.retry_s = 0.05
        for user in ("U1", "U2", "U3"):
            one.account.say("hello", user=user)
        await one.until(lambda: len(one.delivered) == 2)
        go_on.set()
        await one.drained()
        assert {message.sender.id for message in one.delivered} == {"U1", "U2", "U3"}


async def test_a_fault_of_ours_is_not_acknowledged() -> None:
    async with bot() as one:
        faults = [RuntimeError("a bug")]

        async def hook(_: InboundMessage) -> Delivery:
            if faults:
                raise faults.pop()
            return ACCEPTED

        one.hook = hook
        one.account.retry_s = 0.5
        one.account.say("brought again")
        await one.drained()
        await one.reaches(UP, DEGRADED, UP)
        assert len(one.delivered) == 2


async def test_tokens_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLIENT_ID", "CLIENT_SECRET", "BOT_TOKEN", "SIGNING_SECRET", "APP_TOKEN"):
        monkeypatch.setenv(f"SLACK_{name}", "xoxb-somebody-elses")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with bot() as one:
        one.account.say("hello")
        await one.hears("hello")
        await one.send("with our own token")
        assert [message.text for message in one.account.sent] == ["with our own token"]
