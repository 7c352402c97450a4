"""WhatsApp's adapter: webhooks in, one call a message out.

    GET  webhook ─▶ verify token ─▶ 200 challenge                     403
    POST webhook ─▶ signature ─▶ parse ─▶ deliver all ─▶ 200          401, 413, 429 and 503 (Meta brings it again)

Rules: 200 is said once everything of a webhook is durable; Meta brings what was not taken again for up to seven
days. A message is sent again only where Meta certainly did not take it; where that is open, its status webhook
tells, by our own id. There is no connection to hold: `run` asks now and then whether the credentials still hold,
and at once when a send says that they do not.

| Meta's answer to a message          | result                                                              |
|-------------------------------------|---------------------------------------------------------------------|
| 200 with an id                      | Sent(wamid)                                                         |
| no connection                       | NotSent, our own back-off                                           |
| an error with its code              | see `faults`                                                        |
| anything else, no answer            | the status webhook within `Patience.fate_s`, else FateUnknown       |
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from math import ceil
from typing import Any

from adapters.contract import (
    Capabilities,
    ConnectionState,
    Deliver,
    Delivery,
    DeliveryState,
    Fetched,
    NotFetched,
    Report,
    WebhookRequest,
    WebhookResponse,
)
from adapters.errors import AdapterError, RefusedConnection, Unreachable, UnreadableUpdate
from adapters.http import Backoff, Shared
from adapters.messages import (
    Attachment,
    ChatKind,
    ChatRef,
    FateUnknown,
    NotSent,
    OutboundMessage,
    Rejected,
    SendResult,
    Sent,
)
from adapters.signatures import is_signed
from adapters.whatsapp import wire
from adapters.whatsapp.client import NUMBER, WEBHOOK, Client, NotConnected, Patience, Refused
from adapters.whatsapp.config import Config
from adapters.whatsapp.fates import Fates, fate_of, pauses_all, told
from adapters.whatsapp.faults import Meaning
from adapters.whatsapp.intake import Intake, Odd
from adapters.whatsapp.media import fetched

LONGEST_BODY = 3 * 1024 * 1024
"""What Meta says a webhook may have."""
_SIGNATURE = "x-hub-signature-256"


def build(config: Config, shared: Shared) -> WhatsAppAdapter:
    """What the registry calls."""
    return WhatsAppAdapter(config, shared)


class WhatsAppAdapter:
    """One business phone number. A `WebhookAdapter` and a `FetchingAdapter`.

    Attributes:
        odd: what came and was no message for us.
    """

    __slots__ = (
        "_client",
        "_config",
        "_fates",
        "_intake",
        "_look",
        "_patience",
        "_report",
        "_reported",
        "_shared",
        "_trouble",
        "_trusted",
        "odd",
    )

    def __init__(self, config: Config, shared: Shared, patience: Patience | None = None) -> None:
        self._config = config
        self._shared = shared
        self._patience = patience or Patience()
        self._client = Client(config, shared, self._patience)
        self._fates = Fates()
        self._intake = Intake(self._patience.deliver_s)
        self._look = asyncio.Event()
        self._report: Report | None = None
        self._reported: tuple[ConnectionState, str] | None = None
        self._trouble = ""
        self._trusted = False
        self.odd = Odd()

    @property
    def capabilities(self) -> Capabilities:
        """What WhatsApp can do."""
        return wire.CAPABILITIES

    async def run(self, deliver: Deliver, report: Report) -> None:
        """Watch the credentials until cancelled; raises RefusedConnection where Meta will not have them."""
        self._report, self._reported = report, None
        self._tell(ConnectionState.CONNECTING)
        backoff = Backoff(self._shared.chance)
        while True:
            self._look.clear()
            try:
                await self._client.number(NUMBER)
            except Refused as refused:
                if _is_final(refused):
                    self._tell(ConnectionState.REFUSED, str(refused))
                    raise RefusedConnection(str(refused)) from None
                self._tell(ConnectionState.DEGRADED, str(refused))
                await self._shared.timer.sleep(_wait_s(refused) or backoff.next_s())
            except Unreachable as error:
                self._tell(ConnectionState.DOWN, str(error))
                await self._shared.timer.sleep(backoff.next_s())
            else:
                backoff.reset()
                self._tell(ConnectionState.DEGRADED if self._trouble else ConnectionState.UP, self._trouble)
                await self._until_looked_for()

    async def handle(self, request: WebhookRequest, deliver: Deliver) -> WebhookResponse:
        """Answer one webhook; see the drawing above."""
        match request.method.upper():
            case "GET":
                return wire.challenge(request.query, self._config.verify_token.get_secret_value())
            case "POST":
                return await self._hear(request, deliver)
            case _:
                return wire.refusal(405, "GET and POST only", {"Allow": "GET, POST"})

    async def send(self, message: OutboundMessage) -> SendResult:
        """Send one part; see the table above. Raises nothing but cancellation."""
        with self._fates.waiting(wire.callback_data(message.key)) as future:
            result = await self._sent(message)
            if isinstance(result, FateUnknown):
                result = await told(future, self._patience.fate_s) or result
        if isinstance(result, Sent):
            self._trouble = ""
            self._mended()
        return result

    async def show_working(self, chat: ChatRef) -> None:
        """Mark the chat's last message as read and show `typing`, for 25 seconds."""
        message_id = self._intake.latest(chat)
        if message_id is None:
            return
        try:
            await self._client.post(wire.read_fields(message_id, typing=chat.kind is ChatKind.DIRECT))
        except AdapterError:
            return

    async def fetch(self, attachment: Attachment, max_bytes: int) -> Fetched | NotFetched:
        """The bytes of what a user sent."""
        return await fetched(self._client, attachment, max_bytes)

    async def who_am_i(self) -> str:
        """Name, number and the address of its webhook. Raises RefusedConnection or Unreachable."""
        try:
            number = await self._client.number(NUMBER, WEBHOOK)
        except Refused as refused:
            raise _translated(refused) from None
        try:
            await self._client.number(NUMBER, proven=True)
        except Refused as refused:
            raise RefusedConnection(
                f"Meta takes the access_token, but not with this app_secret: {refused}"
            ) from None
        return _introduction(number, self._shared.webhook_url("whatsapp"))

    async def close(self) -> None:
        """End the webhooks that are being taken; Meta brings them again."""
        self._intake.give_up()

    # ── what comes in ────────────────────────────────────────────────────────────────────────────────────────
    async def _hear(self, request: WebhookRequest, deliver: Deliver) -> WebhookResponse:
        if len(request.body) > LONGEST_BODY:
            return wire.refusal(413, f"a webhook may have {LONGEST_BODY} bytes")
        given = next((text for name, text in request.headers.items() if name.lower() == _SIGNATURE), "")
        if not is_signed(self._config.app_secret.get_secret_value(), request.body, given):
            self._forged()
            return wire.refusal(401, "the signature is not that of the app secret")
        self._trusted = True
        try:
            hook = wire.parse(request.body, self._config.phone_number_id)
        except UnreadableUpdate as error:
            hook = wire.Webhook(unreadable=[request.body], why=str(error))
        self._note(hook)
        refused = await self._intake.take(hook.messages, deliver)
        return wire.refusal(*_come_again(refused)) if refused is not None else WebhookResponse(200)

    def _forged(self) -> None:
        self.odd.forged += 1
        if not self._trusted:  # later on it is somebody else's doing and no fault of the set-up
            self._tell(
                ConnectionState.DEGRADED, "a webhook has a wrong signature: is app_secret the app's own?"
            )

    def _note(self, hook: wire.Webhook) -> None:
        """Statuses, and what is odd about a webhook."""
        for status in hook.statuses:
            self._fates.hear(status)
        failed = [status.fault for status in hook.statuses if isinstance(fate_of(status), Rejected)]
        self.odd.undelivered += len(failed)
        self.odd.unreadable += len(hook.unreadable)
        self.odd.last.extend(hook.unreadable)
        self.odd.foreign += bool(hook.foreign)
        if hook.unreadable:
            self._tell(ConnectionState.DEGRADED, hook.why)
        elif hook.complaints:
            self._tell(ConnectionState.DEGRADED, f"Meta complains: {hook.complaints[-1]}")
        elif hook.foreign:
            self._tell(
                ConnectionState.DEGRADED,
                f"messages of another number come here: {', '.join(sorted(hook.foreign))[:100]}",
            )
        elif failed:
            self._tell(ConnectionState.DEGRADED, f"a message did not reach its user: {failed[-1]}")
        else:
            self._mended()

    # ── what goes out ────────────────────────────────────────────────────────────────────────────────────────
    async def _sent(self, message: OutboundMessage) -> SendResult:
        try:
            answer = await self._client.post(wire.send_fields(message))
        except Refused as refused:
            return self._refused(refused)
        except NotConnected as error:
            self._look.set()
            return NotSent(str(error))
        except Unreachable as error:
            return FateUnknown(str(error))
        message_id = wire.wamid(answer)
        return FateUnknown("Meta's answer names no message") if message_id is None else Sent(message_id)

    def _refused(self, refused: Refused) -> SendResult:
        fault = refused.fault
        match fault.meaning:
            case Meaning.REFUSED:
                return Rejected(str(fault))
            case Meaning.UNCLEAR:
                return FateUnknown(str(fault))
            case Meaning.CREDENTIALS:
                self._trouble = str(fault)
                self._tell(ConnectionState.DEGRADED, self._trouble)
                self._look.set()
            case Meaning.USER_PACE | Meaning.BOT_PACE | Meaning.AWAY:
                pass
        return NotSent(str(fault), _wait_s(refused), whole_bot=pauses_all(fault))

    # ── how it is ────────────────────────────────────────────────────────────────────────────────────────────
    async def _until_looked_for(self) -> None:
        try:
            async with asyncio.timeout(self._patience.probe_s):
                await self._look.wait()
        except TimeoutError:
            return

    def _mended(self) -> None:
        """What was odd is over. A platform that is away is not back before it says so itself."""
        if self._reported is not None and self._reported[0] is ConnectionState.DEGRADED and not self._trouble:
            self._tell(ConnectionState.UP)

    def _tell(self, state: ConnectionState, why: str = "") -> None:
        if self._report is not None and self._reported != (state, why):
            self._reported = (state, why)
            self._report(state, why)


