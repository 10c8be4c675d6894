"""A TCP proxy between one node and one PostgreSQL, through which the network between them is broken.

What it holds back is late, not lost, as with a network that drops packets for a while: TCP sends them again.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine

from cluster import postgres_protocol
from harness.ports import free_port

_CHUNK = 65_536


class _Loop:
    """One event loop in a thread of its own, for all proxies of the process."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, name="proxies", daemon=True).start()

    def run(self, work: Coroutine):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)


_shared: _Loop | None = None


def _loop() -> _Loop:
    global _shared
    _shared = _shared or _Loop()
    return _shared


class _Connection:
    """A client's connection and the one to the server that belongs to it."""

    def __init__(self, client: tuple[asyncio.StreamReader, asyncio.StreamWriter]):
        self.from_client, self.to_client = client
        self.from_server: asyncio.StreamReader | None = None
        self.to_server: asyncio.StreamWriter | None = None
        self.name = ""
        self.tracker = postgres_protocol.ChangeTracker()
        self.is_swallowing = False

    def close(self, is_reset: bool = False) -> None:
        for writer in (self.to_client, self.to_server):
            if writer is None:
                continue
            if is_reset:
                with contextlib.suppress(OSError):
                    # Closing then sends RST.
                    writer.get_extra_info("socket").setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class Proxy:
    """Listens on `port` and passes everything on to the target, until one of the methods below is called.

    Where a method takes `only`, it is the application_name of the connections that are meant; None means all.
    """

    def __init__(self, target: int):
        self.target = target
        self.lost_commit = threading.Event()
        self._connections: set[_Connection] = set()
        self._cut: set[str | None] = set()
        self._delays: dict[str | None, float] = {}
        self._lose: str | None = None
        self._changed = asyncio.Event()
        self._is_closed = False
        self._waiting: asyncio.Task | None = None
        self.port = free_port()
        _loop().run(self._listen())

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _refuse_until_back(self) -> None:
        """Refuses connections as long as the target does: a client then tries its next host, as it would without a
        proxy, which it would not if it were let in and sent away."""
        self._server.close()
        while not self._is_closed:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.target)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.transport.abort()
            await self._listen()
            return

    def cut(self, only: str | None = None) -> None:
        """From the return on, nothing passes; connections stay open and new ones are accepted."""
        _loop().run(self._set(lambda: self._cut.add(only)))

    def delay(self, seconds: float, only: str | None = None) -> None:
        """Every piece of data is passed on that much later, in both directions."""
        _loop().run(self._set(lambda: self._delays.__setitem__(only, seconds)))

    def restore(self) -> None:
        """Everything passes again, what was held back first."""
        _loop().run(self._set(lambda: (self._cut.clear(), self._delays.clear())))

    def reset(self) -> None:
        """Breaks all connections off."""
        _loop().run(self._set(lambda: [each.close(is_reset=True) for each in self._connections]))

    def lose_commit(self, part: str) -> None:
        """The next change that is committed through here loses its `request` or its `response`, and its connection."""
        self.lost_commit.clear()
        self._lose = part

    def pass_commits(self) -> None:
        self._lose = None

    def close(self) -> None:
        """Listens no longer, and breaks all connections off."""
        self._is_closed = True
        _loop().run(self._set(lambda: self._server.close()))
        self.restore()
        self.reset()

    async def _set(self, change) -> None:
        change()
        self._changed.set()
        self._changed = asyncio.Event()

    async def _pass(self, connection: _Connection) -> None:
        """Returns when data of this connection may pass."""
        while None in self._cut or connection.name in self._cut:
            await self._changed.wait()
        delay = max(self._delays.get(None, 0), self._delays.get(connection.name, 0))
        if delay:
            await asyncio.sleep(delay)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection((reader, writer))
        self._connections.add(connection)
        try:
            await self._begin(connection)
            pumps = [asyncio.ensure_future(self._to_server(connection)),
                     asyncio.ensure_future(self._to_client(connection))]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._connections.discard(connection)
            connection.close()

    async def _begin(self, connection: _Connection) -> None:
        """Reads who connects, and connects to the server."""
        while True:
            length = await connection.from_client.readexactly(4)
            packet = length + await connection.from_client.readexactly(struct.unpack("!I", length)[0] - 4)
            if not postgres_protocol.is_encryption_request(packet):
                break
            await self._pass(connection)
            connection.to_client.write(b"N")
        connection.name = postgres_protocol.application_name(packet)
        await self._pass(connection)
        try:
            connection.from_server, connection.to_server = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            if self._waiting is None or self._waiting.done():
                self._waiting = asyncio.ensure_future(self._refuse_until_back())
            raise
        connection.to_server.write(packet)

    async def _to_server(self, connection: _Connection) -> None:
        while True:
            data = await connection.from_client.read(_CHUNK)
            await self._pass(connection)
            if not data:
                return
            if connection.tracker.feed(data) and self._lose is not None:
                part, self._lose = self._lose, None
                if part == "request":
                    self.lost_commit.set()
                    return
                connection.is_swallowing = True
            connection.to_server.write(data)
            await connection.to_server.drain()

    async def _to_client(self, connection: _Connection) -> None:
        while True:
            data = await connection.from_server.read(_CHUNK)
            await self._pass(connection)
            if connection.is_swallowing and (not data or b"COMMIT\0" in data):
                self.lost_commit.set()
                return
            if not data:
                return
            if not connection.is_swallowing:
                connection.to_client.write(data)
                await connection.to_client.drain()
