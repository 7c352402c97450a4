"""The embedded store's SQL: the files beside this one, read as `runner.store.queries` says."""

from __future__ import annotations

from pathlib import Path

from runner.store import queries
from runner.store.queries import Queries

__all__ = ["Queries", "load_queries"]


def load_queries(folder: Path | None = None) -> Queries:
    """All blocks, from the folder `sql` beside this file unless told otherwise. Raises ValueError as there."""
    return queries.load_queries(folder or Path(__file__).parent / "sql")
