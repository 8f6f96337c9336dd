"""Request bodies that can be sent more than once."""

from edgerouter.http.body import EMPTY, Body, FixedBody


async def buffered(body: Body, limit: int) -> tuple[bytes | None, Body]:
    """Read ``body`` into memory; return its bytes and a body that stands for it.

    Args:
        body: What the client sends.
        limit: Bytes at most; negative for no limit. A longer body gives None, and a body that
            continues behind what has been read.

    Raises:
        ExchangeError: The client broke off.
    """
    if body.length == 0:
        return b"", EMPTY
    if 0 <= limit < (body.length or 0):
        return None, body
    parts: list[bytes] = []
    size = 0
    while data := await body.read():
        parts.append(data)
        size += len(data)
        if 0 <= limit < size:
            return None, PrefixedBody(b"".join(parts), body)
    whole = b"".join(parts)
    replacement = FixedBody(whole)
    replacement.trailers = body.trailers
    return whole, replacement


class PrefixedBody:
    """A body of which a part has been read already."""

    __slots__ = ("_prefix", "_rest", "length", "trailers")

    def __init__(self, prefix: bytes, rest: Body) -> None:
        self._prefix = prefix
        self._rest = rest
        self.length = rest.length
        self.trailers = rest.trailers

    async def read(self) -> bytes:
        if self._prefix:
            prefix, self._prefix = self._prefix, b""
            return prefix
        data = await self._rest.read()
        if not data:
            self.trailers = self._rest.trailers
        return data

    def ready(self) -> bytes | None:
        rest = self._rest.ready()
        if rest is None:
            return None
        prefix, self._prefix = self._prefix, b""
        return prefix + rest

    def close(self) -> None:
        self._prefix = b""
        self._rest.close()
