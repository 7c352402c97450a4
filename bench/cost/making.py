"""The shipped workloads, made by dice from a seed: the same seed, the same bytes.

| | chats | a chat | a prompt, tokens | tools | shaped after |
|---|---|---|---|---|---|
| support | long | tool calls for every second message | some 1,800, tools 2,500 | 10 | an airline's support |
| agent | long | 2 to 6 tool calls for each message | the same | 10 | the same, as hard on a window as it gets |
| faq | one message each | answered at once | some 300: below what is cached | none | questions of a shop's visitors |
| languages | middling | one tool call now and then | some 900 | 2 | Bengali, Japanese, Arabic, German |
| community | one for all in a channel | short, many names | some 500 | none | a games server's channel |

`support` is shaped after 200 published conversations with an airline's support (1,290 messages of users: 40 % take
tools, of these 58 % one call, 20 % two, 10 % three, 12 % more; 90 characters of a user are answered by 260; a result
has 170 tokens in the middle, 310 at the 95th percentile, 1,180 at the 99th). Here some more messages take tools.

Users come back after a minute or so, sometimes after hours. A turn is declared as a task, which stays for some turns;
what it needs is mostly what that task needs, now and then a tier more: whoever routes by task is not always right.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.cost.words import ARABIC, BENGALI, GERMAN, JAPANESE, prose, record, skewed
from bench.cost.workload import TIERS, Call, Chat, Persona, Reply, Tier, Tool, Turn, Workload

HOUR_S = 3600.0
GAP_S = 60.0
HARDER_THAN_DECLARED = 0.04
WITH_TOOLS = 0.45
LONG_RESULTS = 0.04
AGENTS_SHARE = 3
TASKS: Mapping[str, Tier] = {"status": "small", "change": "standard", "dispute": "strong"}
_LANGUAGES: Mapping[str, tuple[str, str, str]] = {
    "Bengali": (BENGALI, " ", "। "),
    "Japanese": (JAPANESE, "", "。"),
    "Arabic": (ARABIC, " ", ". "),
    "German": (GERMAN, " ", ". "),
}


@dataclass(frozen=True, slots=True)
class Size:
    """How much is made, of each workload."""

    chats: int
    turns: int


def gap_s(dice: random.Random, middle_s: float = GAP_S, hours: float = 0.04) -> float:
    """Seconds until a user goes on: a minute or so, in a share `hours` of cases hours."""
    if dice.random() < hours:
        return skewed(dice, 2 * HOUR_S, 0.8, 0.3 * HOUR_S, 12 * HOUR_S)
    return skewed(dice, middle_s, 0.8, 4, 0.5 * HOUR_S)


class _Matters:
    """What a user is about: some messages long, then something else."""

    def __init__(self, dice: random.Random, stays: float, weights: Sequence[float] = (0.5, 0.4, 0.1)) -> None:
        self._dice = dice
        self._weights = weights
        self._stays = stays
        self._task = ""

    def next(self, *, new: bool) -> tuple[str, Tier]:
        """The task of the next message, and what it needs; `new`: another user begins."""
        if new or self._dice.random() >= self._stays:
            self._task = self._dice.choices(list(TASKS), self._weights)[0]
        needs = TASKS[self._task]
        if self._dice.random() < HARDER_THAN_DECLARED:
            needs = TIERS[min(TIERS.index(needs) + 1, len(TIERS) - 1)]
        return self._task, needs


def _tool(dice: random.Random, number: int) -> Tool:
    names = ("user", "reservation", "flights", "fare", "baggage", "refund", "seat", "payment", "certificate")
    name = f"{'get' if number % 2 else 'update'}_{names[number % len(names)]}_{number}"
    fields = {field: {"type": "string", "description": prose(dice, 90)} for field in ("id", "date", "reason")}
    return Tool(name, prose(dice, 420), {"type": "object", "properties": fields, "required": ["id"]})


def _call(dice: random.Random, tools: Sequence[Tool], result: str) -> Call:
    arguments = {"id": f"{dice.choice('HJKMNP')}{dice.randrange(10**6):06d}"}
    if dice.random() < 0.5:
        arguments |= {"date": f"2026-12-{dice.randint(1, 28):02d}", "reason": prose(dice, 40)}
    return Call(dice.choice(tools).name, json.dumps(arguments), result)


def _result_chars(dice: random.Random) -> int:
    """How long a tool's result is: a record mostly, now and then a long list."""
    if dice.random() < LONG_RESULTS:
        return int(skewed(dice, 5000, 0.6, 2000, 14_000))
    return int(skewed(dice, 750, 0.5, 150, 4000))


def support(seed: int, size: Size) -> Workload:
    """A support bot with tools and long chats."""
    dice = random.Random(f"support {seed}")

    def calls() -> int:
        return dice.choices(range(1, 7), (50, 22, 12, 8, 5, 3))[0] if dice.random() < WITH_TOOLS else 0

    return _support("support", dice, size, calls)


