"""The store that keeps nothing: the fake that ships, with the same manners as the durable ones."""

from runner.store.memory.store import MemoryStore

__all__ = ["MemoryStore"]
