"""The real daemon and a caller that reads events, and one that has its answers posted."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from adapters.signatures import is_signed
from runner.testing.model_script import Say
from runner.testing.model_server import ModelServer
from tests.faults.daemon_process import Daemon

pytestmark = pytest.mark.e2e

CONFIG = """
server: {{port: 0}}
providers: {{house: {{kind: openai, base_url: "{model}/v1", api_key: key}}}}
prices: {{m: {{input: "1", output: "2"}}}}
defaults: {{llm_provider: house, llm_model: m, max_tokens_per_turn: 300, system_prompt: Help.}}
bots:
  reader: {{platform: custom}}
  posted: {{platform: custom, platform_config: {{secret: s3cret, reply_url: "{reply}"}}}}
"""


def events(text: str) -> list[tuple[str, Any]]:
    blocks = [block.split("\n") for block in text.split("\n\n") if block and not block.startswith(":")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


async def test_an_answer_as_events_and_an_answer_that_is_posted(tmp_path: Path) -> None:
    posted: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()
    faults = [500]

    async def take(request: web.Request) -> web.Response:
        posted.put_nowait((dict(request.headers), await request.read()))
        return web.Response(status=faults.pop() if faults else 204)

    app = web.Application()
    app.router.add_post("/answers", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    reply = f"http://127.0.0.1:{runner.addresses[0][1]}/answers"
    model = ModelServer(standing=lambda _: Say(text="forty-two"))
    config = CONFIG.format(model=await model.start(), reply=reply)
    try:
        with Daemon(tmp_path, config) as daemon:
            await daemon.start()
            await daemon.ready()
            async with aiohttp.ClientSession() as session:
                await _events(session, f"{daemon.url}/api/bots/webhook/custom/reader")
                await _posted(session, f"{daemon.url}/api/bots/webhook/custom/posted", posted)
            await daemon.stop()
    finally:
        await model.stop()
        await runner.cleanup()
    assert len(model.bill) == 2


async def _events(session: aiohttp.ClientSession, url: str) -> None:
    body = {"text": "hello", "user_id": 1, "message_id": "m1"}
    async with session.post(url, json=body, headers={"Accept": "text/event-stream"}) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        told = events(await response.text())
    assert (told[0], told[-1][0]) == (("accepted", {"message_id": "m1"}), "answer")
    assert told[-1][1]["response"] == "forty-two"
    async with session.post(url, json=body) as again:
        assert await again.json() == told[-1][1]


async def _posted(
    session: aiohttp.ClientSession, url: str, posted: asyncio.Queue[tuple[dict[str, str], bytes]]
) -> None:
    body = {"text": "hello", "user_id": 1, "channel_id": "room", "message_id": "m2"}
    for _ in range(2):
        async with session.post(url, json=body, headers={"Authorization": "Bearer s3cret"}) as response:
            assert (response.status, await response.json()) == (
                202,
                {"message_id": "m2", "status": "accepted"},
            )
    (first, body_1), (second, body_2) = await posted.get(), await posted.get()  # the first was not taken
    assert body_1 == body_2
    assert first["Idempotency-Key"] == second["Idempotency-Key"]
    assert is_signed("s3cret", body_2, second["X-Signature-256"])
    told = json.loads(body_2)
    assert (told["response"], told["message_id"], told["channel_id"]) == ("forty-two", "m2", "room")
    assert told["tokens"]["input"] > 0
