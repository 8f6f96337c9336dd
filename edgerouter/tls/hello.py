"""The ClientHello, read before the handshake (RFC 8446, sections 4.1.2 and 5.1).

Pure: bytes in, facts out. It is read only to choose who answers; OpenSSL reads it
again and is the one to judge it.
"""

import struct
from dataclasses import dataclass

HANDSHAKE = 0x16
"""The first byte of every connection that starts with a ClientHello."""
MAX_HELLO = 64 * 1024
"""Bytes of a hello with its records; real ones have less than 4 KiB."""

_short = struct.Struct(">H").unpack_from
_two_shorts = struct.Struct(">HH").unpack_from
_CLIENT_HELLO = 1
_RECORD_HEAD = 5
_MAX_RECORD = 16384
_SERVER_NAME = 0
_ALPN = 16


class HelloError(ValueError):
    """The bytes are no ClientHello; ``alert`` says so to the client."""

    def __init__(self, message: str, alert: int) -> None:
        super().__init__(message)
        self.alert = alert


DECODE_ERROR = 50
UNEXPECTED_MESSAGE = 10
RECORD_OVERFLOW = 22
HANDSHAKE_FAILURE = 40
INTERNAL_ERROR = 80
UNRECOGNIZED_NAME = 112
NO_APPLICATION_PROTOCOL = 120


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What a client asks for."""

    server_name: str = ""
    """The name it wants (SNI), in lower case without a trailing dot; empty without."""
    protocols: tuple[str, ...] = ()
    """What it offers by ALPN."""


def alert_record(alert: int) -> bytes:
    """Return the record of a fatal alert, sent in the clear before any ServerHello."""
    return bytes((0x15, 3, 3, 0, 2, 2, alert))


class HelloReader:
    """Collects the hello at the start of a connection, from pieces and records of any size."""

    __slots__ = ("_message", "_position", "data")

    def __init__(self) -> None:
        self.data = bytearray()
        """All that has come so far."""
        self._message = bytearray()
        self._position = 0
        """Where the first record begins that is not in ``_message`` yet."""

    def feed(self, data: bytes) -> ClientHello | None:
        """Return the hello, or None when more bytes are needed.

        Every byte is looked at once, however small the pieces are.

        Raises:
            HelloError: It is malformed or too long.
        """
        self.data += data
        while (record := self._record()) is not None:
            self._message += record
            if self._message[0] != _CLIENT_HELLO:
                raise HelloError("the first message is no ClientHello", UNEXPECTED_MESSAGE)
            size = self._size()
            if 0 < size <= len(self._message):
                return _parsed(bytes(self._message[4:size]))
        if len(self.data) > MAX_HELLO:
            raise HelloError("the ClientHello is too long", DECODE_ERROR)
        return None

    def _record(self) -> bytes | None:
        """Return the content of the next record once it is there.

        Raises:
            HelloError: It is no handshake record.
        """
        start = self._position
        head = bytes(self.data[start : start + _RECORD_HEAD])
        if head and (head[0] != HANDSHAKE or head[1:2] not in (b"", b"\x03")):
            raise HelloError("not a handshake record", UNEXPECTED_MESSAGE)
        if len(head) < _RECORD_HEAD:
            return None
        size = int.from_bytes(head[3:], "big")
        if not 0 < size <= _MAX_RECORD:
            raise HelloError("a record has an impossible length", RECORD_OVERFLOW)
        end = start + _RECORD_HEAD + size
        if len(self.data) < end:
            return None
        self._position = end
        return bytes(self.data[start + _RECORD_HEAD : end])

    def _size(self) -> int:
        """Return how long the message with its head is, 0 as long as that is unknown.

        Raises:
            HelloError: It is too long.
        """
        if len(self._message) < 4:
            return 0
        size = 4 + int.from_bytes(self._message[1:4], "big")
        if size > MAX_HELLO:
            raise HelloError("the ClientHello is too long", DECODE_ERROR)
        return size


def _parsed(body: bytes) -> ClientHello:
    try:
        return _parse(body)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise HelloError("the ClientHello is malformed", DECODE_ERROR) from error


class _Reader:
    """Takes vectors off the front; reading past the end is an ``IndexError``."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def __bool__(self) -> bool:
        return self._position < len(self._data)

    def take(self, size: int) -> bytes:
        end = self._position + size
        if end > len(self._data):
            raise IndexError
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """Return a vector whose length is written in ``size`` bytes."""
        return self.take(self.number(size))


def _parse(body: bytes) -> ClientHello:
    # By positions, as every connection passes here and most of it is of no interest.
    position = 34  # Version and random.
    position += 1 + body[position]  # Session id.
    position += 2 + _short(body, position)[0]  # Cipher suites.
    position += 1 + body[position]  # Compression methods.
    if position == len(body):
        return ClientHello()
    end = position + 2 + _short(body, position)[0]
    if end > len(body):
        raise IndexError
    position += 2
    name = ""
    protocols: tuple[str, ...] = ()
    while position < end:
        kind, size = _two_shorts(body, position)
        start = position + 4
        position = start + size
        if position > end:
            raise IndexError
        if kind == _SERVER_NAME:
            name = _server_name(body[start:position])
        elif kind == _ALPN:
            protocols = _protocols(body[start:position])
    return ClientHello(name, protocols)


def _server_name(content: bytes) -> str:
    names = _Reader(_Reader(content).vector(2))
    while names:
        kind, name = names.number(1), names.vector(2)
        if kind == 0:
            return name.decode("ascii").lower().removesuffix(".")
    return ""


def _protocols(content: bytes) -> tuple[str, ...]:
    offered = _Reader(_Reader(content).vector(2))
    found = []
    while offered:
        found.append(offered.vector(1).decode("latin-1"))
    return tuple(found)
