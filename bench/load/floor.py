"""The floor of the machine and the stage: one hand-written loop over one HTTP session, and nothing else.

No SDK, no store, no money, no history, no retries, nothing that a bot needs; whoever does anything does it on
top of this.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import aiohttp

TELEGRAM = f"{os.environ['TELEGRAM_URL']}/bot{os.environ['BOT_TOKEN']}"
MODEL = f"{os.environ['MODEL_URL']}/chat/completions"


async def answer(session: aiohttp.ClientSession, message: dict[str, Any]) -> None:
    messages = [{"role": "system", "content": "You help."}, {"role": "user", "content": message["text"]}]
    asked = {"model": "m", "max_tokens": 512, "messages": messages}
    async with session.post(MODEL, json=asked) as response:
        said = (await response.json())["choices"][0]["message"]["content"]
    async with session.post(
        f"{TELEGRAM}/sendMessage", json={"chat_id": message["chat"]["id"], "text": said}
    ) as response:
        await response.read()


async def main() -> None:
    offset = 0
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        while True:
            asked = {"offset": offset, "timeout": 30}
            async with session.post(f"{TELEGRAM}/getUpdates", json=asked) as response:
                updates = (await response.json())["result"]
            for update in updates:
                offset = update["update_id"] + 1
                group.create_task(answer(session, update["message"]))


if __name__ == "__main__":
    asyncio.run(main())
