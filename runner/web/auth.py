"""Who may call the admin API: bearer tokens, HS256, with a scope and an end.

Rules: only HS256 is taken, whatever a token's header says; `admin` may do what `read` may; the secret is the
operator's or, where none is set, one that is made at the first start and kept 0600 in the state folder. Daemons that
share a store have one secret, the first one's: it is kept there, and each keeps a copy in its own folder, so that
commands beside it need no store.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runner.bots import Secret
from runner.clock import UnixMs
from runner.errors import OperatorError
from runner.lean import without
from runner.ports.sharing import SharedValues

Scope = Literal["admin", "read"]
SCOPES: tuple[Scope, ...] = ("admin", "read")
_ALGORITHM = "HS256"
SECRET_FILE = "jwt.secret"  # noqa: S105 - a file's name
_SECRET_KEY = "server/jwt"  # noqa: S105 - a value's name
_SHORTEST = 32
"""Bytes: what is shorter is what a crash left of one, and is made anew."""
_SECONDS_PER_DAY = 86_400


class NoEntry(Exception):
    """A token that opens nothing. `status` is 401 (who are you?) or 403 (not with this scope)."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def load_secret(state_dir: Path, configured: Secret | None) -> bytes:
    """The signing secret: the operator's, else the kept one, else a new one that is kept.

    Raises:
        OperatorError: the kept one cannot be read or made.
    """
    if configured is not None:
        return configured.reveal().encode()
    path = state_dir / SECRET_FILE
    with _keeping(path):
        return _kept(path) or _made(path)


async def load_shared_secret(
    values: SharedValues, state_dir: Path, configured: Secret | None, now_ms: UnixMs
) -> bytes:
    """As `load_secret`, the same for all daemons of a store.

    Raises:
        OperatorError: no copy of it can be kept.
        StoreError: the store does not tell.
    """
    own = load_secret(state_dir, configured)
    if configured is not None:
        return own
    shared = bytes.fromhex(await values.put_new(_SECRET_KEY, own.hex(), now_ms))
    if shared != own:
        path = state_dir / SECRET_FILE
        with _keeping(path), _written(path, shared) as fresh:
            fresh.replace(path)
    return shared


async def find_shared_secret(values: SharedValues, now_ms: UnixMs) -> bytes | None:
    """The secret of the daemons of a store; None: none has been started on it. Raises StoreError."""
    shared = await values.value(_SECRET_KEY, now_ms)
    return None if shared is None else bytes.fromhex(shared)


@contextmanager
def _keeping(path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise OperatorError(
            f"the token secret {path} cannot be kept: {error.strerror}",
            "Give the daemon a state folder that it may write to ($BOTRUNNER_STATE).",
        ) from error


def _kept(path: Path) -> bytes | None:
    """The secret that is there; None where there is none, or only a piece of one."""
    try:
        kept = path.read_bytes().strip()
    except FileNotFoundError:
        return None
    return kept if len(kept) >= _SHORTEST else None


def _made(path: Path) -> bytes:
    """A new secret, in place in one step; another's, where another process was faster."""
    made = secrets.token_hex(32).encode()
    with _written(path, made) as fresh:
        try:
            path.hardlink_to(fresh)
        except OSError:  # there is one already, if only a piece; or this file system knows no links
            kept = _kept(path)
            if kept is not None:
                return kept
            fresh.replace(path)
    return made


@contextmanager
def _written(path: Path, secret: bytes) -> Iterator[Path]:
    """A file beside that path with the secret in it, for as long as it is needed."""
    fresh = path.with_suffix(f".{secrets.token_hex(4)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        yield fresh
    finally:
        fresh.unlink(missing_ok=True)


def make_token(secret: bytes, scope: Scope, days: int, now_s: int) -> str:
    """A bearer token that is good for so many days."""
    _load_library()
    import jwt  # noqa: PLC0415 - as said there

    claims = {"scope": scope, "iat": now_s, "exp": now_s + days * _SECONDS_PER_DAY}
    return jwt.encode(claims, secret, algorithm=_ALGORITHM)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token opens, and until when, in Unix seconds."""

    scope: Scope
    ends_s: int


def check_token(secret: bytes, header: str, needed: Scope) -> Grant:
    """What the token in an `Authorization` header opens; raises NoEntry where that is not enough."""
    _load_library()
    import jwt  # noqa: PLC0415 - as said there

    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NoEntry(401, "send a bearer token; `botrunner token` makes one")
    try:
        # When it was made does not matter: a clock that was set back must not lock its operator out.
        claims = jwt.decode(
            token.strip(),
            secret,
            algorithms=[_ALGORITHM],
            options={"require": ["exp", "scope"], "verify_iat": False},
        )
    except (jwt.InvalidTokenError, UnicodeError) as error:  # a header's bytes need not be text
        raise NoEntry(401, f"the token is not good: {type(error).__name__}") from error
    if claims["scope"] not in SCOPES or (needed == "admin" and claims["scope"] != "admin"):
        raise NoEntry(403, "the token's scope does not allow this")
    return Grant(claims["scope"], int(claims["exp"]))


def _load_library() -> None:
    """PyJWT, not before somebody calls the admin API, without 20 MiB for algorithms that are not taken here."""
    if "jwt" not in sys.modules:  # hiding is for all threads: no oftener than needed
        with without("cryptography"):
            import jwt  # noqa: F401, PLC0415
