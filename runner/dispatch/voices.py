"""What a turn says before its end.

    text ─▶ parts ─▶ stored together with the step that says it ─▶ outbox

Rules: a part's key is that of its step, so that a turn begun again would say the same under the same key; where the
platform collects its answers, or another bot waits for this one's, nothing is said before the end: it is joined then.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.messages import OutboundMessage, outbound_to_json
from adapters.text import split
from runner.dispatch.outbox import Outbox
from runner.dispatch.scene import Scene
from runner.ports.mail import Filed, NewOutbound, OutboxState, Outgoing


class TurnVoice:
    """Says the texts of one turn."""

    __slots__ = ("_outbox", "_scene")

    def __init__(self, scene: Scene, outbox: Outbox) -> None:
        self._scene = scene
        self._outbox = outbox

    @property
    def collects(self) -> bool:
        """Whether all is said at the turn's end."""
        return self._scene.capabilities.collects or self._scene.askers is not None

    def rows(self, texts: Sequence[str], step: int) -> tuple[tuple[NewOutbound, ...], OutboxState]:
        """What is stored with that step, and in which state."""
        scene = self._scene
        if self.collects or not texts:
            return (), OutboxState.PENDING
        work, message, can = scene.work, scene.message, scene.capabilities
        parts = [part for text in texts for part in split(text, can.max_text, can.text_units)]
        rows = tuple(
            NewOutbound(
                work.bot,
                work.channel,
                message.chat.place,
                outbound_to_json(
                    OutboundMessage(
                        key=f"{work.turn}.{step}s{number}",
                        chat=message.chat,
                        text=part,
                        in_reply_to=message.event_id if scene.errand is None else None,
                        details=message.details,
                    )
                ),
            )
            for number, part in enumerate(parts, 1)
        )
        return rows, self._outbox.first_state(work.bot, work.channel, message.chat.place, len(rows))

    def stored(self, filed: Sequence[Filed], rows: Sequence[NewOutbound]) -> None:
        """Hand on what was stored."""
        if not rows:
            return
        inbox = self._scene.work.inbox_id
        self._outbox.take(
            [
                Outgoing(part.id, inbox, o.bot, o.channel, o.place, o.payload, part.state, tries=1)
                for part, o in zip(filed, rows, strict=True)
            ]
        )
