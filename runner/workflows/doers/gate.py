"""auth_gate: goes on at `verified` for a user who is known, else at `denied`.

    allow_list   the user's id is one of `allow`
    code         asks; the answer is the code that was sent: the one in the node's `code` (a tool sent it), else the one
                 that the operator issued for this user
    link         the message, else the answer, holds a token that the operator issued

Rules: `verified_identity` is set for who is known and taken away from who is not; codes are compared in constant time;
three wrong answers are one too many; nobody waits longer than `ANSWER_WITHIN_MS`.
"""

from __future__ import annotations

from runner.clock import Clock
from runner.workflows.doers.passes import MOST_TRIES, Passes, hashed, plain_code, same
from runner.workflows.doing import Doing, Outcome
from runner.workflows.engine import Done, Failed, Paused
from runner.workflows.nodes.talking import DENIED, VERIFIED
from runner.workflows.state import Wait

ANSWER_WITHIN_MS = 15 * 60_000
IDENTITY = "verified_identity"
ASK_CODE = "Please write the code that you were sent."
ASK_LINK = "Please paste the link that you were sent."
WRONG = "That is not right. Please try again."
NO_MORE = "That is not right either. I could not verify you."


class GateDoer:
    """Does auth_gate."""

    def __init__(self, passes: Passes, clock: Clock) -> None:
        self._passes = passes
        self._clock = clock

    async def do(self, doing: Doing) -> Outcome:
        """Let the user through, ask them, or turn them away."""
        match doing.inputs["mode"]:
            case "allow_list":
                allowed = doing.inputs["allow"]
                known = isinstance(allowed, list) and doing.user in allowed
                return _verified(doing.user) if known else _denied()
            case "code":
                return await self._code(doing)
            case _:
                return await self._link(doing)

    async def _code(self, doing: Doing) -> Outcome:
        sent = doing.inputs.get("code")
        if sent is not None and not plain_code(str(sent)):
            return Outcome(Failed("there is no code to ask for: `code` is empty"))
        if doing.reply is None:
            return self._asking(doing, ASK_CODE)
        if sent is None:
            step = _step(doing)
            identity = await self._passes.by_code(doing.bot.id, doing.user, doing.reply, step, doing.turn)
        else:
            right = same(hashed(plain_code(str(sent))), hashed(plain_code(doing.reply)))
            identity = doing.user if right else None
        return await self._wrong(doing) if identity is None else _verified(identity)

    async def _link(self, doing: Doing) -> Outcome:
        shown = doing.message.text if doing.reply is None else doing.reply
        identity = await self._passes.by_token(doing.bot.id, shown, _step(doing))
        if identity is not None:
            return _verified(identity)
        return self._asking(doing, ASK_LINK) if doing.reply is None else await self._wrong(doing)

    async def _wrong(self, doing: Doing) -> Outcome:
        tries = await self._passes.tried(doing.bot.id, doing.user, _step(doing), doing.turn)
        return _denied(NO_MORE) if tries >= MOST_TRIES else self._waiting(WRONG)

    def _asking(self, doing: Doing, usual: str) -> Outcome:
        return self._waiting(str(doing.inputs["text"] or "") or usual)

    def _waiting(self, say: str) -> Outcome:
        until_ms = self._clock.now_ms() + ANSWER_WITHIN_MS
        return Outcome(Paused(Wait("reply", until_ms)), say=(say,))


def _step(doing: Doing) -> str:
    """The doing of this node, for ever."""
    return f"{doing.run}.{doing.key}"


def _verified(identity: str) -> Outcome:
    return Outcome(Done(handle=VERIFIED, variables={IDENTITY: identity}))


def _denied(*say: str) -> Outcome:
    return Outcome(Done(handle=DENIED, removed=(IDENTITY,)), say=say)
