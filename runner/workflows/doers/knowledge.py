"""knowledge_retrieval: passages of the operator's files that fit a query best.

Its output is a list of `{text, source, score}`, the best first; empty where no word of the query is in the files.
"""

from __future__ import annotations

from typing import cast

from runner.ports.knowledge import Knowledge, NotFound
from runner.workflows.doing import Doing, Outcome
from runner.workflows.engine import Done, Failed
from runner.workflows.expressions import Json


class KnowledgeDoer:
    """Does knowledge_retrieval. Costs nothing."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge

    async def do(self, doing: Doing) -> Outcome:
        """Search one collection."""
        inputs = doing.inputs
        most = cast("int", inputs["top_k"])
        found = await self._knowledge.search(str(inputs["collection"]), str(inputs["query"]), most)
        if isinstance(found, NotFound):
            return Outcome(Failed(found.why))
        passages: list[Json] = [{"text": one.text, "source": one.source, "score": one.score} for one in found]
        return Outcome(Done(passages))
