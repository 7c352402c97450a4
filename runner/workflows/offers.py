"""What a workflow needs of the bot that runs it, asked before the bot starts. Pure.

| node                | needs                                                            |
|---------------------|------------------------------------------------------------------|
| knowledge_retrieval | a collection of that name                                        |
| vision_analyze      | models, its own and the bot's, that take pictures at a bounded price |
| document_parse      | the message's own document                                       |
| image_generate      | what nobody offers: it is always refused                          |
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from runner.workflows.faults import Fault, Faults, Path, did_you_mean, shown
from runner.workflows.graph import Graph
from runner.workflows.nodes.kinds import Node
from runner.workflows.nodes.thinking import DocumentParse, ImageGenerate, Vision
from runner.workflows.nodes.working import KnowledgeRetrieval

NO_DRAWING = (
    "image_generate is not offered: no provider bills drawn pictures so that a call can be bounded first"
)
BLIND = "takes no pictures at a price that is bounded"
OWN_ONLY = "only the {what} of the message itself can be opened: leave this out"


@dataclass(frozen=True, slots=True)
class Offer:
    """What there is for a bot's workflow.

    Attributes:
        collections: names under `knowledge:`.
        sees: whether a model, as a node names it, takes pictures at a bounded price; None: the bot's own.
    """

    collections: Collection[str]
    sees: Callable[[str | None], bool]


def check_offer(graph: Graph, offer: Offer) -> tuple[Fault, ...]:
    """All that the workflow asks for and does not get."""
    faults = Faults()
    for number, placed in enumerate(graph.nodes.values()):
        _check(("nodes", number), placed.node, offer, faults)
    return faults.in_order()


def _check(path: Path, node: Node, offer: Offer, faults: Faults) -> None:
    match node:
        case ImageGenerate():
            faults.add((*path, "type"), NO_DRAWING)
        case KnowledgeRetrieval(collection) if collection not in offer.collections:
            guess = did_you_mean(collection, offer.collections)
            faults.add(
                (*path, "data", "collection"),
                f"there is no collection {shown(collection)} under knowledge:{guess}",
            )
        case DocumentParse() if node.document is not None:
            faults.add((*path, "data", "document"), OWN_ONLY.format(what="document"))
        case Vision():
            if node.image is not None:
                faults.add((*path, "data", "image"), OWN_ONLY.format(what="picture"))
            if node.model is not None and not offer.sees(node.model):
                faults.add((*path, "data", "model"), f"{shown(node.model)} {BLIND}")
            elif not offer.sees(None):
                faults.add((*path, "type"), f"the bot's own model {BLIND}, so none is loaded for it")
        case _:
            pass
