"""The floor of the machine and the stage: one hand-written loop over one HTTP session, for each platform.

    PLATFORM=slack MODEL_URL=… BOT_TOKEN=… python -m bench.load.floor

No SDK, no store, no money, no history, no signatures, no retries, nothing that a bot needs; whoever does anything
does it on top of this.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from runner.presence import Presence

MODEL = f"{os.environ['MODEL_URL']}/chat/completions"
API = os.environ.get("API_BASE_URL", "")
TOKEN = os.environ.get("BOT_TOKEN", "")
DIRECT_MESSAGES = 1 << 12


async def ask_model(session: aiohttp.ClientSession, text: str) -> str:
    messages = [{"role": "system", "content": "You help."}, {"role": "user", "content": text}]
    asked = {"model": "m", "max_tokens": 512, "messages": messages}
    async with session.post(MODEL, json=asked) as response:
        return str((await response.json())["choices"][0]["message"]["content"])


async def post(
    session: aiohttp.ClientSession, url: str, body: object, headers: Mapping[str, str] | None = None
) -> None:
    async with session.post(url, json=body, headers=headers) as response:
        await response.read()


async def telegram(session: aiohttp.ClientSession, tasks: asyncio.TaskGroup) -> None:
    async def answer(message: Mapping[str, Any]) -> None:
        said = await ask_model(session, message["text"])
        await post(session, f"{bot}/sendMessage", {"chat_id": message["chat"]["id"], "text": said})

    bot, offset = f"{API}/bot{TOKEN}", 0
    while True:
        asked = {"offset": offset, "timeout": 30}
        async with session.post(f"{bot}/getUpdates", json=asked) as response:
            updates = (await response.json())["result"]
        for update in updates:
            offset = update["update_id"] + 1
            tasks.create_task(answer(update["message"]))


async def discord(session: aiohttp.ClientSession, tasks: asyncio.TaskGroup) -> None:
    async def answer(message: Mapping[str, Any]) -> None:
        said = await ask_model(session, message["content"])
        await post(session, f"{API}/channels/{message['channel_id']}/messages", {"content": said}, headers)

    async def beat(every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            await socket.send_json({"op": 1, "d": None})

    headers = {"Authorization": f"Bot {TOKEN}"}
    async with session.get(f"{API}/gateway/bot", headers=headers) as response:
        url = (await response.json())["url"]
    async with session.ws_connect(url) as socket:
        async for frame in socket:
            heard = json.loads(frame.data)
            if heard["op"] == 10:
                tasks.create_task(beat(heard["d"]["heartbeat_interval"] / 1000))
                who = {"token": TOKEN, "intents": DIRECT_MESSAGES, "properties": {}}
                await socket.send_json({"op": 2, "d": who})
            elif heard.get("t") == "MESSAGE_CREATE":
                tasks.create_task(answer(heard["d"]))


async def slack(session: aiohttp.ClientSession, tasks: asyncio.TaskGroup) -> None:
    async def answer(event: Mapping[str, Any]) -> None:
        body = {"channel": event["channel"], "text": await ask_model(session, event["text"])}
        await post(session, f"{API}chat.postMessage", body, {"Authorization": f"Bearer {TOKEN}"})

    app = {"Authorization": f"Bearer {os.environ['APP_TOKEN']}"}
    async with session.post(f"{API}apps.connections.open", headers=app) as response:
        url = (await response.json())["url"]
    async with session.ws_connect(url) as socket:
        async for frame in socket:
            heard = json.loads(frame.data)
            if heard["type"] == "events_api":
                await socket.send_json({"envelope_id": heard["envelope_id"]})
                tasks.create_task(answer(heard["payload"]["event"]))


async def whatsapp(session: aiohttp.ClientSession, tasks: asyncio.TaskGroup) -> None:
    async def answer(message: Mapping[str, Any]) -> None:
        text = {"body": await ask_model(session, message["text"]["body"])}
        body = {"messaging_product": "whatsapp", "to": message["from"], "type": "text", "text": text}
        await post(session, f"{API}/v23.0/{os.environ['PHONE_NUMBER_ID']}/messages", body, headers)

    async def challenge(request: web.Request) -> web.Response:
        return web.Response(text=request.query["hub.challenge"])

    async def take(request: web.Request) -> web.Response:
        for entry in (await request.json())["entry"]:
            for change in entry["changes"]:
                for message in change["value"].get("messages", ()):
                    tasks.create_task(answer(message))
        return web.Response()

    headers = {"Authorization": f"Bearer {os.environ['ACCESS_TOKEN']}"}
    path = "/api/bots/webhook/whatsapp/{bot}"
    await serve(web.get(path, challenge), web.post(path, take))


async def custom(session: aiohttp.ClientSession, _: asyncio.TaskGroup) -> None:
    async def answer(request: web.Request) -> web.Response:
        said = await ask_model(session, (await request.json())["text"])
        return web.json_response({"response": said})

    await serve(web.post("/api/bots/webhook/custom/{bot}", answer))


async def serve(*routes: web.RouteDef) -> None:
    """Serve for ever, once the address is written down."""
    app = web.Application()
    app.router.add_routes(routes)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    Presence(Path(os.environ["BOTRUNNER_STATE"]), os.getpid(), url, "").announce()
    await asyncio.Event().wait()


WAYS: Mapping[str, Callable[[aiohttp.ClientSession, asyncio.TaskGroup], Awaitable[None]]] = {
    "telegram": telegram,
    "discord": discord,
    "slack": slack,
    "whatsapp": whatsapp,
    "custom": custom,
}


async def main() -> None:
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        await WAYS[os.environ["PLATFORM"]](session, tasks)


if __name__ == "__main__":
    asyncio.run(main())
