"""WhatsApp's webhooks: taken when durable, in order, from nobody but Meta; and how the connection is."""

import asyncio
import json
from itertools import pairwise

import pytest

from adapters.contract import LEGAL_STATES, ConnectionState, Delivery, DeliveryState, WebhookRequest
from adapters.messages import InboundMessage, NotSent, Sent
from adapters.testing.telegram_state import Fault, FaultKind
from adapters.whatsapp.adapter import LONGEST_BODY
from tests.faults.whatsapp_bench import APP_SECRET, HASTY, PROBING, TOKEN, USER, VERIFY_TOKEN, Bot, bot

pytestmark = pytest.mark.faults
UP, DOWN, DEGRADED, REFUSED, CONNECTING = (
    ConnectionState.UP,
    ConnectionState.DOWN,
    ConnectionState.DEGRADED,
    ConnectionState.REFUSED,
    ConnectionState.CONNECTING,
)
LATER = Delivery(DeliveryState.OVERLOADED, 2.5)


def texts(one: Bot) -> list[str]:
    return [message.text for message in one.delivered]


# ── who may post ─────────────────────────────────────────────────────────────────────────────────────────────
async def test_the_challenge_over_the_socket() -> None:
    async with bot(running=False) as one:
        one.number.verify_token = "another"
        with pytest.raises(ValueError, match="verification failed"):
            await one.server.subscribe(one.number, one.url)
        one.number.verify_token = VERIFY_TOKEN
        await one.server.subscribe(one.number, one.url)
        assert one.number.callback_url == one.url
        query = {"hub.mode": "subscribe", "hub.verify_token": VERIFY_TOKEN, "hub.challenge": "42"}
        answer = await one.adapter.handle(WebhookRequest("GET", {}, b"", query), one.deliver)
        assert (answer.status, answer.body) == (200, b"42")


@pytest.mark.parametrize("signature", ["", "sha256=", "sha256=" + "0" * 64, "ünicode", "sha1=abc"])
async def test_a_forged_webhook_is_refused_and_counted(signature: str) -> None:
    async with bot(running=False) as one:
        assert (await one.post(one.webhook("hello"), signature)).status == 401
        assert (one.delivered, one.adapter.odd.forged) == ([], 1)


async def test_the_signature_is_over_the_bytes() -> None:
    async with bot(running=False) as one:
        body = json.dumps(one.webhook("hello"), indent=3).encode()
        assert (await one.post(body)).status == 200
        assert (await one.post(body + b" ", signature="sha256=" + "1" * 64)).status == 401
        assert texts(one) == ["hello"]


@pytest.mark.parametrize(("method", "status"), [("PUT", 405), ("DELETE", 405), ("get", 403)])
async def test_other_methods(method: str, status: int) -> None:
    async with bot(running=False) as one:
        answer = await one.adapter.handle(WebhookRequest(method, {}, b""), one.deliver)
        assert answer.status == status


async def test_a_huge_body_is_refused_before_it_is_read() -> None:
    async with bot(running=False) as one:
        assert (await one.post(b" " * (LONGEST_BODY + 1))).status == 413


async def test_wrong_signatures_are_told_until_a_right_one_came() -> None:
    async with bot() as one:
        await one.reaches(UP)
        await one.post(one.webhook("hello"), "sha256=0")
        assert one.reports[-1][0] is DEGRADED
        assert "app_secret" in one.reports[-1][1]
        await one.post(one.webhook("hello"))
        assert one.reports[-1][0] is UP
        await one.post(one.webhook("hello"), "sha256=0")
        assert one.reports[-1][0] is UP
        assert one.adapter.odd.forged == 2


# ── taken when durable ───────────────────────────────────────────────────────────────────────────────────────
async def test_all_messages_of_a_webhook_are_delivered_before_200() -> None:
    async with bot(subscribed=True) as one:
        one.number.batch = 7
        for number in range(20):
            one.number.say(str(number), user=str(491700000000 + number % 3))
        await one.number.drained()
        for user in range(3):
            assert [int(text) % 3 for text in texts(one)].count(user) in (6, 7)
            of_user = [int(text) for text in texts(one) if int(text) % 3 == user]
            assert of_user == sorted(of_user)


