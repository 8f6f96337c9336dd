"""Finds request heads in a stream of bytes and has aiohttp's C parser read them.

The parser is fed up to the end of a head and not further: bodies are framed by
``proxy/framing.py``, which keeps trailers and lets the reader pull.
"""

import asyncio
from typing import Any

from aiohttp import http_exceptions
from aiohttp.http_parser import HttpRequestParser

from edgerouter.http.errors import BadRequest, ExchangeError, HeadTooLarge

MAX_FIELDS = 500
"""Header fields in one head."""


class HeadParser:
    """The heads of one connection, one after the other."""

    __slots__ = ("_limit", "_parser", "_tail", "size")

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: int) -> None:
        self._limit = limit
        self._parser: Any = HttpRequestParser(
            None,
            loop,
            65536,
            max_line_size=limit,
            max_field_size=limit,
            max_headers=MAX_FIELDS,
            response_with_body=False,
            auto_decompress=False,
        )
        self.size = 0
        """Bytes of the current head so far; 0 between heads."""
        self._tail = b""

    def feed(self, data: bytes) -> tuple[Any, bytes] | None:
        """Return aiohttp's message and what came behind it, or None when more is needed.

        Raises:
            ExchangeError: The bytes are not a head (RFC 9112, sections 2 to 5), or too many.
        """
        while data:
            end = self._end(data)
            rest = b""
            if 0 < end < len(data):
                data, rest = data[:end], data[end:]
            self.size += len(data)
            if self.size > self._limit:
                message = "the request head is larger than maxHeaderBytes"
                raise HeadTooLarge(message)
            if not end:
                self._tail = (self._tail + data)[-3:]
            try:
                messages, _, _ = self._parser.feed_data(data)
            except Exception as error:
                raise _translated(error) from error
            if end:
                self.size = 0
                self._tail = b""
            if messages:
                if not end:
                    message = "the request head does not end with CRLF CRLF"
                    raise BadRequest(message)
                return messages[0][0], rest
            data = rest  # Empty lines before a request line (RFC 9112, section 2.2).
        return None

    def _end(self, data: bytes) -> int:
        """Return where in ``data`` the head ends, 0 when it does not."""
        if not self.size:
            position = data.find(b"\r\n\r\n")
            return position + 4 if position >= 0 else 0
        # The end may straddle what has been fed before.
        position = (self._tail + data).find(b"\r\n\r\n")
        return position + 4 - len(self._tail) if position >= 0 else 0


def _translated(error: Exception) -> ExchangeError:
    """Return one of our errors for whatever hostile bytes make the parser raise."""
    if isinstance(error, http_exceptions.LineTooLong) or "Too many headers" in str(error):
        return HeadTooLarge("the request line or a field is too long, or there are too many fields")
    text = str(getattr(error, "message", "") or error).partition("\n")[0].rstrip(":")
    return BadRequest(text)
