"""The daemons of a PostgreSQL store. A `runner.ports.fleet.Fleet`.

Rules: looking for the dead is one statement on the control session where there are none, and looks at the next
`NEIGHBOURS` only, so that it costs the same in a large fleet; nobody is taken for dead while we have only just come
back ourselves (`GRACE_S`), for after the server was away all come back at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.clock import Clock
from runner.ports.fleet import HUNG_S, Burial, DaemonLine, News, NewsKind
from runner.ports.stores import Recovery
from runner.store.hearing import Ear, Ears
from runner.store.postgres.burying import bury, end_nobodys
from runner.store.postgres.control import Control
from runner.store.queries import Queries

NEIGHBOURS = 16
"""How many others a daemon looks after: those with the next numbers, in a ring."""
_ALL = 2**31 - 1
_LOOKS = 40
_LOOK_AGAIN_S = 0.05


class PostgresFleet:
    """Several daemons on one database.

    Args:
        ears: the same that `control` tells.
        silent_s: who has been silent for so long, while the server was up, is believed to be gone by newcomers, too.
    """

    def __init__(
        self, control: Control, ears: Ears, clock: Clock, sql: Queries, silent_s: float = HUNG_S
    ) -> None:
        self._control = control
        self._ears = ears
        self._clock = clock
        self._sql = sql
        self._silent_s = silent_s

    @property
    def daemon(self) -> int:
        """Our number; 0 before `Store.open`."""
        return self._control.number

    def now_ms(self) -> int:
        """The server's clock."""
        return self._control.now_ms()

    async def report(self, facts: str) -> None:
        """As the port says."""
        await self._control.fetch(self._sql["report_facts"], self.daemon, facts)

    async def daemons(self) -> list[DaemonLine]:
        """As the port says."""
        return [DaemonLine(*row) for row in await self._control.fetch(self._sql["daemons"])]

    async def bury(self) -> Burial:
        """As the port says."""
        gone = await self._gone()
        return await self._bury(gone) if gone else Burial()

    async def recover(self) -> Recovery:
        """As `Store.recover`: what the dead left, and what is nobody's. Whoever has just left is waited for."""
        found = await self._control.write(lambda connection: end_nobodys(connection, self._sql))
        for _ in range(_LOOKS):
            gone = await self._gone(_ALL)
            if not gone:
                break
            burial = await self._bury(gone)
            found = Recovery(
                found.holds_unknown + burial.holds_unknown,
                found.sends_again + burial.sends_again,
                found.sends_unknown + burial.sends_unknown,
            )
            if set(gone) - set(burial.daemons):
                await self._clock.sleep(_LOOK_AGAIN_S)
        return found

    async def tell(self, news: Sequence[News]) -> None:
        """As the port says."""
        await self._control.tell_others(*news)

    def listen(self) -> Ear:
        """As the port says."""
        return self._ears.listen()

    async def _gone(self, neighbours: int = NEIGHBOURS) -> list[int]:
        """Of the next so many daemons those whose lock is free."""
        control = self._control
        silent_ms = int(self._silent_s * 1000)
        asked = (control.number, control.is_steady, silent_ms, neighbours)
        rows = await control.fetch(self._sql["gone"], *asked)
        return [row[0] for row in rows]

    async def _bury(self, gone: list[int]) -> Burial:
        burial = await self._control.write(lambda connection: bury(connection, self._sql, gone))
        if burial.daemons:
            await self.tell([News(NewsKind.DAEMONS)])
        return burial