async def test_redelivered_webhooks_bring_equal_messages() -> None:
    async with bot(subscribed=True) as one:
        one.number.copies = 3
        one.number.say("hello")
        await one.number.drained()
        assert len(one.delivered) == 3
        assert len({(m.account, m.event_id) for m in one.delivered}) == 1
        assert one.delivered[0] == one.delivered[1] == one.delivered[2]


@pytest.mark.parametrize(
    ("delivery", "status", "retry"),
    [
        (Delivery(DeliveryState.LIMITED, 3.2), 429, "4"),
        (LATER, 503, "3"),
        (Delivery(DeliveryState.DUPLICATE), 200, None),
        (Delivery(DeliveryState.IGNORED), 200, None),
    ],
)
async def test_only_what_is_durable_is_acknowledged(
    delivery: Delivery, status: int, retry: str | None
) -> None:
    async with bot(running=False) as one:

        async def answer(_: InboundMessage) -> Delivery:
            return delivery

        one.hook = answer
        told = await one.post(one.webhook("hello"))
        assert (told.status, told.headers.get("Retry-After")) == (status, retry)


async def test_after_a_message_that_is_not_taken_nothing_of_its_chat_is_tried() -> None:
    async with bot(running=False) as one:

        async def answer(message: InboundMessage) -> Delivery:
            return LATER if message.text == "two" else Delivery(DeliveryState.ACCEPTED)

        one.hook = answer
        first, other = one.webhook("one", "two", "three"), one.webhook("elsewhere", user="49170222")
        first["entry"] += other["entry"]
        assert (await one.post(first)).status == 503
        assert sorted(texts(one)) == ["elsewhere", "one", "two"]


async def test_webhooks_at_once_do_not_overtake_in_a_chat() -> None:
    async with bot(running=False) as one:
        gate = asyncio.Event()

        async def answer(message: InboundMessage) -> Delivery:
            if message.text == "one":
                await gate.wait()
            return Delivery(DeliveryState.ACCEPTED)

        one.hook = answer
        async with asyncio.TaskGroup() as group:
            group.create_task(one.post(one.webhook("one")))
            await one.until(lambda: texts(one) == ["one"])
            group.create_task(one.post(one.webhook("two")))
            group.create_task(one.post(one.webhook("elsewhere", user="49170222")))
            await one.until(lambda: "elsewhere" in texts(one))
            assert texts(one) == ["one", "elsewhere"]
            gate.set()
        assert texts(one) == ["one", "elsewhere", "two"]


async def test_what_takes_too_long_is_brought_again() -> None:
    async with bot(patience=HASTY, running=False) as one:

        async def answer(_: InboundMessage) -> Delivery:
            await asyncio.Event().wait()
            raise AssertionError

        one.hook = answer
        assert (await one.post(one.webhook("hello"))).status == 503
        one.hook = None
        assert (await one.post(one.webhook("hello"))).status == 200


async def test_what_is_unreadable_is_kept_counted_and_taken() -> None:
    async with bot(subscribed=True) as one:
        await one.reaches(UP)
        one.number.batch = 3
        one.number.push({"messages": [{"id": 7}], "contacts": []})
        one.number.say("hello")
        await one.hears("hello")
        await one.number.drained()
        assert (one.adapter.odd.unreadable, list(one.adapter.odd.last)) == (1, [{"id": 7}])
        assert (await one.post(b"no JSON")).status == 200
        assert one.adapter.odd.unreadable == 2
        assert one.reports[-1] == (DEGRADED, "a webhook is not JSON")
        one.number.say("again")
        await one.hears("again")
        assert one.reports[-1] == (UP, "")


async def test_a_day_of_webhooks_lost_doubled_and_out_of_order() -> None:
    async with bot(subscribed=True) as one:
        seen: set[str] = set()
        calls = 0

        async def answer(message: InboundMessage) -> Delivery:
            nonlocal calls
            calls += 1
            if calls % 7 == 0:
                return LATER
            fresh = message.event_id not in seen
            seen.add(message.event_id)
            return Delivery(DeliveryState.ACCEPTED if fresh else DeliveryState.DUPLICATE)

        one.hook = answer
        one.number.batch, one.number.copies, one.number.overtaken = 3, 2, True
        said = {one.number.say(str(n), user=str(491700000000 + n % 4)) for n in range(60)}
        await one.number.drained()
        assert seen == said


