"""Promise: without DNS a bot is down and says why, who asks is told at once, nothing is spent; then it goes on.

The daemon knows platform and model by a name; the machine's resolver finds none, and later it does.
"""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.money.reservation import ReservationState
from runner.ports.books import LedgerFilter
from runner.ports.observer import ConnectionChanged
from tests.faults.reload_house import ADA, house

pytestmark = pytest.mark.faults

NAME = "somewhere.test"
"""No such name is ever given to anybody."""


class Resolver:
    """In the place of the machine's."""

    def __init__(self) -> None:
        self.gone = True
        self.asked = 0
        self._real: Callable[..., Any] = socket.getaddrinfo

    def __call__(self, host: str | bytes | None, *more: Any, **others: Any) -> Any:
        if host not in {NAME, NAME.encode()}:
            return self._real(host, *more, **others)
        self.asked += 1
        if self.gone:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return self._real("127.0.0.1", *more, **others)


async def test_without_dns_and_with_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    async with house(tmp_path, host=NAME) as home:
        home.telegram.account(ADA).say("is anybody there?")
        while not (down := [e for e in home.observer.of(ConnectionChanged) if e.state == "down"]):
            await home.observer.until(ConnectionChanged, len(home.observer.of(ConnectionChanged)) + 1)
        assert "name" in down[0].why.lower() or "dns" in down[0].why.lower(), down[0].why

        status, told = await home.ask("hello")
        assert (status, told["stop_reason"]) == (200, "provider_error")
        rows = [row async for row in home.daemon.store.ledger(LedgerFilter())]
        assert {row.state for row in rows} == {ReservationState.RELEASED}, (
            "nothing was sent, nothing is taken"
        )
        print(f"{len(rows)} attempts, told: {rows[0].why!r}; Telegram: {down[0].why!r}")
        assert len(rows) <= 4
        assert home.model.bill == []

        resolver.gone = False
        await home.telegram.account(ADA).replies(1)
        assert (await home.ask("hello again"))[1]["stop_reason"] == "answered"
        assert len(home.model.bill) == 2
