"""A wire to a server that can be cut and mended: each daemon in a test has its own."""

import asyncio
from contextlib import suppress


class Relay:
    """Passes bytes on to a port of this machine, both ways."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._wires: set[asyncio.StreamWriter] = set()
        self._is_cut = False
        self.port = 0

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """All connections end, at both sides, and none is made."""
        self._is_cut = True
        for wire in tuple(self._wires):
            wire.transport.abort()

    def mend(self) -> None:
        self._is_cut = False

    def _is_whole(self) -> bool:
        return not self._is_cut

    async def close(self) -> None:
        self.cut()
        if self._server is not None:
            self._server.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._is_whole():
            writer.transport.abort()
            return
        there_reader, there = await asyncio.open_connection("127.0.0.1", self._target)
        wires = {writer, there}
        self._wires |= wires
        if not self._is_whole():  # cut meanwhile
            self.cut()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_copy(reader, there))
                tasks.create_task(_copy(there_reader, writer))
        finally:
            self._wires -= wires


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()