# ── how the connection is ────────────────────────────────────────────────────────────────────────────────────
async def test_a_bad_token_is_refused_at_once_and_not_tried_again() -> None:
    async with bot(running=False) as one:
        one.number.revoked = True
        await one.run()
        assert one.refused is not None
        assert one.states == [CONNECTING, REFUSED]
        assert one.number.calls["number"] == 1


async def test_a_number_that_is_not_there_is_refused() -> None:
    async with bot(running=False) as one:
        one.server.numbers.clear()
        await one.run()
        assert "does not exist" in str(one.refused)


async def test_a_token_revoked_in_mid_run_is_found_by_looking() -> None:
    async with bot(patience=PROBING) as one:
        await one.reaches(UP)
        one.number.revoked = True
        await one.reaches(REFUSED)
        await one.until(lambda: one.refused is not None)


async def test_a_token_revoked_in_mid_run_is_found_by_sending() -> None:
    async with bot() as one:
        await one.reaches(UP)
        one.number.revoked = True
        result = await one.send()
        assert isinstance(result, NotSent)
        assert (result.retry_after_s, result.whole_bot) == (60, True)
        await one.reaches(UP, DEGRADED, REFUSED)


async def test_a_missing_permission_shows_until_a_message_goes() -> None:
    async with bot(patience=PROBING) as one:
        await one.reaches(UP)
        lacking = Fault(FaultKind.ANSWER, 403, '{"error": {"code": 10, "message": "Permission denied"}}')
        one.number.fail("message", lacking)
        await one.send()
        calls = one.number.calls["number"]
        await one.number.called("number", calls + 2)  # the number itself may be read
        assert one.reports[-1] == (DEGRADED, "Permission denied (10)")
        assert isinstance(await one.send(), Sent)
        assert one.reports[-1] == (UP, "")


async def test_the_network_down_at_start_and_in_mid_run() -> None:
    async with bot(patience=PROBING, up=False) as one:
        await one.timer.waits(9)
        assert one.timer.slept[:8] == [0.25, 0.5, 1, 2, 4, 8, 16, 30]
        assert one.states == [CONNECTING, DOWN]
        await one.server.start()
        await one.reaches(DOWN, UP)
        await one.server.stop()
        await one.reaches(DOWN, UP, DOWN)
        await one.server.start()
        await one.reaches(DOWN, UP, DOWN, UP)
        assert all(after in LEGAL_STATES[before] for before, after in pairwise(one.states))


async def test_a_pace_on_looking_is_kept() -> None:
    async with bot(running=False) as one:
        one.number.fail("number", Fault(FaultKind.ANSWER, 400, '{"error": {"code": 4, "message": "Pace"}}'))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(one.run())
            await one.reaches(CONNECTING, DEGRADED, UP)
            running.cancel()
        assert one.timer.slept == [60]


async def test_a_message_that_did_not_arrive_is_told() -> None:
    async with bot(subscribed=True) as one:
        await one.reaches(UP)
        one.number.closed.add(USER)
        assert isinstance(await one.send(), Sent)
        await one.reaches(UP, DEGRADED)
        assert "131047" in one.reports[-1][1]
        assert one.adapter.odd.undelivered == 1
        one.number.closed.clear()
        await one.send(key="t2.0")
        await one.reaches(DEGRADED, UP)


async def test_messages_of_another_number_are_told() -> None:
    async with bot() as one:
        await one.reaches(UP)
        raw = one.webhook("hello")
        raw["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = "999"
        assert (await one.post(raw)).status == 200
        assert (one.delivered, one.adapter.odd.foreign) == ([], 1)
        assert one.reports[-1] == (DEGRADED, "messages of another number come here: 999")


async def test_complaints_about_the_account_are_told() -> None:
    async with bot(running=False) as one:
        one.adapter._report = one.report
        one.number.push({"errors": [{"code": 131031, "title": "Account has been locked"}]})
        assert (await one.post(one.number.next_webhook()[1])).status == 200
        assert one.reports == [(DEGRADED, "Meta complains: Account has been locked (131031)")]


async def test_no_secret_is_shown() -> None:
    async with bot(running=False) as one:
        assert TOKEN not in repr(one.adapter)
        answer = await one.post(one.webhook("hello"), "sha256=0")
        assert APP_SECRET.encode() not in answer.body
