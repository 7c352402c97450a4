"""What only single rows of the ledger tell, counted as they are read, in bounded memory. Pure.

    row ─▶ Rows.add ─▶ of its bot: answers by length, calls by iteration, repeated attempts, unknown fates
                       of its bot and model: a replay (`shadow`) under other caches and windows

Rules: rows come by time. Chats are what is looked at, for other features have no conversation of their own; unknown
fates and repeated attempts count whatever they were for. A correction ends an unknown fate and is no call.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from runner.advice.saved import KEPT_ROUTE
from runner.advice.shadow import SETTINGS, Replay
from runner.advice.spread import Spread
from runner.agent.latest import keep_latest
from runner.bots import Bot, ModelChoice
from runner.conversations.window import Marks, plain_marks
from runner.money.amounts import ZERO, Money
from runner.money.ledger import LedgerEntry
from runner.money.prices import PriceBook
from runner.money.reservation import ReservationState

CHAT = "chat"
MOST_STEPS = 10_000
"""Steps of turns whose last attempt is remembered: a retry follows within the message's time."""
LEAST_WINDOW = 2
"""Messages, the fewest that bots.yaml takes."""
_CUT = frozenset({"length", "max_tokens"})
_TOOLS = frozenset({"tools", "tool_use", "tool_calls"})
_USUAL = SETTINGS["5m"]


@dataclass(slots=True)
class Tally:
    """Calls and what stood against limits for them."""

    calls: int = 0
    cost: Money = ZERO

    def add(self, cost: Money, calls: int = 1) -> None:
        """One more."""
        self.calls += calls
        self.cost = Money(self.cost + cost)


@dataclass(slots=True)
class BotRows:
    """What was counted of one bot.

    Attributes:
        answers: by output tokens; `cut`: how many of them ended at the output limit.
        iterations: calls by their place in the turn, from 1; retries count with their cost only.
        at_limit: turns whose last allowed call asked for tools once more.
        repeated: attempts that were followed by another one for the same step.
        unknown: calls whose fate nobody knows, corrected ones taken back.
        replays: by model.
    """

    answers: Spread = field(default_factory=Spread)
    cut: int = 0
    iterations: dict[int, Tally] = field(default_factory=dict)
    at_limit: int = 0
    repeated: Tally = field(default_factory=Tally)
    unknown: Tally = field(default_factory=Tally)
    replays: dict[ModelChoice, Replay] = field(default_factory=dict)


class Rows:
    """Counts rows of these bots; those of others pass by."""

    def __init__(self, bots: Iterable[Bot], book: PriceBook) -> None:
        self._bots = {bot.id: bot for bot in bots}
        self._book = book
        self._found = {name: BotRows() for name in self._bots}
        self._steps: OrderedDict[tuple[str, str, int], Money] = OrderedDict()

    def add(self, row: LedgerEntry) -> None:
        """One row, no earlier than those before."""
        bot = self._bots.get(row.attempt.bot)
        if bot is None or row.state is ReservationState.HELD:
            return
        found = self._found[bot.id]
        if row.state is ReservationState.UNKNOWN:
            found.unknown.add(row.cost, -1 if row.corrects else 1)
        if row.corrects or row.attempt.route == KEPT_ROUTE:
            return
        self._repeats(row, found)
        if row.attempt.feature == CHAT:
            self._chat(bot, row, found)

    def of(self, bot: str) -> BotRows:
        """What was counted of it."""
        return self._found[bot]

    def _repeats(self, row: LedgerEntry, found: BotRows) -> None:
        call = row.attempt
        step = (call.turn, call.feature, call.iteration)
        before = self._steps.pop(step, None)
        if before is not None:
            found.repeated.add(before)
        keep_latest(self._steps, step, row.cost, MOST_STEPS)

    def _chat(self, bot: Bot, row: LedgerEntry, found: BotRows) -> None:
        call, used = row.attempt, row.usage
        found.iterations.setdefault(call.iteration, Tally()).add(row.cost, int(call.number == 1))
        if row.state is not ReservationState.SETTLED or not used.input_tokens:
            return
        found.cut += row.stop_reason in _CUT
        found.at_limit += call.iteration >= bot.limits.max_loop_iterations and row.stop_reason in _TOOLS
        price = self._book.find(call.provider, call.model)
        if price is None:
            return
        found.answers.add(used.output_tokens, price.rates.output)
        choice = ModelChoice(call.provider, call.model)
        replay = found.replays.get(choice)
        if replay is None:
            plan = SETTINGS.get(bot.prompt_cache, _USUAL)
            replay = found.replays[choice] = Replay(price, windows_of(bot), plan)
        replay.add(call.time_ms, call.conversation, used)


def windows_of(bot: Bot) -> tuple[Marks, ...]:
    """The bot's own window, then others: half of it, twice as much, and moved in blocks where it slides."""
    own = plain_marks(bot.conversations)
    half = Marks(max(1, own.low // 2), max(LEAST_WINDOW, own.high // 2))
    blocks = Marks(max(1, own.high // 2), own.high)
    others = (half, Marks(own.low * 2, own.high * 2), *((blocks,) if own.low >= own.high else ()))
    return tuple(dict.fromkeys((own, *others)))