def _is_final(refused: Refused) -> bool:
    """Whether asking for the number again is useless. 100 is what Meta says of an id that is not there."""
    return refused.fault.meaning in (Meaning.CREDENTIALS, Meaning.REFUSED)


def _translated(refused: Refused) -> AdapterError:
    if _is_final(refused):
        return RefusedConnection(str(refused))
    return Unreachable(str(refused), _wait_s(refused))


def _wait_s(refused: Refused) -> float | None:
    asked = refused.retry_after_s
    return refused.fault.wait_s if asked is None else max(asked, refused.fault.wait_s or 0.0)


def _come_again(delivery: Delivery) -> tuple[int, str, Mapping[str, str]]:
    retry = {"Retry-After": str(max(1, ceil(delivery.retry_after_s)))}
    if delivery.state is DeliveryState.LIMITED:
        return 429, "Too Many Requests", retry
    return 503, "not taken, come again", retry


def _introduction(number: Mapping[str, Any], ours: str | None) -> str:
    """Who the number is, and whether Meta posts to where this bot is."""
    name, shown = number.get("verified_name") or "?", number.get("display_phone_number") or "?"
    webhook = number.get("webhook_configuration")
    told = webhook if isinstance(webhook, dict) else {}
    address = told.get("phone_number") or told.get("whatsapp_business_account") or told.get("application")
    elsewhere = f", but this bot is at {ours}" if ours is not None and address != ours else ""
    known = f"webhook {address}" if address else "no webhook address is set"
    return f"{name} ({shown}), {known}{elsewhere}"
