"""Days of the shop's traffic, put into a store through its port: messages taken in, money held and settled, answers.

Rule: the same days ago, the same was said and spent, whenever it is made; all bots write at once.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from adapters.messages import ChatRef, InboundMessage, Sender, inbound_to_json
from bench.screenshots.shop import CONSOLE_TALK, PEOPLE, TALK, TOOL, TRADES, Trade
from runner.clock import SystemClock
from runner.conversations.models import AssistantMessage, UserMessage, message_to_json
from runner.dispatch.breakdown import CURRENT, HISTORY, OUTPUT, RESULTS, SYSTEM, TOOLS, TOTAL, shared_out
from runner.money.amounts import PICO_PER_CENT, Money, from_usd
from runner.money.budget import ScopeLimit
from runner.money.estimate import Estimate
from runner.money.ledger import Attempt
from runner.money.reservation import ReservationState
from runner.money.scopes import WALLET, of_bot
from runner.money.usage import Usage
from runner.ports.books import Deposit, HoldRequest, Settlement
from runner.ports.mail import ConversationState, FinishedTurn, NewInbound, OutboxState
from runner.ports.stores import Store
from runner.store.catalogue import open_store
from runner.web.dashboard_pages.console import USER

STORE = "sqlite:botrunner.db"
"""Where a daemon has it that is told nothing else."""
DAYS = 60
MS_PER_DAY = 86_400_000
WEEK = (100, 108, 96, 112, 131, 58, 41)
"""Monday to Sunday, in percent."""


@dataclass(frozen=True, slots=True)
class Said:
    """One turn to be made."""

    at_ms: int
    channel: str
    user: str
    asked: str
    answer: str
    usage: Usage
    feature: str = "chat"
    route: str = "default"
    state: ReservationState = ReservationState.SETTLED
    tools: tuple[Mapping[str, object], ...] = ()


async def seed(state_dir: Path) -> dict[str, int]:
    """Write it all; returns each bot's cap in cents."""
    clock = SystemClock()
    store = open_store(STORE, state_dir, clock)
    await store.open()
    try:
        now_ms = clock.now_ms()
        for key, amount, days in (("first", "200", 52), ("second", "150", 9)):
            await store.deposit(
                Deposit(key, from_usd(amount), now_ms - days * MS_PER_DAY, "by bank transfer")
            )
        async with asyncio.TaskGroup() as group:
            for number, trade in enumerate(TRADES):
                group.create_task(_write_all(store, trade, number, now_ms), name=trade.bot)
        counters = await store.counters([of_bot(trade.bot) for trade in TRADES])
        return {trade.bot: _cap(trade, counters[of_bot(trade.bot)].gone) for trade in TRADES}
    finally:
        await store.close()


