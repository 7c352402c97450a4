"""A town for workflows: bots of the shipped templates and one that waits in every way, users, a reviewer, a shop.

    word     who writes it, and to which bot          what is to come of it
    q0001    support: a question                      its agent loop looks the order up, then answers
    p0002    support: a complaint                     a reviewer approves an even number and rejects an odd one
    x0003    support: the model makes no sense of it  the error handler's text
    w0004    waits: asked for a code, told to wait, looked up, booked, handed to a reviewer, said again later
    c0005, s0006    community, sales: no workflow     the agent answers

Rule: each word is written once and found again in everything that is done about it, so that the model, the shop and
the users can be asked afterwards how often that was.
"""

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from ruamel.yaml import YAML

from adapters.messages import outbound_from_json
from adapters.testing.telegram_server import TelegramServer
from adapters.testing.telegram_state import Account
from runner.clock import SystemClock
from runner.config.templates import template
from runner.conversations.models import ToolCall
from runner.ports.mail import Outgoing
from runner.testing.model_script import Say
from runner.testing.workflows import ask, node, send, trigger, workflow
from runner.web.auth import load_secret, make_token
from runner.workflows.nodes.talking import HANDOFF_TEXT
from tests.faults.daemon_process import Daemon

BOTS = ("support", "community", "sales", "waits")
OF = {"q": "support", "p": "support", "x": "support", "w": "waits", "c": "community", "s": "sales"}
"""Which bot a word is for, by its first letter."""
MODELS = ("claude-haiku-4-5", "claude-sonnet-4-6")
MIX = "wqpxwqpcs"
REGULARS = 5
"""Users who write again and again to the same bot; all others write about one word."""
AHEAD = 40
"""Words ahead of their last answers: a slow machine is not buried under them."""
SAY_EVERY_S = 0.03
LOOK_S = 0.05
LATENCY_S = 0.02
CODE = "4711"
ASKS = "The code for"
_WORD = re.compile(r"\b[qpxwcs]\d{4}\b")

WAITS = workflow(
    {
        "start": trigger(),
        "think": ask("think {{message}}", "thought"),
        "say": send("{{thought.text}}"),
        "gate": node("auth_gate", mode="code", text=f"{ASKS} {{{{message}}}}?", code=CODE),
        "rest": node("wait_delay", seconds=5.1),
        "look": node(
            "function_call", tool="get_order", arguments={"number": "{{message}}"}, outputVariable="order"
        ),
        "before": node("memory_store", op="get", key="runs", outputVariable="before"),
        "count": node("code_block", code="ctx.variables.runs = (ctx.variables.before || 0) + 1;"),
        "keep": node("memory_store", op="set", key="runs", value="{{runs}}"),
        "book": node("function_call", tool="book", arguments={"number": "{{message}}"}),
        "unsure": send("unsure {{message}}"),
        "person": node("action", actionType="human_handoff", reason="{{message}}"),
        "refused": send("refused {{message}} {{handoff.comment}}"),
        "close": ask("close {{order.number}}", "closed"),
        "remind": node("schedule_message", delay=0.5, text="later {{message}}"),
        "done": send("{{closed.text}} {{handoff.comment}}"),
    },
    *("start > think", "think > say", "say > gate", "gate verified> rest", "rest > look", "look > before"),
    *("before > count", "count > keep", "keep > book", "book > person", "book error> unsure"),
    *("unsure > person", "person approved> close", "person rejected> refused"),
    *("close > remind", "remind > done"),
)


def config(port: int, model: str, telegram: str, shop: str) -> str:
    """bots.yaml: the templates as they are shipped, but for their servers and the limits of money and time."""
    number = {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]}
    tool = {"description": "About an order.", "parameters": number, "allow_private": True}
    get_order = {**tool, "name": "get_order", "url": f"{shop}/orders/{{number}}"}
    book = {**tool, "name": "book", "method": "POST", "url": f"{shop}/book"}
    bots = {}
    for name in BOTS:
        shipped = template("support" if name == "waits" else name).text.replace("anthropic", "house")
        whole = YAML(typ="safe", pure=True).load(shipped)
        [bot] = whole["bots"].values()
        bots[name] = bot | {
            "platform": "telegram",
            "platform_config": {"bot_token": token_of(name), "api_base_url": telegram},
            "spending_cap_cents": 1_000_000,
            "caps": {},
            "rate_limit_per_minute": 1_000_000,
            "user_rate_limit_per_minute": None,
            "timeout_ms": 60_000,
        }
    bots["support"]["tools"] = [get_order]
    bots["waits"] |= {"tools": [get_order, book], "workflow": WAITS}
    return json.dumps(
        {
            "server": {"port": port},
            "providers": {"house": {"kind": "openai", "base_url": f"{model}/v1", "api_key": "key"}},
            "prices": {each: {"input": "1", "output": "2"} for each in MODELS},
            "bots": bots,
        }
    )


def token_of(bot: str) -> str:
    """The bot's token."""
    return f"4{BOTS.index(bot)}:abcdefgh"


def place_of(row: Outgoing) -> str:
    """What an answer is known by: whose it is, where to, and what."""
    message = outbound_from_json(row.payload)
    return f"{row.bot}|{message.chat.id}|{message.text}"


