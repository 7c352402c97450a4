"""vision_analyze and document_parse: what came along with the message, opened for one node.

Rules: what came along was fetched and bounded at the start of the turn (`runner.dispatch.attachments`); after a wait it
is gone, for it is never stored; a message that brought nothing of the kind fails the node, so its edge `error` says
what happens then. A look at a picture is one metered call; a document costs nothing.
"""

from __future__ import annotations

from adapters.messages import AttachmentKind
from runner.agent.asks import Failed as NoAnswer
from runner.agent.asks import Refused
from runner.bots import ModelChoice
from runner.conversations.models import UserMessage
from runner.ports.dialogue import ModelRequest
from runner.workflows.doing import Doing, Outcome
from runner.workflows.engine import Done, Failed

NO_PICTURE = "the message brought no picture that could be opened"
NO_DOCUMENT = "the message brought no document that could be read"
_FILE = "[File "
"""How the text of a file begins in what a model sees of the message."""


class VisionDoer:
    """Does vision_analyze. Its output is `{text, tokensInput, tokensOutput}`, as that of an llm_call."""

    async def do(self, doing: Doing) -> Outcome:
        """Ask one model about the message's pictures."""
        asked = _asked(doing)
        if asked is None or not asked.pictures:
            return Outcome(Failed(NO_PICTURE))
        request = ModelRequest(
            choice=_choice(doing),
            system=doing.bot.system_prompt,
            messages=(UserMessage(str(doing.inputs["prompt"]), pictures=asked.pictures),),
            max_output_tokens=doing.bot.limits.max_output_tokens,
        )
        match await doing.recall.ask(request, feature=doing.feature):
            case NoAnswer(why):
                return Outcome(Failed(why))
            case Refused():
                return Outcome(Failed("a limit of money is reached"))
            case paid:
                usage = paid.usage
                return Outcome(
                    Done(
                        {
                            "text": paid.reply.text,
                            "tokensInput": usage.input_tokens,
                            "tokensOutput": usage.output_tokens,
                        }
                    )
                )


class DocumentDoer:
    """Does document_parse. Its output is `{text, name}`, the texts of several documents one below the other."""

    async def do(self, doing: Doing) -> Outcome:
        """Take the documents' text out of the message."""
        asked = _asked(doing)
        names = [a.name or "" for a in doing.message.attachments if a.kind is AttachmentKind.DOCUMENT]
        if asked is None or not names:
            return Outcome(Failed(NO_DOCUMENT))
        came_along = asked.text.removeprefix(doing.message.text).strip()
        begins = came_along.find(_FILE)
        if begins < 0:
            return Outcome(Failed(NO_DOCUMENT))
        return Outcome(Done({"text": came_along[begins:], "name": names[0]}))


def _asked(doing: Doing) -> UserMessage | None:
    """The user's message as a model sees it."""
    last = doing.history[-1] if doing.history else None
    return last if isinstance(last, UserMessage) else None


def _choice(doing: Doing) -> ModelChoice:
    """The node's model, `provider/model` or one of the bot's own provider; else the bot's."""
    named = doing.inputs["model"]
    if not isinstance(named, str):
        return doing.bot.choice
    provider, slash, model = named.partition("/")
    return ModelChoice(provider, model) if slash else ModelChoice(doing.bot.choice.provider, named)
