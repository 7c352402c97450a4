"""How a turn ends that a test has no interest in."""

from runner.ports.mail import ConversationState, FinishedTurn, Work


def finished(work: Work, now_ms: int) -> FinishedTurn:
    """Answered, in a conversation of its own, and nothing said."""
    return FinishedTurn(
        work.inbox_id,
        work.turn,
        work.bot,
        work.channel,
        work.lane,
        "ada",
        ConversationState(f"c{work.inbox_id}", 0, 0),
        "answered",
        now_ms,
    )
