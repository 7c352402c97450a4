"""A word with a bot: the real pipeline, really charged.

Rule: `test` is for trying things out and is limited; `chat` is what the command line talks through.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from adapters.contract import Delivery, DeliveryState
from runner.web.answers import answer, refusal
from runner.web.api.models import Message, Said
from runner.web.calls import LIMITED, Answer, AnyCall, Asked, Call, Nothing
from runner.web.entry import Doorkeeper, too_many
from runner.web.parts import WebParts

TESTS_PER_MINUTE = 10
ANSWER_MARGIN_S = 15.0
_REFUSALS = {
    403: "The token's scope, or the bot's access rules, do not allow this.",
    404: "There is no such bot, or it is switched off.",
    429: LIMITED,
    503: "The bot takes no more messages just now.",
    504: "The answer is not ready; it will be in the conversation.",
}


class Talking:
    """The handlers."""

    def __init__(self, parts: WebParts, door: Doorkeeper) -> None:
        self._parts = parts
        self._door = door

    def calls(self) -> Sequence[AnyCall]:
        """Both of them."""
        said = {200: Answer("The bot's answer, with its figures.", Said)}
        return [
            Call(
                "POST",
                "/api/bots/{bot_id}/test",
                f"Try a bot; {TESTS_PER_MINUTE} times a minute for each token.",
                "admin",
                self._test,
                Nothing,
                Message,
                said,
                _REFUSALS,
            ),
            Call(
                "POST",
                "/api/bots/{bot_id}/chat",
                "Talk to a bot.",
                "admin",
                self._chat,
                Nothing,
                Message,
                said,
                _REFUSALS,
            ),
        ]

    async def _test(self, asked: Asked[Nothing, Message]) -> web.StreamResponse:
        limited = await self._door.limited_by_all(f"test {asked.caller.key}", TESTS_PER_MINUTE)
        return limited or await self._chat(asked)

    async def _chat(self, asked: Asked[Nothing, Message]) -> web.StreamResponse:
        parts, said = self._parts, asked.body
        bot = parts.roster.bot(asked.params["bot_id"])
        if bot is None:
            return refusal(
                404, "not_found", f"there is no bot {asked.params['bot_id']!r} that is switched on"
            )
        try:
            told = await parts.console.ask(
                parts.deliver,
                bot.id,
                said.user_id,
                said.message,
                bot.limits.timeout_s + ANSWER_MARGIN_S,
                said.task,
            )
        except TimeoutError:
            return refusal(504, "pending", "the answer is not ready; it will be in the conversation")
        if isinstance(told, Delivery):
            return _not_taken(told)
        return answer({"response": told.text, **told.report})


def _not_taken(delivery: Delivery) -> web.Response:
    if delivery.state is DeliveryState.LIMITED:
        return too_many(delivery.retry_after_s)
    if delivery.state is DeliveryState.IGNORED:
        return refusal(403, "not_allowed", "the bot's access rules do not let this user in")
    return refusal(503, "overloaded", "not now", headers={"Retry-After": "1"})
