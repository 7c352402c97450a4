"""What Telegram and the network do to a connection, and that it comes back, or stops where it must."""

import asyncio
import json

import pytest

from adapters.contract import ConnectionState, Delivery, DeliveryState
from adapters.messages import InboundMessage
from adapters.testing.telegram_state import Fault, FaultKind
from tests.faults.telegram_bench import HASTY, TOKEN, bot

pytestmark = pytest.mark.faults
UP, DOWN, DEGRADED, REFUSED = (
    ConnectionState.UP,
    ConnectionState.DOWN,
    ConnectionState.DEGRADED,
    ConnectionState.REFUSED,
)
ACCEPTED = Delivery(DeliveryState.ACCEPTED)


async def test_a_bad_token_at_start_is_refused_after_one_try() -> None:
    async with bot(running=False) as one:
        one.account.revoked = True
        await one.run()
        assert one.refused is not None
        assert one.states[-1] is REFUSED
        assert one.account.calls == {"getMe": 1}
        assert one.timer.slept == []
        assert "token" in one.reports[-1][1]


async def test_a_token_revoked_in_mid_run_is_refused() -> None:
    async with bot() as one:
        await one.reaches(UP)
        one.account.revoked = True
        await one.until(lambda: one.refused is not None)
        assert one.states[-1] is REFUSED


async def test_a_proxys_404_page_does_not_refuse_a_good_token() -> None:
    async with bot(running=False) as one:
        page = f"<html>the requested URL /bot{TOKEN}/getMe was not found</html>"
        one.account.fail("getMe", Fault(FaultKind.ANSWER, 404, page))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.reaches(DOWN, UP)
            task.cancel()
        assert one.refused is None


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
        await one.account.drained()
        await one.server.stop()
        await one.reaches(UP, DOWN)
        one.account.say("during")
        await one.server.start()
        await one.hears("before", "during")
        await one.reaches(UP, DOWN, UP)


async def test_another_process_polling_degrades_and_recovers() -> None:
    async with bot() as one:
        await one.account.called("getUpdates")
        other = one.account.answer("getUpdates", {"timeout": "0"})  # ends our poll with 409
        await other
        await one.reaches(UP, DEGRADED)
        assert "another process polls this token" in one.reports[-1][1]
        one.account.say("still here")
        await one.hears("still here")
        await one.reaches(UP, DEGRADED, UP)
        assert one.timer.slept


async def test_a_webhook_left_behind_is_taken_back_and_its_updates_are_kept() -> None:
    async with bot(running=False) as one:
        one.account.webhook = "https://elsewhere.example/hook"
        one.account.say("sent to the webhook")
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.hears("sent to the webhook")
            task.cancel()
        assert one.account.calls["deleteWebhook"] == 1
        assert DEGRADED not in one.states


