"""The offline provider: answers without a key, a network or a model, and says so.

Rule: its usage is made up, always the same for the same request, and never above the bound that was held
for it: four bytes make a token. It honours the output limit.
"""

from __future__ import annotations

import json

from runner.conversations.models import UserMessage, message_to_json
from runner.money.amounts import ceil_div
from runner.money.estimate import RequestSize
from runner.money.usage import Usage
from runner.ports.dialogue import FinishReason, ModelReply, ModelRequest
from runner.ports.outcomes import Completed, Outcome
from runner.ports.provider import Hear, Prepared

BYTES_PER_TOKEN = 4
OFFLINE = "(echo: offline, no model was asked)"


class EchoProvider:
    """Says what it was told."""

    def prepare(self, request: ModelRequest) -> Prepared:
        """Keep what the user said last; everything counts for the size."""
        heard = next((m.text for m in reversed(request.messages) if isinstance(m, UserMessage)), "")
        system = json.dumps(request.system, ensure_ascii=False)
        text = "\n".join([system, *map(message_to_json, request.messages)])
        return Prepared(body=heard, size=RequestSize(text=text, messages=1 + len(request.messages)))

    async def complete(
        self, prepared: Prepared, max_output_tokens: int, timeout_s: float, hear: Hear | None = None
    ) -> Outcome:
        """Answer at once."""
        whole = f"You said: {prepared.body}\n{OFFLINE}".encode("utf-8", "replace")
        said = whole[: max_output_tokens * BYTES_PER_TOKEN]
        cut = len(said) < len(whole)
        usage = Usage(
            input_tokens=ceil_div(len(prepared.size.text.encode("utf-8", "replace")), BYTES_PER_TOKEN),
            output_tokens=ceil_div(len(said), BYTES_PER_TOKEN),
        )
        finish = FinishReason.LENGTH if cut else FinishReason.END
        if hear is not None:
            hear(said.decode("utf-8", "ignore"))
        return Completed(ModelReply(said.decode("utf-8", "ignore"), finish=finish), usage)

    async def close(self) -> None:
        """Nothing to let go of."""
