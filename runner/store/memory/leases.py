"""The leases of the memory store. Plain Python; no call waits."""

from __future__ import annotations

from runner.ports.stores import Lease
from runner.store.rules import next_lease


class Leases:
    """Names and who holds them."""

    def __init__(self) -> None:
        self._leases: dict[str, Lease] = {}

    def lease(self, wanted: Lease, now_ms: int) -> Lease | None:
        """As `Store.lease`; the epoch of `wanted` is ignored."""
        lease = next_lease(self._leases.get(wanted.name), wanted, now_ms)
        if lease is not None:
            self._leases[wanted.name] = lease
        return lease

    def release(self, name: str, holder: str) -> None:
        """As `Store.release`."""
        lease = self._leases.get(name)
        if lease is not None and lease.holder == holder:
            self._leases[name] = Lease(name, "", lease.epoch, 0)

    def void(self, holder: str) -> None:
        """Let go of all that it holds."""
        for name in [name for name, lease in self._leases.items() if lease.holder == holder]:
            self.release(name, holder)
