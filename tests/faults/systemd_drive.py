"""Inside the machine: a load on the service, through all the steps, and then the reckoning.

Nothing lost, nothing doubled but what the store lists, nothing paid twice, over all of it.
"""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from runner.testing.model_script import Say
from runner.testing.model_server import ModelServer
from tests.faults import systemd_steps as steps
from tests.faults.reckoning import books, check_bill, listed, say_again

CLIENTS = 5
WITHIN_S = 480.0


class Load:
    """Callers who are answered at once, and others whom the answers are posted to."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self.answers: dict[str, set[str]] = defaultdict(set)
        self.posted: Counter[str] = Counter()
        self.keys: dict[str, set[str]] = defaultdict(set)
        self.said: set[str] = set()
        self.over = False

    async def take(self, request: web.Request) -> web.Response:
        """An answer is posted to us."""
        text = (await request.json())["response"]
        self.posted[text] += 1
        self.keys[text].add(request.headers["Idempotency-Key"])
        return web.Response()

    async def talk(self, bot: str, client: int) -> None:
        number = 0
        while not self.over:
            number += 1
            word = f"{bot}{client}n{number}"
            self.said.add(word)
            told = await self.say(bot, word, f"u{client}")
            if "response" in told:
                self.answers[word].add(str(told["response"]))
            while bot == "posted" and f"re {word}" not in self.posted:  # noqa: ASYNC110 - a glance is enough here
                await asyncio.sleep(0.02)

    async def say(self, bot: str, word: str, user: str) -> dict[str, object]:
        """The same again until it is taken: that is all a caller has to do."""
        body = {"text": word, "user_id": user, "message_id": word}
        url = f"http://127.0.0.1:8765/api/bots/webhook/custom/{bot}"
        while True:
            try:
                async with self._session.post(
                    url, json=body, headers={"Authorization": f"Bearer {steps.SECRET}"}
                ) as answer:
                    told: dict[str, object] = await answer.json()
                    if answer.status in {200, 202}:
                        return told
                    assert answer.status in {404, 503, 504}, told
            except (aiohttp.ClientError, ConnectionError, ValueError):
                pass
            await asyncio.sleep(0.02)


def say_slowly(body: Mapping[str, Any]) -> Say:
    """Slow enough that there are always calls under way, whatever happens to the daemon."""
    return replace(say_again(body), latency_s=0.2)


async def drive() -> None:
    model = ModelServer(standing=say_slowly)
    async with aiohttp.ClientSession() as session:
        load = Load(session)
        app = web.Application()
        app.router.add_post("/", load.take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 8766).start()
        steps.prepare(await model.start(), "http://127.0.0.1:8766/")
        await asyncio.to_thread(steps.starts)
        async with asyncio.TaskGroup() as group:
            for client in range(CLIENTS):
                for bot in ("asked", "posted"):
                    group.create_task(load.talk(bot, client))
            for step in (steps.reloads, steps.is_killed, steps.gets_stuck):
                await asyncio.to_thread(step)
            await asyncio.to_thread(steps.is_upgraded, model)
            await asyncio.to_thread(steps.is_refused)
            load.over = True
        await asyncio.to_thread(steps.cannot_write_its_file)
        await asyncio.to_thread(steps.stops)
        await reckon(load, model)
        await runner.cleanup()
    await model.stop()


async def reckon(load: Load, model: ModelServer) -> None:
    store = Stored(steps.STATE)
    rows = await books(store)  # type: ignore[arg-type]
    check_bill(rows, model)
    for word, told in load.answers.items():
        assert told == {f"re {word}"}, (word, told)
    assert {word for word in load.said if word.startswith("asked")} == set(load.answers)
    assert {f"re {word}" for word in load.said if word.startswith("posted")} == set(load.posted)
    doubled = {text: count - 1 for text, count in load.posted.items() if count > 1}
    excused = await listed(store)  # type: ignore[arg-type]
    assert all(excused[text] >= more for text, more in doubled.items()), (doubled, excused)
    assert all(len(keys) == 1 for keys in load.keys.values()), "the same answer has the same key"
    print(json.dumps({"messages": len(load.said), "posted twice": len(doubled), "listed": len(excused)}))
    assert len(load.said) > 50


class Stored:
    """Where the store of the daemon is."""

    def __init__(self, state: Path) -> None:
        self.state = state


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(drive(), WITHIN_S))
    print("ALL OF IT HOLDS")
