"""Which of a provider's recent batches is ours, after a submission whose answer never came. Pure.

    it bears our mark            ours
    it bears another mark        another's
    it bears none, as many lines not to be told until it has ended: its first line's name tells
    nothing                      not there, as far as the provider knows now

Rule: what may be ours is never submitted again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from runner.ports.batch_server import RemoteBatch, RemoteState


@dataclass(frozen=True, slots=True)
class Ours:
    """This is it."""

    remote: RemoteBatch


@dataclass(frozen=True, slots=True)
class Open:
    """Batches that may be ours; of those in `ended` the first line can be looked at."""

    waiting: tuple[RemoteBatch, ...]
    ended: tuple[RemoteBatch, ...]


@dataclass(frozen=True, slots=True)
class Nowhere:
    """None of them is ours."""


Found = Ours | Open | Nowhere


def find(recent: Iterable[RemoteBatch], mark: str, lines: int, others: Collection[str]) -> Found:
    """Look for the batch of that mark and size. `others`: names of batches that are known to be no answer."""
    possible = []
    for remote in recent:
        if remote.ours == mark:
            return Ours(remote)
        is_alike = not remote.ours and remote.total in (0, lines)
        if is_alike and remote.id not in others and remote.state is not RemoteState.FAILED:
            possible.append(remote)
    ended = tuple(remote for remote in possible if remote.state is RemoteState.ENDED)
    waiting = tuple(remote for remote in possible if remote.state is not RemoteState.ENDED)
    return Open(waiting, ended) if possible else Nowhere()
