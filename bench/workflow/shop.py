"""The shop: what its customers write, its orders over HTTP, and a model that knows what each request is for.

Rules: a customer's message, the order that it names and the answer are the same both ways; what the model is asked is
told by the request alone (what is in it, never who sent it), and what it should be asked next is not guessed: a
request that fits nothing is kept in `strange`. Deciding whether a refund is due takes the model a call of its own
where it has tools for it, and the workflow a line of JavaScript.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from runner.conversations.models import ToolCall
from runner.testing.model_script import Behaviour, Say

REFUND_SHARE = 0.4
"""Of the interactions; the others ask where an order is."""
CLASSIFY = "Answer with one word, refund or status."
"""What the workflow's first prompt says and no other."""
RESPOND = "The order is:"
"""What its second prompt says and no other."""
_NUMBER = re.compile(r"A-\d{5}")
_WHERE = (
    "Hi, where is my order {number}? It should have been here on {day}.",
    "Good morning! Could you tell me when {number} arrives? I will be away from {day} on.",
    "My order is {number}. The tracking page has not changed since {day}, is something wrong?",
)
_BACK = (
    "I would like to return order {number}, the shoes are too small. It came on {day}. Do I get my money back?",
    "Hello, {number} came on {day} and one of the two cups is broken. I want a refund please.",
    "Can I still get a refund for {number}? I have not used it. It was delivered on {day}.",
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
_ITEMS = (
    "running shoes, size 42, grey",
    "two cups, stoneware, blue",
    "rain jacket, size M, yellow",
    "desk lamp",
)


@dataclass(frozen=True, slots=True)
class Interaction:
    """One customer, one message, one order, one answer."""

    message: str
    number: str
    wants: str
    order: Mapping[str, Any]
    answer: str


def interactions(seed: int, count: int) -> tuple[Interaction, ...]:
    """Made up; equal for equal seeds."""
    rng = random.Random(seed)
    return tuple(_interaction(rng, 10_000 + number) for number in range(count))


def _interaction(rng: random.Random, number: int) -> Interaction:
    order, refund, day = f"A-{number}", rng.random() < REFUND_SHARE, rng.choice(_DAYS)
    message = rng.choice(_BACK if refund else _WHERE).format(number=order, day=day)
    days = rng.randint(2, 60) if refund else 0
    found = {
        "number": order,
        "status": "delivered" if refund else "shipped",
        "days_since_delivery": days,
        "placed_at": "2026-11-02T09:14:00Z",
        "items": [{"name": rng.choice(_ITEMS), "quantity": 1, "price": "49.90", "currency": "EUR"}],
        "carrier": {"name": "DHL", "tracking": f"JD0146000{number}", "expected": day},
        "address": {"name": "A. Customer", "street": "Hauptstr. 12", "postcode": "10827", "city": "Berlin"},
    }
    if not refund:
        told = f"Your order {order} is on its way with DHL (tracking JD0146000{number}) and is expected on {day}."
        answer = (
            f"{told} If it is not there by the evening, write to us again and we ask the carrier for you."
        )
    elif days < 30:
        answer = (
            f"Yes, you get your money back for {order}: it was delivered {days} days ago, within our 30 days. We have "
            "sent you a label by e-mail; once the parcel is back the 49.90 EUR are returned within five working days."
        )
    else:
        answer = (
            f"I am sorry: {order} was delivered {days} days ago, and we take things back for 30 days. If it has a "
            "fault, tell me what is wrong with it, and I will ask a colleague to look into it for you."
        )
    return Interaction(message, order, "refund" if refund else "status", found, answer)


@dataclass(slots=True)
class Shop:
    """The customers' interactions, and the model that answers them.

    Attributes:
        looked_up: the orders that were asked of the server; `strange`: requests that fit nothing.
    """

    known: Mapping[str, Interaction]
    looked_up: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, made: Sequence[Interaction]) -> Shop:
        """By their orders' numbers."""
        return cls({each.number: each for each in made})

    def pick(self, body: Mapping[str, Any]) -> Behaviour:
        """What the model does with a request: a function of what is in it."""
        text = json.dumps(body["messages"], ensure_ascii=False)
        found = _NUMBER.search(text)
        if found is None:
            self.strange.append(text[:200])
            return Say("I do not know.")
        one = self.known[found[0]]
        if CLASSIFY in text:
            return Say(one.wants, pieces=1)
        if RESPOND in text or "tools" not in body:
            return Say(one.answer, pieces=2)
        done = [name for name in ("get_order", "refund_policy") if f'"{name}"' in text]
        wanted = ["get_order", *(["refund_policy"] if one.wants == "refund" else [])]
        for name in wanted[len(done) :]:
            arguments = {"number": one.number} if name == "get_order" else {"reason": "return"}
            return Say("", (ToolCall(f"call_{name}_{one.number}", name, json.dumps(arguments)),))
        return Say(one.answer, pieces=2)

    async def order(self, request: web.Request) -> web.Response:
        """GET /orders/{number}."""
        number = request.match_info["number"]
        self.looked_up.append(number)
        one = self.known.get(number)
        if one is None:
            return web.json_response({"error": "no such order"}, status=404)
        return web.json_response(dict(one.order))

    async def policy(self, _: web.Request) -> web.Response:
        """GET /refunds/policy."""
        return web.json_response(
            {"days": 30, "condition": "unused, or with a fault", "label": "by e-mail", "paid_back_in_days": 5}
        )


@asynccontextmanager
async def order_server(shop: Shop) -> AsyncIterator[str]:
    """The shop's HTTP, both ways' only one; yields its address."""
    app = web.Application()
    app.router.add_get("/orders/{number}", shop.order)
    app.router.add_get("/refunds/policy", shop.policy)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
