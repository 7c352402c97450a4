"""The fake Telegram's other way out: it posts updates to webhooks.

Rules, as on the real one: of one chat an update is posted when the one before it was answered 2xx, chats go side by
side; anything else is an error that getWebhookInfo tells, and the update comes again, here after AGAIN_S.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator
from typing import Any

import aiohttp
from aiohttp import web

from adapters.testing.telegram_state import Account, Bell

AGAIN_S = 0.02
_MOST_OK = 299


class Poster:
    """Posts for all accounts. Its `lifetime` is one for an `aiohttp.web.Application.cleanup_ctx`.

    Args:
        accounts: as they are at any moment.
        news: rung whenever there may be something to post.
    """

    def __init__(self, accounts: dict[str, Account], news: Bell) -> None:
        self._accounts = accounts
        self._news = news
        self._under_way: set[tuple[str, str]] = set()
        self._posts: set[asyncio.Task[None]] = set()

    async def lifetime(self, _: web.Application) -> Any:  # noqa: ANN401 - aiohttp's own type for it is private
        """Post while the server runs."""
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            main = group.create_task(self._run(session, group), name="telegram posts")
            yield
            for task in (main, *self._posts):
                task.cancel()
        self._under_way.clear()

    async def _run(self, session: aiohttp.ClientSession, group: asyncio.TaskGroup) -> None:
        while True:
            heard = self._news.next()
            for place, account, update in self._ready(list(self._accounts.values())):
                self._under_way.add(place)
                task = group.create_task(self._post(session, place, account, update))
                self._posts.add(task)
                task.add_done_callback(self._posts.discard)
            await heard.wait()

    def _ready(
        self, accounts: Iterable[Account]
    ) -> Iterator[tuple[tuple[str, str], Account, dict[str, Any]]]:
        """The first update of each chat that none is under way of."""
        for account in accounts:
            seen = set()
            for update in list(account.waiting) if account.webhook else ():
                place = (account.token, str((update.get("message") or {}).get("chat")))
                if place not in seen and place not in self._under_way:
                    yield place, account, update
                seen.add(place)

    async def _post(
        self, session: aiohttp.ClientSession, place: tuple[str, str], account: Account, update: dict[str, Any]
    ) -> None:
        try:
            error = await self._error(session, account, update)
            if error is None:
                account.posted(update)
            else:
                account.post_failed(error)
                await _pause(AGAIN_S)
        finally:
            self._under_way.discard(place)
            self._news.ring()

    async def _error(
        self, session: aiohttp.ClientSession, account: Account, update: dict[str, Any]
    ) -> str | None:
        """Post one update; what went wrong, or None."""
        headers = {
            "Content-Type": "application/json",
            "X-Telegram-Bot-Api-Secret-Token": account.webhook_secret,
        }
        try:
            async with session.post(str(account.webhook), data=json.dumps(update), headers=headers) as answer:
                ok = answer.status <= _MOST_OK
                return None if ok else f"Wrong response from the webhook: {answer.status} {answer.reason}"
        except aiohttp.ClientError:
            return "Connection refused"


async def _pause(seconds: float) -> None:
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()
