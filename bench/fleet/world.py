"""Those outside, and the truth: people who write, a platform that delivers, a provider that bills.

What is checked at the moment it happens:

    a turn's end      the message was not done before, and is the next of its conversation
    a call's begin    the caller holds the conversation, and money for this very call is held
    a call's end      all that the provider has billed for a bot is within its cap
    a reply sent      in the order of its conversation; a second time only where it is listed

Rules: a finding is kept, not raised: a run goes to its end. Nobody here knows what a store believes.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass


@dataclass(slots=True)
class Message:
    """One message.

    Attributes:
        seq: its place in its lane, once it is accepted.
        attempts: ledger rows of its turn; `paid`: one of them brought a reply.
        called_s: the model's own time.
        sends: of its reply; `sender`: the last daemon to try; `listed`: it may have been sent before.
    """

    number: int
    lane: int
    bot: int
    born: float
    seq: int = -1
    attempts: int = 0
    paid: bool = False
    done: bool = False
    called_s: float = 0.0
    sends: int = 0
    listed: bool = False
    sender: int = -1


class World:
    """Counts what is true.

    Attributes:
        open: accepted messages that are not done, by lane, the oldest first.
        faults: what must never be, in words; the first few.
    """

    MOST_FAULTS = 20

    def __init__(self, conversations: int, bots: int, messages: int, cap: int) -> None:
        self.cap = cap
        self.open: dict[int, list[Message]] = {}
        self.accepted = bytearray(messages)
        self._seqs = array("i", bytes(4 * conversations))
        self._done = array("i", bytes(4 * conversations))
        self._sent = array("i", bytes(4 * conversations))
        self.billed = array("q", bytes(8 * bots))
        self.finished = 0
        self.sent = 0
        self.doubled = 0
        self.calls = 0
        self.faults: list[str] = []

    def accept(self, message: Message) -> bool:
        """A message is stored; False where it had been."""
        if self.accepted[message.number]:
            return False
        self.accepted[message.number] = 1
        message.seq = self._seqs[message.lane]
        self._seqs[message.lane] += 1
        self.open.setdefault(message.lane, []).append(message)
        return True

    def head(self, lane: int) -> Message | None:
        """The lane's oldest message that is not done."""
        waiting = self.open.get(lane)
        return waiting[0] if waiting else None

    def finish(self, message: Message) -> bool:
        """A turn is over; False where it was already."""
        if message.done:
            return False
        if message.seq != self._done[message.lane]:
            self.note(f"message {message.number} was done out of its order")
        message.done = True
        self._done[message.lane] += 1
        self.finished += 1
        waiting = self.open[message.lane]
        waiting.remove(message)
        if not waiting:
            del self.open[message.lane]
        return True

    def call(self, message: Message, *, mine: bool, held: bool) -> None:
        """A model is called."""
        self.calls += 1
        if not mine:
            self.note(f"message {message.number} was worked on by one that does not hold its lane")
        if not held:
            self.note(f"message {message.number} was asked about without money")
        if message.done or message.paid:
            self.note(f"message {message.number} was asked about again")

    def bill(self, message: Message, cost: int) -> None:
        """The provider wants so much."""
        self.billed[message.bot] += cost
        if self.billed[message.bot] > self.cap:
            over = self.billed[message.bot] - self.cap
            self.note(f"bot {message.bot} is {over} pico-dollars over its cap")

    def reply(self, message: Message) -> None:
        """A reply reached its platform."""
        message.sends += 1
        if message.sends > 1:
            self.doubled += 1
            if not message.listed:
                self.note(f"the reply to {message.number} was sent again and nobody says so")
            return
        self.sent += 1
        if message.seq < self._sent[message.lane]:
            self.note(f"the reply to {message.number} came after a later one")
        self._sent[message.lane] = message.seq + 1

    def check_end(self, messages: int) -> None:
        """All is done, once nothing happens any more."""
        if self.finished != messages:
            self.note(f"{messages - self.finished} messages of {messages} were never done")
        if self.sent != messages:
            self.note(f"{messages - self.sent} replies of {messages} were never sent")

    def note(self, text: str) -> None:
        """Something that must never be."""
        if len(self.faults) < self.MOST_FAULTS:
            self.faults.append(text)
