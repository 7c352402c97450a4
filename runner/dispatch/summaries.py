"""Summaries of what windows drop, made ahead and beside everything: no answer waits for one.

    after a turn ─▶ is the window about to move? ─▶ a task ─▶ meter ─▶ store.prepare_head
                                                      └▶ anything goes wrong: noted, and nothing else

Rules: a summary is a call like any other, held and paid on the bot's account, on its cheap model, under a turn id of
its own (`<turn>.summary`); it is no step of the turn. One at a time for a conversation, a bounded number in all; one
that is lost (a crash, a stop, a limit) is lost, and the window moves without it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from runner.agent.asks import Ask, Failed, Refused
from runner.agent.latest import keep_latest
from runner.agent.meter import Meter
from runner.agent.routing import DEFAULT_ROUTE
from runner.bots import Bot
from runner.clock import Clock
from runner.conversations.models import Message
from runner.conversations.summary import MOST_HEAD, SUMMARY_PROMPT, cut, dropped_next, summary_request
from runner.conversations.window import Marks
from runner.dispatch.accounts import scopes_for
from runner.errors import BotrunnerError
from runner.money.ledger import Attempt
from runner.ports.dialogue import FinishReason, ModelRequest
from runner.ports.mail import ConversationState, PreparedHead
from runner.ports.observer import Fault, Observer, SummaryMissed
from runner.ports.roster import Roster
from runner.ports.stores import Store

FEATURE = "summary"
"""What the ledger calls it."""
SUMMARY_S = 60.0
MOST_AT_ONCE = 8
MOST_REMEMBERED = 10_000
"""Conversations of which is remembered that a head stands ready; of more, the oldest may be summed up twice."""
MAX_OUTPUT_TOKENS = 2_048
SUFFIX = ".summary"
_CHEAP_TIER = "small"


@dataclass(frozen=True, slots=True)
class _Job:
    """What is to be summed up: `dropped` ends before the message `first_seq`."""

    bot: Bot
    state: ConversationState
    dropped: tuple[Message, ...]
    about: Attempt

    @property
    def first_seq(self) -> int:
        return self.state.first_seq + len(self.dropped)


class Summaries:
    """Has heads made for windows that are about to move.

    Args:
        tasks: owns the work; it never raises into it.
    """

    def __init__(
        self,
        meter: Meter,
        store: Store,
        roster: Roster,
        clock: Clock,
        observer: Observer,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._meter = meter
        self._store = store
        self._roster = roster
        self._clock = clock
        self._observer = observer
        self._tasks = tasks
        self._running: dict[str, asyncio.Task[None]] = {}
        self._ready: OrderedDict[str, int] = OrderedDict()
        self._stopped = False

    @property
    def running(self) -> frozenset[asyncio.Task[None]]:
        """Summaries that are being made."""
        return frozenset(self._running.values())

    def after(
        self, bot: Bot, state: ConversationState, history: Sequence[Message], marks: Marks, about: Attempt
    ) -> None:
        """A turn is over: have a summary made where the window is about to move. Returns at once.

        Args:
            state: the conversation as the turn has left it, cut to its window.
            history: the messages from `state.first_seq` on, the turn's own among them, without a head.
            about: the ledger row of the turn's calls, as far as it is known before a call.
        """
        if not bot.conversations.summarize or self._stopped or state.id in self._running:
            return
        ready = max(self._ready.get(state.id, 0), 0 if state.prepared is None else state.prepared.first_seq)
        dropped = () if ready > state.first_seq else dropped_next(history, marks)
        if not dropped:
            return
        if len(self._running) >= MOST_AT_ONCE:
            self._observer.note(SummaryMissed(bot.id, state.id, "too many are being made at once"))
            return
        job = _Job(bot, state, dropped, about)
        task = self._tasks.create_task(self._run(job), name=f"summary of {state.id}")
        self._running[state.id] = task
        task.add_done_callback(lambda _: self._running.pop(state.id))

    async def stop(self) -> None:
        """Make no more, and give up those that are being made; what they called settles by itself."""
        self._stopped = True
        running = self.running
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    async def _run(self, job: _Job) -> None:
        why: str | None
        try:
            why = await self._make(job)
        except BotrunnerError as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001 - our own fault: told with its traceback, ends no other work
            self._observer.note(Fault("summary", repr(error), job.bot.id, job.about.turn, error))
            why = "a fault of our own"
        if why is not None:
            self._observer.note(SummaryMissed(job.bot.id, job.state.id, why))

    async def _make(self, job: _Job) -> str | None:
        """Ask, and keep what comes; why there is nothing to keep."""
        result = await self._meter.call(self._ask(job), self._store)
        if isinstance(result, Failed):
            return result.why
        if isinstance(result, Refused):
            return f"{'no money left' if result.limit else 'no money free in time'} in {result.scope}"
        reply = result.paid.reply
        text = cut(reply.text.strip(), MOST_HEAD)
        if not text or reply.finish is FinishReason.REFUSAL:
            return f"{result.paid.provider}/{result.paid.model} wrote none ({reply.finish})"
        await self._store.prepare_head(job.state.id, PreparedHead(job.first_seq, text))
        keep_latest(self._ready, job.state.id, job.first_seq, MOST_REMEMBERED)
        return None

    def _ask(self, job: _Job) -> Ask:
        bot, choice = job.bot, job.bot.cheap
        routed = bot.routing is not None and bot.routing.tier(_CHEAP_TIER) is not None
        return Ask(
            request=ModelRequest(
                choice=choice,
                system=SUMMARY_PROMPT,
                messages=(summary_request(job.state.head, job.dropped),),
                max_output_tokens=min(MAX_OUTPUT_TOKENS, bot.limits.max_output_tokens),
            ),
            about=replace(
                job.about,
                turn=f"{job.about.turn}{SUFFIX}",
                feature=FEATURE,
                task="",
                route=_CHEAP_TIER if routed else DEFAULT_ROUTE,
                route_reason="the window is about to move",
                iteration=1,
            ),
            scopes=scopes_for(bot, self._roster),
            deadline=self._clock.monotonic() + SUMMARY_S,
            attempts_used=0,
            step_number=None,
            key=bot.key_for(choice.provider),
        )