def agent(seed: int, size: Size) -> Workload:
    """The same with 2 to 6 calls for nearly each message: a window of 20 holds two of its turns.

    Its chats have fewer turns: with as many, their whole history would not fit into models.
    """
    dice = random.Random(f"agent {seed}")
    shorter = Size(size.chats, max(1, size.turns // AGENTS_SHARE))
    return _support("agent", dice, shorter, lambda: 0 if dice.random() < 0.08 else dice.randint(2, 6))


def _support(name: str, dice: random.Random, size: Size, calls: Callable[[], int]) -> Workload:
    persona = Persona(
        "# Airline agent policy\n\n" + prose(dice, 7200), tuple(_tool(dice, number) for number in range(10))
    )
    matters = _Matters(dice, 0.85)

    def turn(at: int) -> Turn:
        steps: list[Reply] = []
        left = calls()
        while left > 0:
            together = 2 if left > 1 and dice.random() < 0.1 else 1
            results = [record(dice, _result_chars(dice)) for _ in range(together)]
            said = prose(dice, 60) if dice.random() < 0.3 else ""
            steps.append(Reply(said, tuple(_call(dice, persona.tools, result) for result in results)))
            left -= together
        task, needs = matters.next(new=at == 0)
        return Turn(
            text=prose(dice, int(skewed(dice, 95, 0.6, 12, 900))),
            replies=(*steps, Reply(prose(dice, int(skewed(dice, 280, 0.6, 40, 2400))))),
            gap_s=dice.uniform(0, 8 * HOUR_S) if at == 0 else gap_s(dice),
            task=task,
            needs=needs,
        )

    chats = tuple(
        Chat(f"{name}-{number}", tuple(turn(at) for at in range(size.turns))) for number in range(size.chats)
    )
    return Workload(name, (persona,), chats, promises=name == "support", tasks=TASKS)


def faq(seed: int, size: Size) -> Workload:
    """Questions of visitors: one each, many of them asked before."""
    dice = random.Random(f"faq {seed}")
    persona = Persona("You answer visitors of a shop. " + prose(dice, 1200))
    known = [
        (prose(dice, int(skewed(dice, 70, 0.5, 15, 300))), prose(dice, int(skewed(dice, 260, 0.5, 40, 900))))
        for _ in range(80)
    ]
    matters = _Matters(dice, 0.0, (0.9, 0.1, 0.0))
    popular = [1 / (rank + 1) for rank in range(len(known))]
    chats = []
    at_s = 0.0
    for number in range(size.chats * size.turns):
        at_s += dice.expovariate(1 / 150)
        asked, answer = dice.choices(known, popular)[0]
        if dice.random() < 0.6:  # most people find words of their own
            asked = f"{asked} {prose(dice, 20)}"
        task, needs = matters.next(new=True)
        chats.append(Chat(f"faq-{number}", (Turn(asked, (Reply(answer),), at_s, task=task, needs=needs),)))
    return Workload("faq", (persona,), tuple(chats), tasks=TASKS)


def languages(seed: int, size: Size) -> Workload:
    """Chats in four languages, whose bytes a token differ."""
    dice = random.Random(f"languages {seed}")
    persona = Persona(
        "Answer in the user's language. " + prose(dice, 3600), tuple(_tool(dice, number) for number in (1, 2))
    )
    matters = _Matters(dice, 0.7)

    def turn(at: int, language: str) -> Turn:
        words, space, stop = _LANGUAGES[language]

        def say(chars: float) -> str:
            return prose(dice, int(chars), words, space=space, stop=stop)

        calls = dice.random() < 0.35
        step = Reply("", (_call(dice, persona.tools, record(dice, int(skewed(dice, 700, 0.7, 100, 6000)))),))
        task, needs = matters.next(new=at == 0)
        return Turn(
            text=say(skewed(dice, 90, 0.6, 10, 500)),
            replies=(*([step] if calls else []), Reply(say(skewed(dice, 300, 0.6, 30, 1500)))),
            gap_s=dice.uniform(0, 6 * HOUR_S) if at == 0 else gap_s(dice, 110, hours=0.08),
            task=task,
            needs=needs,
        )

    chats = tuple(
        Chat(
            f"languages-{number}",
            tuple(turn(at, list(_LANGUAGES)[number % len(_LANGUAGES)]) for at in range(size.turns)),
        )
        for number in range(size.chats)
    )
    return Workload("languages", (persona,), chats, tasks=TASKS)


def community(seed: int, size: Size) -> Workload:
    """A channel where everybody talks to one bot, in one conversation."""
    dice = random.Random(f"community {seed}")
    persona = Persona("You are the host of a games server. " + prose(dice, 1900))
    matters = _Matters(dice, 0.3)
    people = (
        "Ada",
        "Bashir",
        "Chiyo",
        "Dmitri",
        "Elif",
        "Femi",
        "Gala",
        "Hugo",
        "Ines",
        "Jun",
        "Kofi",
        "Lea",
    )

    def turn(at: int) -> Turn:
        who = dice.randrange(len(people))
        task, needs = matters.next(new=at == 0)
        return Turn(
            text=prose(dice, int(skewed(dice, 60, 0.8, 5, 700))),
            replies=(Reply(prose(dice, int(skewed(dice, 220, 0.6, 20, 1200)))),),
            gap_s=dice.uniform(0, HOUR_S) if at == 0 else gap_s(dice, 25, hours=0.03),
            user=f"p{who}",
            name=people[who],
            task=task,
            needs=needs,
        )

    channels = max(1, size.chats // 4)
    each = size.chats * size.turns // channels
    chats = tuple(
        Chat(f"community-{number}", tuple(turn(at) for at in range(each))) for number in range(channels)
    )
    return Workload("community", (persona,), chats, scope="channel", tasks=TASKS)


MAKERS: Mapping[str, Callable[[int, Size], Workload]] = {
    "support": support,
    "agent": agent,
    "faq": faq,
    "languages": languages,
    "community": community,
}
"""By name, as `--only` takes them."""
