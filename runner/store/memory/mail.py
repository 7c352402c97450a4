"""The mail of the memory store: messages in, parts of replies out. Plain Python; no call waits."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from runner.clock import is_due
from runner.errors import IllegalStep
from runner.ports.mail import Acceptance, Filed, NewInbound, NewOutbound, OutboxState, Outgoing
from runner.ports.runs import ERRAND_ACCOUNT
from runner.ports.stores import StoreFigures
from runner.store.rules import (
    LONGEST_POSTPONED_MS,
    MOST_CRASHES,
    WHY_AGAIN,
    WHY_LEFT,
    check_end_of_sending,
    check_resend,
    figures_of,
    first_tries,
)

_FORGETTABLE = (OutboxState.SENT, OutboxState.REJECTED)


@dataclass(slots=True)
class Letter:
    """An inbox row."""

    id: int
    message: NewInbound
    due_ms: int = 0
    finished_ms: int | None = None


class Inbox:
    """Accepted messages."""

    def __init__(self) -> None:
        self._letters: dict[int, Letter] = {}
        self._by_event: dict[tuple[str, str, str, str], Letter] = {}
        self._lanes: dict[str, list[Letter]] = {}
        self._last_id = 0

    def accept(self, message: NewInbound) -> Acceptance:
        """As `Store.accept`."""
        earlier = self.seen(message)
        if earlier is not None:
            return earlier
        self._last_id += 1
        letter = Letter(self._last_id, message)
        self._letters[letter.id] = self._by_event[_event(message)] = letter
        self._lanes.setdefault(message.lane, []).append(letter)
        return Acceptance(letter.id, fresh=True)

    def seen(self, message: NewInbound) -> Acceptance | None:
        """As `Store.seen`."""
        letter = self._by_event.get(_event(message))
        if letter is None:
            return None
        return Acceptance(letter.id, fresh=False, finished=letter.finished_ms is not None)

    def recent(self, bot: str, channel: str, limit: int) -> list[str]:
        """As `Store.recent`."""
        latest: dict[str, str] = {}
        for letter in reversed(self._letters.values()):
            if len(latest) == limit:
                break
            message = letter.message
            if (message.bot, message.channel) == (bot, channel) and message.account != ERRAND_ACCOUNT:
                latest.setdefault(letter.message.lane, letter.message.payload)
        return list(reversed(latest.values()))

    def waiting_lanes(
        self, bots: Collection[str], exclude: Collection[str], limit: int, now_ms: int
    ) -> list[str]:
        """As `Store.waiting_lanes`."""
        heads = sorted((lane[0] for lane in self._lanes.values()), key=lambda letter: letter.id)
        rounds: Tally[str] = Tally()
        due: list[tuple[int, str]] = []
        for head in heads:
            bot, lane = head.message.bot, head.message.lane
            if is_due(head.due_ms, now_ms, LONGEST_POSTPONED_MS) and bot in bots and lane not in exclude:
                due.append((rounds[bot], lane))
                rounds[bot] += 1
        due.sort(key=lambda one: one[0])
        return [lane for _, lane in due[:limit]]

    def head(self, lane: str, now_ms: int) -> Letter | None:
        """The lane's oldest open message, where it is due."""
        letters = self._lanes.get(lane)
        due = letters and is_due(letters[0].due_ms, now_ms, LONGEST_POSTPONED_MS)
        return letters[0] if letters and due else None

    def has_work(self, lane: str) -> bool:
        """Whether a message of the lane is not done."""
        return lane in self._lanes

    def postpone(self, inbox_id: int, until_ms: int) -> None:
        """As `LaneSession.postpone`."""
        self.open_letter(inbox_id).due_ms = until_ms

    def open_letter(self, inbox_id: int) -> Letter:
        """The message. Raises IllegalStep where it is done or was never there."""
        letter = self._letters.get(inbox_id)
        if letter is None or letter.finished_ms is not None:
            raise IllegalStep(f"message {inbox_id} is done already or was never there")
        return letter

    def finish(self, letter: Letter, at_ms: int) -> None:
        """It is done."""
        letter.finished_ms = at_ms
        lane = self._lanes[letter.message.lane]
        lane.remove(letter)
        if not lane:
            del self._lanes[letter.message.lane]

    def waiting(self) -> list[tuple[str, int, int]]:
        """Each bot with messages that are not done: how many, and when the oldest was accepted, Unix ms."""
        waiting: dict[str, tuple[int, int]] = {}
        for letter in sorted((one for lane in self._lanes.values() for one in lane), key=lambda one: one.id):
            count, at_ms = waiting.get(letter.message.bot, (0, letter.message.at_ms))
            waiting[letter.message.bot] = (count + 1, at_ms)
        return [(bot, count, at_ms) for bot, (count, at_ms) in waiting.items()]

    def finished_before(self, moment_ms: int) -> list[int]:
        """Ids of messages that were done before that."""
        return [
            letter.id
            for letter in self._letters.values()
            if letter.finished_ms is not None and letter.finished_ms < moment_ms
        ]

    def forget(self, inbox_id: int) -> int:
        """Remove a message that is done; how many there were."""
        letter = self._letters.pop(inbox_id, None)
        if letter is None:
            return 0
        del self._by_event[_event(letter.message)]
        return 1


