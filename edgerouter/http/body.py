"""Message bodies are pulled: reading is what lets the peer send."""

from typing import Protocol

from edgerouter.http.headers import Headers

NO_TRAILERS = Headers()


class Body(Protocol):
    """A message body that is read once, from front to end."""

    length: int | None
    """Bytes in all if the sender announced it; None when only the end will tell."""

    trailers: Headers
    """Trailer fields (RFC 9110, section 6.5); complete after the end was read."""

    async def read(self) -> bytes:
        """Return the next bytes, an empty string at the end.

        Raises:
            ExchangeError: The peer broke off.
        """
        ...

    def ready(self) -> bytes | None:
        """Return all that remains if it has arrived in full, else None; never waits."""
        ...

    def close(self) -> None:
        """Stop; what is unread is dropped. Safe to call twice and after the end."""
        ...


class FixedBody:
    """A body that is in memory from the start."""

    __slots__ = ("_data", "length", "trailers")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.length: int | None = len(data)
        self.trailers = NO_TRAILERS

    async def read(self) -> bytes:
        data, self._data = self._data, b""
        return data

    def ready(self) -> bytes | None:
        data, self._data = self._data, b""
        return data

    def close(self) -> None:
        self._data = b""


EMPTY = FixedBody(b"")
"""The body of a message without one; it has no state, so all share it."""
