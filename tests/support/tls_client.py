"""A TLS client that decides which bytes go together, and speaks of key updates."""

import _ssl
import asyncio
import ctypes
import ssl
from types import TracebackType
from typing import Self

from tests.support.tls import client_context

_LIBRARY = ctypes.CDLL(_ssl.__file__)
_LIBRARY.SSL_key_update.argtypes = [ctypes.c_void_p, ctypes.c_int]
_LIBRARY.SSL_do_handshake.argtypes = [ctypes.c_void_p]


class TlsClient:
    """A connection whose records are made first and sent by ``flush``."""

    def __init__(self, port: int, name: str) -> None:
        self._address = ("127.0.0.1", port)
        self._incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.tls = client_context().wrap_bio(self._incoming, self.outgoing, server_hostname=name)
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(*self._address)
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                await self.flush()
                self._incoming.write(await self._reader.read(65536))
            else:
                await self.flush()
                return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._writer.transport.abort()

    def write(self, data: bytes) -> None:
        """Make a record with ``data``."""
        self.tls.write(data)

    def update_keys(self, *, asks: bool = True) -> None:
        """Make a record that changes our keys, and the server's if it ``asks``."""
        # CPython's object begins with its head and one pointer.
        pointer = ctypes.c_void_p.from_address(id(self.tls._sslobj) + 24)  # type: ignore[attr-defined]
        assert _LIBRARY.SSL_key_update(pointer, int(asks)) == 1
        _LIBRARY.SSL_do_handshake(pointer)

    async def flush(self, *others: bytes) -> None:
        """Send what was made, and ``others`` behind it, at once.

        Raises:
            ConnectionError: The server has cut the connection.
        """
        self._writer.write(b"".join((self.outgoing.read(), *others)))
        await self._writer.drain()

    async def read(self) -> bytes:
        """Return what comes, empty at the end.

        Raises:
            ConnectionError: The server has cut the connection.
        """
        while True:
            try:
                return self.tls.read(65536)
            except ssl.SSLWantReadError:
                await self.flush()
                data = await self._reader.read(65536)
                if not data:
                    return b""
                self._incoming.write(data)