class Outbox:
    """Parts of replies.

    Attributes:
        in_order: whether several daemons send: then nothing goes out while an earlier answer to its place does.
    """

    def __init__(self) -> None:
        self.in_order = False
        self._parts: dict[int, Outgoing] = {}
        self._by_message: dict[int, list[int]] = {}
        self._last_id = 0

    def add(self, inbox_id: int, parts: Sequence[NewOutbound], state: OutboxState) -> tuple[Filed, ...]:
        """Store parts of an answer in their first state; returns how they are filed."""
        waits = {part.place for part in parts if self._is_behind(part, self._last_id + 1)}
        filed: list[Filed] = []
        for part in parts:
            now = OutboxState.PENDING if part.place in waits and state is OutboxState.SENDING else state
            self._last_id += 1
            self._parts[self._last_id] = Outgoing(
                id=self._last_id,
                inbox_id=inbox_id,
                bot=part.bot,
                channel=part.channel,
                place=part.place,
                payload=part.payload,
                state=now,
                tries=first_tries(now),
            )
            filed.append(Filed(self._last_id, now))
        self._by_message.setdefault(inbox_id, []).extend(part.id for part in filed)
        return tuple(filed)

    def begin_sending(self, ids: Sequence[int]) -> None:
        """As `Store.begin_sending`."""
        if len(set(ids)) != len(ids) or any(self._state(part) is not OutboxState.PENDING for part in ids):
            raise IllegalStep(f"of the parts {list(ids)} not all are pending, their sending cannot begin")
        if any(self._is_behind(self._parts[part], part, ids) for part in ids):
            raise IllegalStep(f"before the parts {list(ids)} an earlier one of their place goes out")
        for part in ids:
            now = self._parts[part]
            self._parts[part] = replace(now, state=OutboxState.SENDING, tries=now.tries + 1)

    def _is_behind(self, part: NewOutbound | Outgoing, number: int, but: Collection[int] = ()) -> bool:
        """Whether an earlier part of its place is not through, where that matters."""
        return self.in_order and any(
            (other.bot, other.channel, other.place) == (part.bot, part.channel, part.place)
            for other in self._parts.values()
            if other.id < number
            and other.id not in but
            and other.state in (OutboxState.PENDING, OutboxState.SENDING)
        )

    def end_sending(self, outbox_id: int, state: OutboxState, why: str, due_ms: int) -> None:
        """As `Store.end_sending`."""
        check_end_of_sending(self._state(outbox_id), state)
        due = due_ms if state is OutboxState.PENDING else 0
        self._parts[outbox_id] = replace(self._parts[outbox_id], state=state, why=why, due_ms=due)

    def resend(self, outbox_id: int) -> None:
        """As `Store.resend`."""
        check_resend(self._state(outbox_id))
        part = self._parts[outbox_id]
        self._parts[outbox_id] = replace(part, state=OutboxState.PENDING, why="", due_ms=0)

    def outgoing(self, state: OutboxState, limit: int, after_id: int) -> list[Outgoing]:
        """As `Store.outgoing`."""
        return [part for part in self._parts.values() if part.state is state and part.id > after_id][:limit]

    def answers(self, inbox_id: int) -> list[Outgoing]:
        """As `Store.answers`."""
        return [self._parts[part] for part in self._by_message.get(inbox_id, ())]

    def recover(self, which: Callable[[int], bool] = lambda _: True) -> tuple[int, int]:
        """What was left in `sending`: how many go again, how many are left as unknown. `which`: of these parts."""
        again = self._take_back(
            lambda part: which(part.id) and part.crashes < MOST_CRASHES - 1,
            replace_with=OutboxState.PENDING,
            why=WHY_AGAIN,
        )
        left = self._take_back(
            lambda part: which(part.id) and part.crashes >= MOST_CRASHES - 1,
            replace_with=OutboxState.UNKNOWN,
            why=WHY_LEFT,
        )
        return again, left

    def _take_back(self, which: Callable[[Outgoing], bool], replace_with: OutboxState, why: str) -> int:
        found = [part for part in self._parts.values() if part.state is OutboxState.SENDING and which(part)]
        for part in found:
            self._parts[part.id] = replace(
                part, state=replace_with, crashes=part.crashes + 1, due_ms=0, why=why
            )
        return len(found)

    def figures(self, waiting: Iterable[tuple[str, int, int]]) -> StoreFigures:
        """As `Store.figures`."""
        states = Tally(str(part.state) for part in self._parts.values() if part.state is not OutboxState.SENT)
        return figures_of(waiting, dict(states), sum(part.crashes > 0 for part in self._parts.values()))

    def is_forgettable(self, inbox_id: int) -> bool:
        """Whether no part of the message's reply needs more care."""
        return all(part.state in _FORGETTABLE for part in self.answers(inbox_id))

    def is_on_its_way(self, inbox_id: int) -> bool:
        """Whether a part of the message's reply is still to be sent."""
        return any(
            part.state in (OutboxState.PENDING, OutboxState.SENDING) for part in self.answers(inbox_id)
        )

    def forget(self, inbox_id: int) -> int:
        """Remove the parts of a message's reply; how many there were."""
        ids = self._by_message.pop(inbox_id, [])
        for part in ids:
            del self._parts[part]
        return len(ids)

    def _state(self, outbox_id: int) -> OutboxState | None:
        part = self._parts.get(outbox_id)
        return None if part is None else part.state


def _event(message: NewInbound) -> tuple[str, str, str, str]:
    return message.bot, message.channel, message.account, message.event_id
