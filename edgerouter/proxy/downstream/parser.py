"""Finds request heads in a stream of bytes and has them read.

Common heads are read by ``common_head.py``, all others by aiohttp's C parser. It is
fed whole heads and nothing else: bodies are framed by ``proxy/framing.py``, which
keeps trailers and lets the reader pull. What the C parser is too narrow for is read
by ``plain_head.py``.
"""

import asyncio
import re
from typing import Any

from aiohttp import http_exceptions
from aiohttp.http_parser import HttpRequestParser

from edgerouter.http.errors import BadRequest, ExchangeError, HeadTooLarge
from edgerouter.proxy.downstream import common_head, plain_head
from edgerouter.proxy.downstream.common_head import Head

_END_AS_TRAEFIK = re.compile(rb"\n\r?\n").search
_LINE = re.compile(rb"[^ \r\n]+ [^ \r\n]+ HTTP/[0-9.]+\r?\n").match
_LINE_BEGUN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]*(?: [^\r\n]*)?\r?").fullmatch
_ILLEGAL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r[^\n]|(?<!\r)\n").search
_ILLEGAL_AS_TRAEFIK = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r[^\n]").search
_TOO_NARROW = (
    http_exceptions.BadHttpMethod,
    http_exceptions.InvalidURLError,
    http_exceptions.BadStatusLine,
)
"""How the C parser refuses a method or a target that it does not know."""
_TWICE = "Duplicate '"
"""How it refuses fields that come twice: those that frame, but `User-Agent` and others as well."""
_SPACE, _H, _CR = b" H\r"


class HeadParser:
    """The heads of one connection, one after the other."""

    __slots__ = (
        "_as_traefik",
        "_least",
        "_limit",
        "_line_seen",
        "_loop",
        "_parser",
        "_partial",
        "size",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limit: int,
        *,
        as_traefik: bool = False,
        least: int = 0,
    ) -> None:
        self._loop = loop
        self._limit = limit
        self._as_traefik = as_traefik
        """Whether to take what Go's server takes, too."""
        self._least = least
        """Bytes of a first head before which nothing is said of it."""
        self._partial = bytearray()
        self._line_seen = False
        """Whether the request line of ``_partial`` is complete and has been looked at."""
        self._parser: Any = self._new_parser()
        self.size = 0
        """Bytes of the current head so far; 0 between heads."""

    def feed(self, data: bytes) -> tuple[Head, bytes] | None:
        """Return a head and what came behind it, or None when more is needed.

        Raises:
            ExchangeError: The bytes are not a head (RFC 9112, sections 2 to 5), or too many.
        """
        if self.size or data[0] == _CR or self._as_traefik:
            return self._feed_part(data)
        end = data.find(b"\r\n\r\n") + 4
        if end < 4:
            return self._feed_part(data)
        if end > self._limit:
            raise _too_large()
        head = common_head.read(data[: end - 4])
        if head is None:
            head = self._parse(data[:end])
        return head, (b"" if end == len(data) else data[end:])

    def _feed_part(self, data: bytes) -> tuple[Head, bytes] | None:
        """Collect a head that does not come in one piece, or not at the start of the data."""
        partial = self._partial
        old = len(partial)
        partial += data
        if not self._line_seen and not self._as_traefik:
            while partial.startswith(b"\r\n"):  # RFC 9112, section 2.2: empty lines are ignored.
                del partial[:2]
                old = 0
        end = 0 if len(partial) < self._least else self._end(max(0, old - 3 - self._least))
        if (end or len(partial)) > self._limit:
            raise _too_large()
        if not end:
            self.size = len(partial) or 1  # Empty lines give no more time for the head.
            self._check_part(old)
            return None
        head, rest = bytes(partial[:end]), bytes(partial[end:])
        partial.clear()
        self._line_seen = False
        self._least = 0
        self.size = 0
        return self._parse(head), rest

    def _end(self, start: int) -> int:
        """Return where the head ends, 0 when it does not."""
        if self._as_traefik:
            match = _END_AS_TRAEFIK(self._partial, start)
            return match.end() if match else 0
        position = self._partial.find(b"\r\n\r\n", start)
        return position + 4 if position >= 0 else 0

    def _check_part(self, old: int) -> None:
        """Refuse at once what can become no head: garbage, HTTP/0.9, other protocols.

        Raises:
            BadRequest: The bytes behind ``old``, or the line they complete, are wrong.
        """
        partial = self._partial
        if self._as_traefik and not self._line_seen:
            if len(partial) < self._least or b"\n" not in partial:
                return  # Go reads whole lines.
            old = 0
        illegal = _ILLEGAL_AS_TRAEFIK if self._as_traefik else _ILLEGAL
        if illegal(partial, max(0, old - 1)):
            message = "the request head holds a control character, or a line end that is not CRLF"
            raise BadRequest(message)
        if self._line_seen:
            return
        if partial.find(b"\n", old) >= 0:
            self._line_seen = True
            if not _LINE(partial):
                raise _bad_line()
        elif not old and not _LINE_BEGUN(partial):
            raise _bad_line()

    def _parse(self, text: bytes) -> Head:
        message = self._message(text)
        keep_alive = not message.should_close
        head = Head(message.method, message.path, message.version, keep_alive=keep_alive)
        head.add(message.raw_headers)
        return head

    def _message(self, head: bytes) -> Any:
        try:
            messages, _, _ = self._parser.feed_data(head)
        except Exception as error:
            if self._as_traefik or _is_narrow(error):
                self._parser = self._new_parser()
                return plain_head.parse(head, as_traefik=self._as_traefik)
            raise _translated(error) from error
        if not messages:  # RFC 9113, section 3.4: the parser stops at the preface of HTTP/2.
            is_preface = head.startswith(b"PRI ")
            raise BadRequest(
                "HTTP/2 is not spoken here; send HTTP/1.1" if is_preface else "the head is empty"
            )
        message = messages[0][0]
        # The C parser skips further spaces, and takes a line without a version.
        end = len(message.method)
        if head[end + 1] == _SPACE or head[end + len(message.path) + 2] != _H:
            raise _bad_line()
        return message

    def _new_parser(self) -> Any:
        return HttpRequestParser(
            None,
            self._loop,
            65536,
            max_line_size=self._limit,
            max_field_size=self._limit,
            max_headers=plain_head.MAX_FIELDS,
            response_with_body=False,
            auto_decompress=False,
        )


def _is_narrow(error: Exception) -> bool:
    """Whether the C parser refuses what RFC 9112 does not forbid."""
    return isinstance(error, _TOO_NARROW) or str(getattr(error, "message", "")).startswith(_TWICE)


def _bad_line() -> BadRequest:
    return BadRequest("the request line is not 'method target HTTP/1.1' with one space each")


def _too_large() -> HeadTooLarge:
    return HeadTooLarge("the request head is larger than maxHeaderBytes")


def _translated(error: Exception) -> ExchangeError:
    """Return one of our errors for whatever hostile bytes make the parser raise."""
    if isinstance(error, http_exceptions.LineTooLong) or "Too many headers" in str(error):
        return HeadTooLarge("the request line or a field is too long, or there are too many fields")
    text = str(getattr(error, "message", "") or error).partition("\n")[0].rstrip(":")
    return BadRequest(text)
