"""What a memory store keeps, apart from who asks: the daemons of a fleet share one of these."""

from __future__ import annotations

from collections.abc import Iterable

from runner.ports.stores import TurnRecord
from runner.store.days import ACTIVE_USERS_DAYS, day_of
from runner.store.memory.answers import Answers
from runner.store.memory.batches import MemoryBatches
from runner.store.memory.books import Books
from runner.store.memory.leases import Leases
from runner.store.memory.mail import Inbox, Outbox
from runner.store.memory.runs import MemoryRuns
from runner.store.memory.talk import Conversations
from runner.store.memory.traffic import Traffic
from runner.store.memory.values import MemoryValues
from runner.store.rules import inbox_of, turn_id


class Rooms:
    """Inbox, outbox, conversations, books and the rest."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.outbox = Outbox()
        self.talks = Conversations()
        self.books = Books()
        self.traffic = Traffic()
        self.kept = Answers()
        self.batches = MemoryBatches(self.books, self.talks)
        self.runs = MemoryRuns(self.inbox)
        self.values = MemoryValues()
        self.leases = Leases()

    def forget_turns(self, turns: Iterable[TurnRecord]) -> int:
        """Remove turns with their messages, but for those whose answer is on its way; how many rows."""
        removed = 0
        for turn in turns:
            inbox_id = inbox_of(turn.turn)
            if not self.outbox.is_on_its_way(inbox_id):
                removed += self.talks.forget_turn(turn.turn, self.inbox.has_work)
                removed += self.outbox.forget(inbox_id) + self.inbox.forget(inbox_id)
        return removed

    def prune(self, finished_before_ms: int, conversations_before_ms: int, answers_until_ms: int) -> int:
        """As `Store.prune`."""
        removed = 0
        for inbox_id in self.inbox.finished_before(finished_before_ms):
            if self.outbox.is_forgettable(inbox_id):
                removed += self.inbox.forget(inbox_id) + self.outbox.forget(inbox_id)
                removed += self.talks.forget_steps(turn_id(inbox_id))
        removed += self.talks.forget_idle(conversations_before_ms, self.inbox.has_work)
        removed += self.kept.forget_old(answers_until_ms) + self.batches.forget_old(conversations_before_ms)
        removed += self.runs.forget_old(conversations_before_ms)
        return removed + self.traffic.forget_users(day_of(finished_before_ms) - ACTIVE_USERS_DAYS)
