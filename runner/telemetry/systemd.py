"""What systemd is told: that the daemon is ready, reloads, stops, how it is, and that its loop still goes round.

    READY=1 · RELOADING=1 MONOTONIC_USEC=… · STOPPING=1 · STATUS=one line · WATCHDOG=1

Rules: each message is one datagram to $NOTIFY_SOCKET; without that variable nothing is done; a message that
cannot be delivered at once is dropped, for the daemon never waits for its supervisor and never fails by it. The
watchdog is fed by a task of the event loop and by nothing else: a loop that is stuck stops feeding, and systemd
ends it with SIGABRT and starts it again.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from runner.clock import Clock
from runner.ports.notifier import Notifier

LONGEST_STATUS = 500
"""Characters: systemctl shows one line, and a datagram must not be refused for its size."""
_US_PER_S = 1_000_000


class NotifySocket:
    """Where a service tells its manager how it is.

    Args:
        address: a path, or `@name` for a socket of Linux's abstract kind.
    """

    def __init__(self, address: str) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def send(self, *lines: str) -> None:
        """Send the lines as one message; what cannot be sent at once is dropped."""
        with (
            suppress(OSError, ValueError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender,
        ):
            sender.sendto("\n".join(lines).encode(), self._address)


class SystemdNotifier:
    """A `runner.ports.notifier.Notifier` that tells systemd."""

    def __init__(self, door: NotifySocket, clock: Clock) -> None:
        self._door = door
        self._clock = clock
        self._told = ""

    def ready(self) -> None:
        """It serves (again)."""
        self._door.send("READY=1")

    def reloading(self) -> None:
        """A reload begins. The time tells systemd 253 and newer which reload this is."""
        self._door.send("RELOADING=1", f"MONOTONIC_USEC={int(self._clock.monotonic() * _US_PER_S)}")

    def stopping(self) -> None:
        """It ends what it is doing."""
        self._door.send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`; the same again is not sent."""
        line = " ".join(text.split())[:LONGEST_STATUS]
        if line != self._told:
            self._told = line
            self._door.send(f"STATUS={line}")


class NobodyToNotify:
    """A `runner.ports.notifier.Notifier` where no manager listens."""

    def ready(self) -> None:
        """Nobody hears it."""

    def reloading(self) -> None:
        """Nobody hears it."""

    def stopping(self) -> None:
        """Nobody hears it."""

    def status(self, text: str) -> None:
        """Nobody hears it."""


class Watchdog:
    """Shows systemd that the event loop goes round.

    Args:
        every_s: half the time after which systemd gives the daemon up, seconds.
    """

    def __init__(self, door: NotifySocket, clock: Clock, every_s: float) -> None:
        self._door = door
        self._clock = clock
        self._every_s = every_s

    async def run(self) -> None:
        """Feed it for ever, once in `every_s`."""
        while True:
            self._door.send("WATCHDOG=1")
            await self._clock.sleep(self._every_s)


@dataclass(frozen=True, slots=True)
class Supervised:
    """What this process's environment says of its manager.

    Attributes:
        notifier: tells systemd, or nobody.
        watchdog: None where systemd does not ask for one.
    """

    notifier: Notifier
    watchdog: Watchdog | None = None

    @property
    def nobody(self) -> bool:
        """Whether nobody listens."""
        return isinstance(self.notifier, NobodyToNotify)


def supervised(environ: Mapping[str, str], pid: int, clock: Clock) -> Supervised:
    """Who watches over this process. `pid`: ours; a watchdog of another process is not ours to feed."""
    address = environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in {"/", "@"}:
        return Supervised(NobodyToNotify())
    door = NotifySocket(address)
    every_s = watchdog_s(environ, pid)
    return Supervised(
        SystemdNotifier(door, clock), None if every_s is None else Watchdog(door, clock, every_s)
    )


def watchdog_s(environ: Mapping[str, str], pid: int) -> float | None:
    """How often to feed the watchdog, seconds: twice in the time that systemd allows. None: it does not ask."""
    try:
        allowed_us = int(environ["WATCHDOG_USEC"])
        of = int(environ.get("WATCHDOG_PID", pid))
    except (KeyError, ValueError):
        return None
    return allowed_us / _US_PER_S / 2 if allowed_us > 0 and of == pid else None
