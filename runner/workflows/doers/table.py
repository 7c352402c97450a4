"""Who does which node: of those that remember, look up, let in, owe and open."""

from __future__ import annotations

from collections.abc import Callable

from runner.clock import Clock
from runner.money.prices import PriceBook
from runner.ports.knowledge import Knowledge
from runner.workflows.doers.gate import GateDoer
from runner.workflows.doers.knowledge import KnowledgeDoer
from runner.workflows.doers.later import LaterDoer, SayPayload
from runner.workflows.doers.memory import Memories, MemoryDoer
from runner.workflows.doers.opening import DocumentDoer, VisionDoer
from runner.workflows.doers.passes import Passes
from runner.workflows.doing import Doers
from runner.workflows.nodes.talking import AuthGate, LaterMessage
from runner.workflows.nodes.thinking import DocumentParse, Vision
from runner.workflows.nodes.working import KnowledgeRetrieval, MemoryStore


def other_doers(
    memories: Memories,
    knowledge: Knowledge,
    payload: SayPayload,
    book: Callable[[], PriceBook],
    clock: Clock,
) -> Doers:
    """By the class of the node.

    Args:
        memories: `Store.runs`.
        payload: writes an errand that says something; `runner.dispatch.errands.wrap` of a `Say`.
    """
    return {
        MemoryStore: MemoryDoer(memories, clock),
        KnowledgeRetrieval: KnowledgeDoer(knowledge),
        AuthGate: GateDoer(Passes(memories, clock), clock),
        LaterMessage: LaterDoer(payload, clock),
        Vision: VisionDoer(book),
        DocumentParse: DocumentDoer(),
    }
