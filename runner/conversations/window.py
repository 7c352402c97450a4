"""What of a history the model sees.

Rules: never more than `max_messages`; when that would be passed the window moves in ONE step to the
low-water mark, so that between two steps what is sent begins with the same bytes and the provider's prompt
cache goes on hitting; what is left is always legal: it starts with a user's message and holds no tool
result without its call. The message being answered is never dropped.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.bots import ConversationRules
from runner.conversations.models import Message, UserMessage


def first_kept(history: Sequence[Message], rules: ConversationRules) -> int:
    """Index of the first message to send; `history` ends with the user message that is being answered.

    The answer is the same for the same history, so a turn that is run again sends the same bytes.
    """
    if len(history) <= rules.max_messages and _starts_legally(history):
        return 0
    target = min(rules.keep_messages, rules.max_messages) if rules.context != "sliding" else rules.max_messages
    if len(history) <= rules.max_messages:
        target = len(history)
    start = max(0, len(history) - target)
    while start < len(history) - 1 and not isinstance(history[start], UserMessage):
        start += 1
    return start


def _starts_legally(history: Sequence[Message]) -> bool:
    return not history or isinstance(history[0], UserMessage)
