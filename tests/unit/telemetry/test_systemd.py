"""What systemd hears, over a real socket; and that a loop which is stuck does not feed its watchdog."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.telemetry.systemd import (
    LONGEST_STATUS,
    NobodyToNotify,
    NotifySocket,
    SystemdNotifier,
    supervised,
    watchdog_s,
)
from runner.testing.clock import ManualClock

PID = 4711


class Manager:
    """systemd's side: what came, message by message."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)

    def heard(self) -> list[str]:
        """All that has come; a datagram is here when its sender goes on."""
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify"))
    yield manager
    manager.close()


def at(manager: Manager, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": manager.address, **more}


def test_the_life_of_a_daemon(manager: Manager) -> None:
    clock = ManualClock()
    notifier = supervised(at(manager), PID, clock).notifier
    notifier.ready()
    clock.advance(0.25)
    notifier.reloading()
    notifier.ready()
    notifier.stopping()
    assert manager.heard() == [
        "READY=1",
        "RELOADING=1\nMONOTONIC_USEC=1000250000",
        "READY=1",
        "STOPPING=1",
    ]


def test_a_status_is_one_line_and_told_once(manager: Manager) -> None:
    notifier = SystemdNotifier(NotifySocket(manager.address), ManualClock())
    notifier.status("2 bots up,\nREADY=1\r\n  1 refused")
    notifier.status("2 bots up, READY=1 1 refused")
    notifier.status("é" * 2000)
    one_line, long = manager.heard()
    assert one_line == "STATUS=2 bots up, READY=1 1 refused", "no line of it is taken for another message"
    assert long == f"STATUS={'é' * LONGEST_STATUS}"


def test_an_abstract_socket(tmp_path: Path) -> None:
    manager = Manager(f"@botrunner-test-{tmp_path.name}-{id(tmp_path)}")
    try:
        supervised(at(manager), PID, ManualClock()).notifier.ready()
        assert manager.heard() == ["READY=1"]
    finally:
        manager.close()


def test_without_a_manager_nobody_is_told() -> None:
    for environ in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234", "WATCHDOG_USEC": "1000000"}):
        found = supervised(environ, PID, ManualClock())
        assert isinstance(found.notifier, NobodyToNotify)
        assert found.watchdog is None


@pytest.mark.parametrize("address", ["/", "/nobody/listens/here", f"/{'long' * 100}", "/nul\0byte"])
def test_a_manager_who_cannot_be_reached_is_no_fault(address: str) -> None:
    notifier = SystemdNotifier(NotifySocket(address), ManualClock())
    notifier.ready()
    notifier.status("well")


def test_a_manager_who_does_not_listen_is_not_waited_for(manager: Manager) -> None:
    """The socket's queue is full: what comes then is dropped, at once."""
    door = NotifySocket(manager.address)
    sent = 10_000
    for _ in range(sent):
        door.send("WATCHDOG=1")
    assert 0 < len(manager.heard()) < sent


@pytest.mark.parametrize(
    ("environ", "every_s"),
    [
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(PID)}, 15.0),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "x"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_how_often_the_watchdog_is_fed(environ: dict[str, str], every_s: float | None) -> None:
    assert watchdog_s(environ, PID) == every_s


async def test_a_loop_that_goes_round_feeds_and_a_stuck_one_does_not(manager: Manager) -> None:
    clock = ManualClock()
    found = supervised(at(manager, WATCHDOG_USEC="30000000"), PID, clock)
    assert found.watchdog is not None
    async with asyncio.TaskGroup() as tasks:
        feeding = tasks.create_task(found.watchdog.run())
        for _ in range(3):
            await clock.asleep()
            assert manager.heard() == ["WATCHDOG=1"]
            clock.advance(15.0)
        await clock.asleep()
        manager.heard()
        for _ in range(4):  # time goes by, and the loop is not let go round: this very task holds it
            clock.advance(15.0)
        assert manager.heard() == []
        await clock.asleep()
        assert manager.heard() == ["WATCHDOG=1"], "it is fed again when the loop goes round again"
        feeding.cancel()
