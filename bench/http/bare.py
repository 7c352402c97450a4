"""The bare handler: what aiohttp itself takes to read such a request and give such an answer.

No store, no money, no history, no log, no HMAC: whoever does anything does it on top of this.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import uvloop
from aiohttp import web

from bench.http.subjects import PATH
from runner.presence import Presence


async def answer(request: web.Request) -> web.Response:
    asked = json.loads(await request.read())
    told = {
        "response": f"You said: {asked['text']}\n(echo: offline, no model was asked)",
        "message_id": "0123456789abcdef01234567",
        "tool_calls": [],
        "tokens": {"input": 33, "output": 23, "cache_read": 0, "cache_write": 0, "reasoning": 0},
        "token_breakdown": {
            "systemPrompt": 4,
            "toolDefinitions": 0,
            "conversationHistory": 0,
            "currentMessage": 29,
            "toolResults": 0,
            "llmOutput": 23,
            "total": 56,
        },
        "cost_cents": 0,
        "cost_usd": "0.00",
        "latency_ms": 1,
        "loop_iterations": 1,
        "stop_reason": "answered",
        "conversation_id": "c1",
        "turn_id": "t1",
        "route": {"provider": "echo", "model": "echo", "route": "default", "reason": ""},
    }
    return web.json_response(told)


async def main() -> None:
    app = web.Application()
    app.router.add_post(f"{PATH}/{{bot}}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    Presence(Path(os.environ["BOTRUNNER_STATE"]), os.getpid(), url, "").announce()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