async def test_a_webhook_that_somebody_sets_again_degrades() -> None:
    async with bot(running=False) as one:
        said = (
            '{"ok": false, "description": "Conflict: can\'t use getUpdates method while webhook is active"}'
        )
        one.account.fail("getUpdates", Fault(FaultKind.ANSWER, 409, said), times=3)
        one.account.say("at last")
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.hears("at last")
            task.cancel()
        assert one.account.calls["deleteWebhook"] == 1
        assert "a webhook is set" in dict(one.reports)[DEGRADED]
        assert len(one.timer.slept) == 2


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Fault(FaultKind.ANSWER, 200, '{"ok": true, "result": [{"upd'), DOWN),
        (Fault(FaultKind.ANSWER, 200, "[]"), DOWN),
        (Fault(FaultKind.ANSWER, 200, '{"ok": true}'), DOWN),
        (Fault(FaultKind.ANSWER, 200, '{"ok": true, "result": {"a": 1}}'), DOWN),
        (Fault(FaultKind.ANSWER, 200, '{"ok": true, "result": [{}, 7]}'), DOWN),
        (Fault(FaultKind.ANSWER, 502, "<html>Bad Gateway</html>"), DOWN),
        (Fault(FaultKind.ANSWER, 409, "<html>Conflict</html>"), DOWN),
        (Fault(FaultKind.ANSWER, 400, '{"ok": false, "description": "Bad Request: no"}'), DOWN),
        (Fault(FaultKind.ANSWER, 302, ""), DOWN),
        (Fault(FaultKind.ANSWER, 429, '{"ok": false, "parameters": {"retry_after": 17}}'), DEGRADED),
        (Fault(FaultKind.ANSWER, 429, "slow down"), DEGRADED),
        (Fault(FaultKind.DROP_BEFORE), DOWN),
        (Fault(FaultKind.DROP_AFTER), DOWN),
        (Fault(FaultKind.HANG), DOWN),
    ],
    ids=lambda value: (
        f"{value.kind}-{value.status}-{value.body[:12]}" if isinstance(value, Fault) else str(value)
    ),
)
async def test_a_poll_that_goes_wrong_pauses_and_recovers(answer: Fault, state: ConnectionState) -> None:
    async with bot(patience=HASTY, running=False) as one:
        one.account.say("through all of it")
        times = 1 if answer.kind is FaultKind.HANG else 2
        one.account.fail("getUpdates", answer, times)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.hears("through all of it")
            await one.reaches(UP, state, UP)
            task.cancel()
        assert len(one.timer.slept) == times
        if "17" in answer.body:
            assert one.timer.slept == [17, 17]


async def test_an_unreadable_update_is_kept_and_stepped_over() -> None:
    async with bot() as one:
        await one.reaches(UP)
        bad = one.account.push({"message": {"chat": "none"}})
        one.account.say("after it")
        await one.hears("after it")
        await one.account.drained()
        await one.reaches(UP, DEGRADED, UP)
        assert one.adapter.unreadable.count == 1
        assert f'"update_id": {bad}' in json.dumps(one.adapter.unreadable.last[0])
        assert one.account.calls["getUpdates"] < 10


async def test_a_chat_that_is_held_up_holds_up_no_other_of_the_poll() -> None:
    async with bot(running=False) as one:
        slow_may_go = asyncio.Event()

        async def hook(message: InboundMessage) -> Delivery:
            if message.text == "slow":
                await slow_may_go.wait()
            return ACCEPTED

        one.hook = hook
        for text, user in (("slow", 1), ("after slow", 1), ("quick", 2)):
            one.account.say(text, user_id=user)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.until(lambda: len(one.delivered) == 2)
            assert [message.text for message in one.delivered] == ["slow", "quick"]
            assert len(one.account.waiting) == 3
            slow_may_go.set()
            await one.account.drained()
            task.cancel()
        assert [message.text for message in one.delivered] == ["slow", "quick", "after slow"]


async def test_what_the_daemon_does_not_take_is_not_confirmed() -> None:
    async with bot() as one:
        answers = [Delivery(DeliveryState.OVERLOADED, 3.0), Delivery(DeliveryState.LIMITED, 0.0), ACCEPTED]

        async def hook(message: InboundMessage) -> Delivery:
            assert [update["message"]["text"] for update in one.account.waiting] == [message.text]
            return answers.pop(0)

        one.hook = hook
        one.account.say("take me")
        await one.account.drained()
        assert [message.text for message in one.delivered] == ["take me"] * 3
        assert one.timer.slept == [3.0, 0.05]


async def test_many_updates_come_in_order() -> None:
    async with bot(running=False) as one:
        texts = [f"number {number}" for number in range(250)]
        for text in texts:
            one.account.say(text)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run())
            await one.account.drained()
            task.cancel()
        assert [message.text for message in one.delivered] == texts


async def test_an_old_offset_is_forgotten_in_a_quiet_time() -> None:
    async with bot() as one:
        one.account.say("before the holidays")
        await one.account.drained()
        await one.timer.sleep(8 * 86_400.0)
        before = one.account.calls["getUpdates"]
        await one.account.called("getUpdates", before + 2)
        one.account._last_update = 5  # Telegram numbers anew, lower
        one.account.say("after them")
        await one.hears("before the holidays", "after them")
