"""Passes: codes and links by which the operator tells a workflow who somebody is.

    operator ─ issue ─▶ code (six digits, for one user)   ─ by a way that they trust ─▶ user ─ writes it ─▶ auth_gate
                      └▶ token (22 characters, for anybody) ─ in a link, a letter ─▶

Rules: only the hash of a pass is kept; it lets one step of one run through, and that one as often as it is begun again;
after `MOST_TRIES` wrong tries, or at its time, it is worth nothing. Codes are compared in constant time; a token is
looked up by its hash, which gives nothing away.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from dataclasses import asdict, dataclass, replace

from runner.clock import Clock
from runner.workflows.doers.memory import Memories

MOST_TRIES = 3
CODE_DIGITS = 6
_TOKEN_BYTES = 16
_MOST_TOKENS = 5
_CODE_KEY = "pass:code"
_TOKEN = re.compile(r"(?<![\w-])[\w-]{22}(?![\w-])", re.ASCII)
_NOT_OF_A_CODE = re.compile(r"[\s\-.]+")


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass, as it is kept.

    Attributes:
        hash: of what is to be shown.
        identity: who shows it.
        until_ms: Unix ms; later it is worth nothing.
        used_by: the step that it let through; empty: none yet.
        wrong: the turns in which something else was shown.
    """

    hash: str
    identity: str
    until_ms: int
    used_by: str = ""
    wrong: tuple[str, ...] = ()

    def lets(self, step: str, now_ms: int) -> bool:
        """Whether it may let this step through."""
        good = now_ms < self.until_ms and len(self.wrong) < MOST_TRIES
        return self.used_by == step or (good and not self.used_by)


@dataclass(frozen=True, slots=True)
class Issued:
    """What the operator hands on, once: it is nowhere to be read again."""

    text: str
    until_ms: int


class Passes:
    """Issues passes and lets people through on them."""

    def __init__(self, memories: Memories, clock: Clock) -> None:
        self._memories = memories
        self._clock = clock

    async def issue_code(self, bot: str, user: str, identity: str, minutes: int) -> Issued:
        """A code for one user of the bot, in place of the one that they had. `identity`: empty: the user's id."""
        code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
        return await self._issue(bot, user, _CODE_KEY, code, identity or user, minutes)

    async def issue_token(self, bot: str, identity: str, minutes: int) -> Issued:
        """A token for whoever shows it, who is then taken for `identity`."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        return await self._issue(bot, "", _token_key(token), token, identity, minutes)

    async def by_code(self, bot: str, user: str, shown: str, step: str, turn: str) -> str | None:
        """Whom the code that this user shows stands for; None: for nobody. A wrong one counts, once a turn."""
        found = await self._find(bot, user, _CODE_KEY)
        if found is None:
            return None
        if same(found.hash, hashed(plain_code(shown))):
            return await self._let(bot, user, _CODE_KEY, found, step)
        if turn not in found.wrong and len(found.wrong) < MOST_TRIES:
            await self._keep(bot, user, _CODE_KEY, replace(found, wrong=(*found.wrong, turn)))
        return None

    async def by_token(self, bot: str, text: str, step: str) -> str | None:
        """Whom the first good token in this text stands for; None: there is none."""
        for token in _TOKEN.findall(text)[:_MOST_TOKENS]:
            key = _token_key(token)
            found = await self._find(bot, "", key)
            if found is not None and (identity := await self._let(bot, "", key, found, step)) is not None:
                return identity
        return None

    async def tried(self, bot: str, user: str, step: str, turn: str) -> int:
        """Count a wrong try of this step, once a turn; how many there were."""
        key = f"tries:{step}"
        kept = await self._memories.recall(bot, user, key)
        turns = dict.fromkeys([*(json.loads(kept) if kept else []), turn])
        await self._memories.remember(bot, user, key, json.dumps(list(turns)), self._clock.now_ms())
        return len(turns)

    async def _let(self, bot: str, owner: str, key: str, found: Pass, step: str) -> str | None:
        if not found.lets(step, self._clock.now_ms()):
            return None
        if found.used_by != step:
            await self._keep(bot, owner, key, replace(found, used_by=step))
        return found.identity

    async def _issue(self, bot: str, owner: str, key: str, shown: str, identity: str, minutes: int) -> Issued:
        until_ms = self._clock.now_ms() + minutes * 60_000
        await self._keep(bot, owner, key, Pass(hashed(shown), identity, until_ms))
        return Issued(shown, until_ms)

    async def _find(self, bot: str, owner: str, key: str) -> Pass | None:
        text = await self._memories.recall(bot, owner, key)
        if text is None:
            return None
        data = json.loads(text)
        return Pass(**{**data, "wrong": tuple(data["wrong"])})

    async def _keep(self, bot: str, owner: str, key: str, kept: Pass) -> None:
        await self._memories.remember(bot, owner, key, json.dumps(asdict(kept)), self._clock.now_ms())


def hashed(text: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two hashes are equal, in a time that tells nothing."""
    return hmac.compare_digest(one.encode(), other.encode())


def plain_code(text: str) -> str:
    """A code as it is compared: without the spaces and dashes that people put in, letter case aside."""
    return _NOT_OF_A_CODE.sub("", text[:200]).casefold()


def _token_key(token: str) -> str:
    return f"pass:{hashed(token)}"
