"""From a webhook's messages to durable ones.

Rules: chats go side by side, the messages of one chat one after another, those of another webhook too that came
at the same time; after the first of a chat that is not taken, the rest of it is not tried, so that nothing
overtakes it when Meta brings all again. What cannot be read is kept, up to a number, and counted.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from adapters.contract import Deliver, Delivery, DeliveryState
from adapters.messages import ChatRef, InboundMessage

MOST_CHATS = 2000
_COME_AGAIN = Delivery(DeliveryState.OVERLOADED, 1.0)
_ACKNOWLEDGED = frozenset({DeliveryState.ACCEPTED, DeliveryState.DUPLICATE, DeliveryState.IGNORED})


@dataclass(slots=True)
class Odd:
    """What came and was not a message for us, since the start.

    Attributes:
        unreadable: how many parts could not be read; `last`: the last few of them as they came.
        forged: webhooks without the app's signature.
        foreign: webhooks with messages for another number.
        undelivered: messages of ours that Meta took and did not bring to the user.
    """

    unreadable: int = 0
    forged: int = 0
    foreign: int = 0
    undelivered: int = 0
    last: deque[object] = field(default_factory=lambda: deque(maxlen=16))


class Intake:
    """Hands messages in, in order.

    Args:
        within_s: how long one webhook's messages may take to become durable.
    """

    __slots__ = ("_latest", "_locks", "_under_way", "_within_s")

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._latest: OrderedDict[str, str] = OrderedDict()
        self._under_way: set[asyncio.Timeout] = set()

    def latest(self, chat: ChatRef) -> str | None:
        """The id of the last message of a chat; None where that is too long ago."""
        return self._latest.get(chat.place)

    async def take(self, messages: Iterable[InboundMessage], deliver: Deliver) -> Delivery | None:
        """Deliver all; None once all are durable, else what the first that is not was told."""
        chats: dict[str, list[InboundMessage]] = {}
        for message in messages:
            chats.setdefault(message.chat.place, []).append(message)
            self._remember(message)
        try:
            async with self._limited(), asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._chat(place, of_chat, deliver), name=f"whatsapp chat {place}")
                    for place, of_chat in chats.items()
                ]
        except TimeoutError:
            return _COME_AGAIN
        return next((told for task in tasks if (told := task.result()) is not None), None)

    def give_up(self) -> None:
        """End what is under way: Meta brings it again."""
        now = asyncio.get_running_loop().time()
        for timeout in self._under_way:
            timeout.reschedule(now)

    @asynccontextmanager
    async def _limited(self) -> AsyncIterator[None]:
        async with asyncio.timeout(self._within_s) as timeout:
            self._under_way.add(timeout)
            try:
                yield
            finally:
                self._under_way.discard(timeout)

    async def _chat(
        self, place: str, messages: Sequence[InboundMessage], deliver: Deliver
    ) -> Delivery | None:
        lock = self._locks.get(place)
        if lock is None:
            lock = self._locks[place] = asyncio.Lock()
        async with lock:
            for message in messages:
                delivery = await deliver(message)
                if delivery.state not in _ACKNOWLEDGED:
                    return delivery
        return None

    def _remember(self, message: InboundMessage) -> None:
        place = message.chat.place
        self._latest[place] = message.event_id
        self._latest.move_to_end(place)
        if len(self._latest) > MOST_CHATS:
            self._latest.popitem(last=False)
