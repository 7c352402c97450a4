"""What one process of a fleet's load round is told, and how it and the bench speak: a word a line.

    bench       go                          stop
    process     ready   (its producers)     fed      (ends)

Rules: each producer waits until its message is durably accepted before it writes the next; a message's conversation is
any of all conversations, whoever else writes there; both kinds of processes are told the same.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

QUESTION = "Could you tell me when the shop opens on Sunday?"


@dataclass(frozen=True, slots=True)
class Plan:
    """One process's part.

    Attributes:
        number: its own, from 0.
        producers: that write in it; `messages`: of each of them; `hands`: how many of its messages a producer has on
            their way at once.
        conversations: of all bots together.
        workers: jobs of the queue that run at once in a process.
    """

    url: str
    config: str
    number: int
    bots: int
    producers: int
    messages: int
    conversations: int
    workers: int
    hands: int = 1

    def text(self) -> str:
        """For the command line."""
        return json.dumps(asdict(self))


Write = Callable[[str, str, str], Awaitable[None]]
"""(bot, conversation, event id): returns when the message is accepted."""


def plan_given() -> Plan:
    """From the command line."""
    return Plan(**json.loads(sys.argv[1]))


async def produce(plan: Plan, write: Write) -> None:
    """All messages of this process."""
    async with asyncio.TaskGroup() as tasks:
        for producer in range(plan.producers):
            for hand in range(plan.hands):
                tasks.create_task(_one(plan, f"{producer}.{hand}", write), name=f"producer {producer}.{hand}")


async def _one(plan: Plan, hand: str, write: Write) -> None:
    dice = random.Random(f"{plan.number}/{hand}")
    for number in range(plan.messages // plan.hands):
        conversation = dice.randrange(plan.conversations)
        bot = f"bot{conversation % plan.bots}"
        await write(bot, f"c{conversation}", f"{plan.number}-{hand}-{number}")


async def told(word: str) -> None:
    """Wait until the bench says so. Raises EOFError where it is gone."""
    line = await asyncio.to_thread(sys.stdin.readline)
    if line.strip() != word:
        raise EOFError(f"{line!r} instead of {word}")


def say(word: str) -> None:
    """Tell the bench."""
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def write_bots(file: Path, url: str, bots: int) -> None:
    """A bots.yaml of so many bots with a cap each, on the model that needs no network."""
    entries = "".join(f"  bot{number}: {{platform: custom}}\n" for number in range(bots))
    file.write_text(
        f"""
server: {{port: 0}}
store: {{url: "{url}"}}
reload: "off"
defaults:
  llm_provider: echo
  llm_model: echo
  spending_cap_cents: 10000000
  rate_limit_per_minute: null
  system_prompt: You help.
bots:
{entries}""",
        encoding="utf-8",
    )
