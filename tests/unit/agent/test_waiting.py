"""Who waits for money, in which order."""

import asyncio

import pytest

from runner.agent import waiting
from runner.agent.waiting import WaitingRoom


async def test_first_come_first_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK_AGAIN_S", 3600)
    room = WaitingRoom()
    served: list[str] = []
    entered = asyncio.Semaphore(0)

    async def wait(name: str) -> None:
        ticket = room.enter("bot:a")
        entered.release()
        assert await room.wait(ticket, 30)
        served.append(name)
        room.leave(ticket)

    async with asyncio.TaskGroup() as group:
        for name in ("one", "two", "three"):
            group.create_task(wait(name), name=name)
            await entered.acquire()
        assert served == []
        room.changed(["bot:a"])
    assert served == ["one", "two", "three"], "each one that leaves wakes the next"
    assert room.crowded(["bot:a"]) is None


def test_a_scope_is_crowded_while_somebody_waits_in_it() -> None:
    room = WaitingRoom()
    assert room.crowded(["bot:a", "wallet"]) is None
    ticket = room.enter("wallet")
    assert room.crowded(["bot:a", "wallet"]) == "wallet"
    assert room.crowded(["bot:a"]) is None
    room.leave(ticket)
    assert room.crowded(["bot:a", "wallet"]) is None


async def test_a_change_elsewhere_wakes_nobody() -> None:
    room = WaitingRoom()
    ticket = room.enter("bot:a")
    room.changed(["bot:b", "nobody"])
    assert not ticket.woken.is_set()
    assert not await room.wait(ticket, 0.01)


async def test_a_change_before_the_wait_is_not_missed() -> None:
    room = WaitingRoom()
    ticket = room.enter("bot:a")
    room.changed(["bot:a"])
    assert await room.wait(ticket, 30)


async def test_the_head_looks_again_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another daemon's holds end without telling us."""
    monkeypatch.setattr(waiting, "LOOK_AGAIN_S", 0.001)
    room = WaitingRoom()
    head, second = room.enter("bot:a"), room.enter("bot:a")
    assert await room.wait(head, 30)
    assert not await room.wait(second, 0.02), "only the head tries"


@pytest.mark.parametrize("timeout_s", [0.0, -1.0])
async def test_without_time_nobody_waits(timeout_s: float) -> None:
    room = WaitingRoom()
    ticket = room.enter("bot:a")
    room.changed(["bot:a"])
    assert not await room.wait(ticket, timeout_s)


async def test_one_in_the_middle_may_leave() -> None:
    room = WaitingRoom()
    first, second, third = (room.enter("bot:a") for _ in range(3))
    room.leave(second)
    assert (room.is_head(first), room.is_head(third)) == (True, False)
    room.leave(first)
    assert room.is_head(third)
    assert await room.wait(third, 30)