def _cap(trade: Trade, gone: int) -> int:
    """In cents; where it is not reached, whole dollars."""
    cents = gone * 100 // trade.percent_of_cap // PICO_PER_CENT
    return cents if trade.percent_of_cap == 100 else -(-cents // 100) * 100


async def _write_all(store: Store, trade: Trade, seed_number: int, now_ms: int) -> None:
    talks = [*_days(trade, random.Random(seed_number), now_ms)]
    if trade.bot == "support":
        talks += _at_the_console(now_ms)
    states: dict[tuple[str, str], ConversationState] = {}
    for number, said in enumerate(talks):
        state = states.get((said.channel, said.user))
        if state is None or said.at_ms - state.last_ms > MS_PER_DAY // 4:
            state = ConversationState(f"{trade.bot}-{number}", said.at_ms, said.at_ms)
        states[said.channel, said.user] = await _write(store, trade, said, number, state)


def _days(trade: Trade, dice: random.Random, now_ms: int) -> Iterator[Said]:
    """Days that grow a little, quieter at week-ends and at night; today is busy already, however early it is."""
    today = now_ms // MS_PER_DAY
    for day in range(today - DAYS + 1, today + 1):
        turns = trade.turns * WEEK[(day + 3) % 7] * (100 + day - today + DAYS) // 10_000
        if day < today:
            times = [int((day + dice.triangular(0.2, 0.98, 0.6)) * MS_PER_DAY) for _ in range(turns)]
        else:
            times = [dice.randint(day * MS_PER_DAY, now_ms - 1) for _ in range(turns * 7 // 10)]
        for at_ms in sorted(times):
            yield _turn(trade, dice, at_ms)


def _turn(trade: Trade, dice: random.Random, at_ms: int) -> Said:
    asked, answer = dice.choice(TALK)
    tokens = dice.randint(1800, 5200)
    feature = dice.choices(("chat", "summary", "classify"), (84, 11, 5))[0]
    lost = trade.bot == "support" and dice.random() < 0.002
    return Said(
        at_ms,
        trade.channel,
        dice.choices(PEOPLE, range(len(PEOPLE), 0, -1))[0],
        asked,
        answer,
        Usage(tokens, dice.randint(90, 420), tokens * dice.randint(30, 75) // 100),
        feature,
        "fallback" if dice.random() < 0.03 else "default",
        ReservationState.UNKNOWN if lost else ReservationState.SETTLED,
    )


def _at_the_console(now_ms: int) -> Iterator[Said]:
    for number, (asked, answer) in enumerate(CONSOLE_TALK):
        usage = Usage(3412 + 665 * number, 148 + 55 * number, 2048 + 1024 * number)
        tools = () if number else (TOOL,)
        at_ms = now_ms - (4 - 2 * number) * 60_000
        yield Said(at_ms, "console", USER, asked, answer, usage, tools=tools)


async def _write(
    store: Store, trade: Trade, said: Said, number: int, state: ConversationState
) -> ConversationState:
    lane = f"{trade.bot}|{said.channel}|{said.user}"
    event = f"{trade.bot}-{number}"
    message = InboundMessage(event, ChatRef(said.user), Sender(said.user), said.asked)
    inbound = NewInbound(trade.bot, said.channel, "", event, lane, inbound_to_json(message), said.at_ms)
    inbox_id = (await store.accept(inbound)).inbox_id
    turn = f"t{inbox_id}"
    cost = await _pay(store, trade, said, turn, state.id)
    messages = (UserMessage(said.asked), AssistantMessage(said.answer))
    after = ConversationState(state.id, state.started_ms, said.at_ms, 0, state.next_seq + len(messages))
    async with store.lane(lane) as session:
        assert session is not None
        await session.finish(
            FinishedTurn(
                inbox_id=inbox_id,
                turn=turn,
                bot=trade.bot,
                channel=said.channel,
                lane=lane,
                user=said.user,
                conversation=after,
                stop_reason="answered",
                at_ms=said.at_ms + 3000,
                messages=tuple(message_to_json(one) for one in messages),
                first_state=OutboxState.SENT,
                report=json.dumps(_report(trade, said, turn, state.id, cost)),
                platform=said.channel,
            )
        )
    return after


async def _pay(store: Store, trade: Trade, said: Said, turn: str, conversation: str) -> Money:
    usage = said.usage
    fresh = usage.input_tokens - usage.cache_read_tokens * 9 // 10
    cost = Money(fresh * trade.input_rate + usage.output_tokens * trade.output_rate)
    attempt = Attempt(
        f"{turn}.1",
        said.at_ms,
        trade.bot,
        said.channel,
        said.channel,
        conversation,
        said.user,
        turn,
        trade.provider,
        "claude-haiku-4-5" if said.route == "fallback" else trade.model,
        "made-up",
        said.feature,
        route=said.route,
    )
    estimate = Estimate(usage.input_tokens, 500, 1, Money(cost), trade.output_rate * 10**6)
    scopes = (ScopeLimit(of_bot(trade.bot), None), ScopeLimit(WALLET, None, funded=True))
    await store.hold(HoldRequest(attempt, scopes, estimate))
    if said.state is ReservationState.UNKNOWN:
        await store.settle(
            Settlement(attempt.id, said.state, why="the connection was cut while the answer came")
        )
        return cost
    await store.settle(Settlement(attempt.id, said.state, cost, usage, stop_reason="end", latency_ms=2870))
    return cost


def _report(trade: Trade, said: Said, turn: str, conversation: str, cost: Money) -> dict[str, object]:
    usage = said.usage
    weights = {
        SYSTEM: 34,
        TOOLS: 27,
        HISTORY: 18 if said.tools else 39,
        CURRENT: 3,
        RESULTS: 17 if said.tools else 0,
    }
    parts = shared_out(usage.input_tokens, weights)
    return {
        "tool_calls": list(said.tools),
        "tokens": {
            "input": usage.input_tokens,
            "output": usage.output_tokens,
            "cache_read": usage.cache_read_tokens,
        },
        "token_breakdown": {**parts, OUTPUT: usage.output_tokens, TOTAL: usage.total_tokens},
        "cost_usd": f"{cost / 10**12:.6f}",
        "latency_ms": 2870,
        "loop_iterations": 1 + len(said.tools),
        "conversation_id": conversation,
        "turn_id": turn,
        "route": {"provider": trade.provider, "model": trade.model, "route": said.route, "reason": ""},
    }
