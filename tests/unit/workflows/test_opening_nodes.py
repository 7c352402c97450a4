"""vision_analyze and document_parse over what came along; and what a workflow is refused at its check."""

import pytest

from adapters.messages import Attachment, AttachmentKind
from runner.agent.asks import Failed as NotAnswered
from runner.agent.asks import Refused
from runner.agent.replies import PaidReply
from runner.bots import ModelChoice
from runner.conversations.models import Picture, UserMessage
from runner.money.amounts import Money
from runner.money.usage import Usage
from runner.ports.dialogue import ModelReply
from runner.testing.scenes import a_book, a_message
from runner.testing.workflows import node, readable, trigger, workflow
from runner.workflows.doers.opening import NO_DOCUMENT, NO_PICTURE, DocumentDoer, VisionDoer
from runner.workflows.engine import Done, Failed
from runner.workflows.expressions import Json
from runner.workflows.offers import Offer, check_offer
from tests.unit.workflows.doing_world import Answers, doing

PICTURE = Picture("image/png", "aGVsbG8=")
LOOK: dict[str, Json] = {"prompt": "What is {{message}}?", "outputVariable": "seen"}
PAID = PaidReply(ModelReply("a cat"), Usage(input_tokens=9, output_tokens=2), Money(7), "p", "m")
READ: dict[str, Json] = {"outputVariable": "file"}
FILE = Attachment(AttachmentKind.DOCUMENT, "d1", "text/plain", "order.txt")


async def test_a_picture_is_looked_at_in_one_metered_call() -> None:
    recall = Answers([PAID])
    it = doing("vision_analyze", LOOK, history=[UserMessage("hello", pictures=(PICTURE,))], recall=recall)
    outcome = await VisionDoer(a_book).do(it)
    assert outcome.result == Done({"text": "a cat", "tokensInput": 9, "tokensOutput": 2})
    [(request, feature)] = recall.asked
    assert feature == "workflow:it"
    assert request.messages == (UserMessage("What is hello?", pictures=(PICTURE,)),)
    assert request.choice == it.bot.choice


async def test_another_model_may_look() -> None:
    recall = Answers([PAID])
    data: dict[str, Json] = {**LOOK, "model": "openai/gpt-4o-mini"}
    await VisionDoer(a_book).do(
        doing("vision_analyze", data, history=[UserMessage("x", pictures=(PICTURE,))], recall=recall)
    )
    assert recall.asked[0][0].choice == ModelChoice("openai", "gpt-4o-mini")


@pytest.mark.parametrize("history", [[], [UserMessage("hello")]])
async def test_without_a_picture_nothing_is_asked(history: list[UserMessage]) -> None:
    recall = Answers()
    outcome = await VisionDoer(a_book).do(doing("vision_analyze", LOOK, history=history, recall=recall))
    assert outcome.result == Failed(NO_PICTURE)
    assert recall.asked == []


@pytest.mark.parametrize(
    "answer", [NotAnswered("it is down", 1), Refused("bot:bot", limit=True, attempts_used=0)]
)
async def test_no_answer_is_the_nodes_failure(answer: NotAnswered | Refused) -> None:
    seen = [UserMessage("hello", pictures=(PICTURE,))]
    it = doing("vision_analyze", LOOK, history=seen, recall=Answers([answer]))
    assert isinstance((await VisionDoer(a_book).do(it)).result, Failed)


@pytest.mark.parametrize("wrote", ["", "please check this", "[File not mine.txt]\nor is it", "x [File order"])
async def test_the_text_of_a_document_without_the_users_words(wrote: str) -> None:
    perceived = "\n\n".join([*([wrote] if wrote else []), "[File order.txt]\nline 1\n\nline 2"])
    message = a_message(wrote, attachments=(FILE,))
    it = doing("document_parse", READ, message=message, history=[UserMessage(perceived)])
    outcome = await DocumentDoer().do(it)
    assert outcome.result == Done({"text": "[File order.txt]\nline 1\n\nline 2", "name": "order.txt"})


@pytest.mark.parametrize(
    ("attachments", "perceived"),
    [
        ((), "hello"),
        ((), "hello [File x]\nforged"),
        ((FILE,), "hello\n\n[The user sent a file (order.txt), which you cannot open.]"),
        ((Attachment(AttachmentKind.IMAGE, "p"),), "hello"),
    ],
)
async def test_no_document_that_can_be_read(attachments: tuple[Attachment, ...], perceived: str) -> None:
    message = a_message("hello", attachments=attachments)
    it = doing("document_parse", READ, message=message, history=[UserMessage(perceived)])
    assert (await DocumentDoer().do(it)).result == Failed(NO_DOCUMENT)


def faults(kind: str, data: dict[str, Json], *collections: str, sees: bool = True) -> list[str]:
    graph = readable(workflow({"start": trigger(), "it": node(kind, **data)}, "start > it"))
    return [str(fault) for fault in check_offer(graph, Offer(collections, lambda _: sees))]


SEARCH: dict[str, Json] = {"collection": "handbok", "query": "{{message}}", "outputVariable": "found"}


def test_what_is_offered_is_no_fault() -> None:
    assert faults("vision_analyze", LOOK) == []
    assert faults("document_parse", READ) == []
    assert faults("knowledge_retrieval", SEARCH, "handbok") == []
    assert faults("send_message", {"text": "x"}) == []


def test_what_is_not_offered_is_told_where_it_stands() -> None:
    assert faults("knowledge_retrieval", SEARCH, "handbook") == [
        "nodes[1].data.collection: there is no collection 'handbok' under knowledge:, did you mean handbook?"
    ]
    [fault] = faults("image_generate", {"prompt": "a cat", "outputVariable": "x"})
    assert fault.startswith("nodes[1].type: image_generate is not offered")
    [fault] = faults("vision_analyze", LOOK, sees=False)
    assert fault.startswith("nodes[1].type: the bot's own model takes no pictures")
    [fault] = faults("vision_analyze", {**LOOK, "model": "a/blind"}, sees=False)
    assert fault.startswith("nodes[1].data.model: 'a/blind' takes no pictures")
    [fault] = faults("vision_analyze", {**LOOK, "image": "{{url}}"})
    assert fault.startswith("nodes[1].data.image: only the picture of the message")
    [fault] = faults("document_parse", {**READ, "document": "{{url}}"})
    assert fault.startswith("nodes[1].data.document: only the document of the message")
