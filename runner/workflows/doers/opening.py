"""vision_analyze and document_parse: what came along with the message, opened for one node.

Rules: what came along was fetched and bounded at the start of the turn (`runner.dispatch.attachments`); after a wait it
is gone, for it is never stored; a message that brought nothing of the kind fails the node, so its edge `error` says
what happens then. A look at a picture is one metered call; a document costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from adapters.messages import AttachmentKind
from runner.conversations.attached import file_header
from runner.conversations.models import UserMessage
from runner.money.prices import PriceBook
from runner.workflows.doers.asking import answer_of, answered
from runner.workflows.doers.models import choice_of, request_of
from runner.workflows.doing import Doing, Outcome
from runner.workflows.engine import Done, Failed
from runner.workflows.nodes.thinking import Vision

NO_PICTURE = "the message brought no picture that could be opened"
NO_DOCUMENT = "the message brought no document that could be read"


class VisionDoer:
    """Does vision_analyze. Its output is `{text, tokensInput, tokensOutput}`, as that of an llm_call."""

    def __init__(self, book: Callable[[], PriceBook]) -> None:
        self._book = book

    async def do(self, doing: Doing) -> Outcome:
        """Ask one model about the message's pictures."""
        asked, node = _asked(doing), doing.step.placed.node
        if asked is None or not asked.pictures or not isinstance(node, Vision):
            return Outcome(Failed(NO_PICTURE))
        prompt = str(doing.inputs["prompt"])
        choice = choice_of(doing.bot.choice, node.model, self._book())
        looking = replace(
            request_of(doing.bot, choice, prompt), messages=(UserMessage(prompt, pictures=asked.pictures),)
        )
        paid = answered(await doing.recall.ask(looking, feature=doing.feature))
        return Outcome(Failed(paid) if isinstance(paid, str) else Done(answer_of(paid)))


class DocumentDoer:
    """Does document_parse. Its output is `{text, name}`, the texts of several documents one below the other."""

    async def do(self, doing: Doing) -> Outcome:
        """Take the documents' text out of the message."""
        asked = _asked(doing)
        documents = [one for one in doing.message.attachments if one.kind is AttachmentKind.DOCUMENT]
        found = [asked.text.find(file_header(one.name)) for one in documents] if asked is not None else []
        begins = min((place for place in found if place >= 0), default=-1)
        if asked is None or begins < 0:
            return Outcome(Failed(NO_DOCUMENT))
        return Outcome(Done({"text": asked.text[begins:], "name": documents[0].name or ""}))


def _asked(doing: Doing) -> UserMessage | None:
    """The user's message as a model sees it."""
    last = doing.history[-1] if doing.history else None
    return last if isinstance(last, UserMessage) else None
