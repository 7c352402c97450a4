"""A wire to a PostgreSQL that loses what matters most."""

import asyncio


class Thief:
    """A wire to the server that loses one COMMIT, or its answer, and breaks; then it is whole again."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self.steals = ""
        self.port = 0

    async def open_again(self) -> None:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", self.port)

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        stolen = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ask(reader, there, stolen))
            tasks.create_task(self._answer(there_reader, writer, stolen))

    async def _ask(
        self, reader: asyncio.StreamReader, there: asyncio.StreamWriter, stolen: asyncio.Event
    ) -> None:
        try:
            while data := await reader.read(1 << 16):
                if b"COMMIT" in data and self.steals:
                    stolen.set()
                    if self.steals == "request":
                        self.steals = ""
                        there.transport.abort()
                        return
                    self.steals = ""
                there.write(data)
        except OSError:
            pass
        there.close()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stolen: asyncio.Event
    ) -> None:
        try:
            while data := await reader.read(1 << 16):
                if stolen.is_set():
                    break
                writer.write(data)
        except OSError:
            pass
        writer.transport.abort()