class Mind:
    """What the model answers, by the word it is asked about. `asked`: how often about each word, and of what."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()

    def __call__(self, body: Mapping[str, Any]) -> Say:
        """Pick an answer."""
        told, last = json.dumps(body["messages"]), json.dumps(body["messages"][-1])
        word = _WORD.findall(told)[-1]
        if "What is this message of a customer?" in last:
            answer, about = {"q": "question", "p": "person"}.get(word[0], "hm"), "kind"
        elif "about to buy" in json.dumps(body):
            answer, about = ("buying", "looking")[int(word[1:]) % 2], "classify"
        elif body["messages"][-1]["role"] == "user" and word[0] == "q":
            self.asked[word, "order"] += 1
            call = ToolCall("c1", "get_order", json.dumps({"number": word}))
            return Say("", tools=(call,), latency_s=LATENCY_S)
        else:
            answer, about = f"re {word}", "close" if "close" in last else "answer"
            answer = f"closed {word}" if about == "close" else answer
        self.asked[word, about] += 1
        return Say(answer, latency_s=LATENCY_S)


class Shop:
    """A server of tools. `looked`, `booked`: how often each word was."""

    def __init__(self) -> None:
        self.looked: Counter[str] = Counter()
        self.booked: Counter[str] = Counter()
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Listen; returns the URL."""
        app = web.Application()
        app.router.add_get("/orders/{number}", self._look)
        app.router.add_post("/book", self._book)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def stop(self) -> None:
        """Stop listening."""
        assert self._runner is not None
        await self._runner.cleanup()

    async def _look(self, request: web.Request) -> web.Response:
        number = request.match_info["number"]
        self.looked[number] += 1
        return web.json_response({"number": number, "status": "delivered"})

    async def _book(self, request: web.Request) -> web.Response:
        number = (await request.json())["number"]
        self.booked[number] += 1
        await asyncio.sleep(LATENCY_S)
        return web.json_response({"booked": number})


@dataclass(slots=True)
class Town:
    """All users. What they were promised is what they hold us to.

    Attributes:
        most: how many words they write, but for the further questions of those who wait.
        words: each word, and who wrote it.
        given: who has written their code.
    """

    telegram: TelegramServer
    rng: random.Random
    most: int
    words: dict[str, int] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)
    over: bool = False

    def account(self, bot: str) -> Account:
        """The bot on Telegram."""
        return self.telegram.account(token_of(bot))

    async def write(self) -> None:
        """Write until it is over."""
        number = 0
        while not self.over and number < self.most:
            await asyncio.sleep(SAY_EVERY_S)
            if len(self.unanswered(self.finals)) >= AHEAD:
                continue
            self._say(f"{MIX[number % len(MIX)]}{number:04}", number)
            number += 1

    def _say(self, word: str, number: int) -> None:
        alone = word[0] in "pxw"
        user = 1000 + number if alone else self.rng.randint(1, REGULARS)
        self.words[word] = user
        self.account(OF[word[0]]).say(word, user_id=user)
        if word[0] == "p":  # whose complaint waits asks something else meanwhile
            again = f"q{number + 5000}"
            self.words[again] = user
            self.account("support").say(again, user_id=user)

    async def give_codes(self) -> None:
        """Each user writes the code when they are asked for it, once."""
        account, read = self.account("waits"), 0
        while True:
            await account.replies(read + 1)
            for message in account.sent[read:]:
                read += 1
                self.give_code(f"waits|{message.chat_id}|{message.text}")

    def give_code(self, asked: str) -> None:
        """Write the code, if that is what was asked by this text, as `place_of` knows it."""
        bot, chat, text = asked.split("|")
        if bot == "waits" and text.startswith(ASKS) and chat not in self.given:
            self.given.add(chat)
            self.account("waits").say(CODE, user_id=int(chat))

    # ── what they read ───────────────────────────────────────────────────────────────────────────────────
    def read(self) -> Counter[str]:
        """All that they have read, by `place_of`."""
        return Counter(
            f"{bot}|{message.chat_id}|{message.text}" for bot in BOTS for message in self.account(bot).sent
        )

    def unanswered(self, texts: Callable[[str], tuple[str, ...]]) -> set[str]:
        """What they should have read, and have not."""
        expected = {
            f"{OF[word[0]]}|{user}|{text}" for word, user in self.words.items() for text in texts(word)
        }
        return expected - self.read().keys()

    def finals(self, word: str) -> tuple[str, ...]:
        """The last text about a word."""
        return texts_of(word)[-1:]


def is_approved(word: str) -> bool:
    """What the reviewer says."""
    return int(word[1:]) % 2 == 0


def texts_of(word: str) -> tuple[str, ...]:
    """All that a user reads about a word, in order, but for `unsure`."""
    match word[0]:
        case "p":
            end = "Thank you for waiting." if is_approved(word) else "We looked into it:"
            return HANDOFF_TEXT, f"{end} note {word}"
        case "x":
            return ("That did not work just now. Please try again in a while.",)
        case "w":
            begin = (f"re {word}", f"{ASKS} {word}?", HANDOFF_TEXT)
            if not is_approved(word):
                return (*begin, f"refused {word} note {word}")
            return (*begin, f"closed {word} note {word}", f"later {word}")
        case _:
            return (f"re {word}",)


class Reviewer:
    """Decides what waits, by the API of whichever daemon runs."""

    def __init__(self, daemon: Daemon, session: aiohttp.ClientSession) -> None:
        self._daemon = daemon
        self._session = session

    async def decide(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                waiting = await self._ask("GET", "?decision=pending")
                for each in waiting["handoffs"]:
                    word = _WORD.findall(each["reason"])[-1]
                    verdict = "approve" if is_approved(word) else "reject"
                    await self._ask("POST", f"/{each['id']}/{verdict}", {"comment": f"note {word}"})
            except (aiohttp.ClientError, ConnectionError, TimeoutError):
                continue

    async def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        token = make_token(load_secret(self._daemon.state, None), "admin", 1, SystemClock().now_ms() // 1000)
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{self._daemon.url}/api/handoffs{path}"
        async with self._session.request(method, url, json=body, headers=headers) as response:
            said: dict[str, Any] = await response.json()
            assert response.status in {200, 409, 503}, said
            return said if response.status == 200 else {"handoffs": []}
