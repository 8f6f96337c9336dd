"""Messages between the control plane and a worker over a socket pair.

A frame is four bytes of length (big endian) and a JSON object with a ``type``.
End of file on the worker's side is the order to drain: no signal is needed.

Control plane to worker: ``start`` (static configuration, listeners, index),
``snapshot`` (a complete table), ``fence`` (server URLs that get no new
request), ``drain``. Worker to control plane: ``ready`` and ``applied``.
"""

import asyncio
import json
import socket
from typing import Any

Message = dict[str, Any]


def encode(message: Message) -> bytes:
    """Return the frame of ``message``; encode once, send to many."""
    payload = json.dumps(message, separators=(",", ":")).encode()
    return len(payload).to_bytes(4, "big") + payload


class Channel:
    """One end of the pair."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, end: socket.socket) -> "Channel":
        end.setblocking(False)
        return cls(*await asyncio.open_unix_connection(sock=end))

    async def receive(self) -> Message | None:
        """Return the next message, or None when the other side has closed."""
        try:
            size = int.from_bytes(await self._reader.readexactly(4), "big")
            message: Message = json.loads(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        return message

    async def send(self, frame: bytes) -> None:
        """Send an encoded frame; waits while the other side is slow.

        Raises:
            ConnectionError: The other side has gone.
        """
        self._writer.write(frame)
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()
