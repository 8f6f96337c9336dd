"""The PROXY protocol, versions 1 and 2, on accepted connections (HAProxy's specification).

Pure: bytes in, header out.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
MAX_HEADER = 4096
"""Bytes; longer headers (with many TLVs) are refused."""
_V1_MAX = 107
_PORT = re.compile("[0-9]{1,5}").fullmatch


class ProxyProtocolError(ValueError):
    """The bytes start like a PROXY header and are not one."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """A header that was found, or the finding that there is none (``size`` 0)."""

    size: int
    """Bytes to skip."""
    source: tuple[str, int] | None
    """The client's address and port; None when the proxy speaks for itself (LOCAL, UNKNOWN)."""
    destination: str = ""
    """The address that the client has reached; empty without ``source``."""


class ProxyHeaderReader:
    """Collects the header at the start of a connection."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> tuple[ProxyHeader, bytes] | None:
        """Return the header and what came behind it, or None when more bytes are needed.

        Raises:
            ProxyProtocolError: The header is malformed or too long.
        """
        self._data += data
        header = read_proxy_header(self._data)
        if header is None:
            if len(self._data) > MAX_HEADER:
                message = f"the header is longer than {MAX_HEADER} bytes"
                raise ProxyProtocolError(message)
            return None
        return header, self._data[header.size :]


def read_proxy_header(data: bytes) -> ProxyHeader | None:
    """Return the header at the start of ``data``, or None when more bytes are needed.

    Raises:
        ProxyProtocolError: The header is malformed.
    """
    if data.startswith(b"PROXY "):
        return _read_v1(data)
    if data.startswith(SIGNATURE):
        return _read_v2(data)
    if SIGNATURE.startswith(data[:12]) or b"PROXY ".startswith(data[:6]):
        return None
    return ProxyHeader(0, None)


def _read_v1(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\r\n", 0, _V1_MAX)
    if end < 0:
        if len(data) >= _V1_MAX:
            message = "a version 1 header is at most 107 bytes long"
            raise ProxyProtocolError(message)
        return None
    words = data[:end].decode("latin-1").split(" ")
    if words[1] == "UNKNOWN":
        return ProxyHeader(end + 2, None)
    if len(words) != 6 or words[1] not in ("TCP4", "TCP6"):
        message = f"bad version 1 header {data[:end]!r}"
        raise ProxyProtocolError(message)
    version = int(words[1][3])
    ports = [int(word) if _PORT(word) else 65536 for word in words[4:]]
    if not all(_is_address(word, version) for word in words[2:4]) or max(ports) > 65535:
        message = f"bad address or port in version 1 header {data[:end]!r}"
        raise ProxyProtocolError(message)
    source, destination = (_written(ip_address(word)) for word in words[2:4])
    return ProxyHeader(end + 2, (source, ports[0]), destination)


def _is_address(word: str, version: int) -> bool:
    """Tell whether ``word`` is an address of this IP version; a zone has no meaning elsewhere."""
    try:
        return "%" not in word and ip_address(word).version == version
    except ValueError:
        return False


def _read_v2(data: bytes) -> ProxyHeader | None:
    if len(data) < 16:
        return None
    version, command = data[12] >> 4, data[12] & 15
    family, size = data[13], 16 + int.from_bytes(data[14:16], "big")
    if version != 2 or command > 1 or size > MAX_HEADER:
        message = "bad version 2 header"
        raise ProxyProtocolError(message)
    if len(data) < size:
        return None
    if command == 0:
        return ProxyHeader(size, None)
    if family == 0x11 and size >= 28:
        return _addressed(data, size, 4)
    if family == 0x21 and size >= 52:
        return _addressed(data, size, 16)
    if family in (0x11, 0x21):
        message = "a version 2 header is too short for its addresses"
        raise ProxyProtocolError(message)
    return ProxyHeader(size, None)


def _addressed(data: bytes, size: int, width: int) -> ProxyHeader:
    """Return a version 2 header with addresses of ``width`` bytes: two of them, then the ports."""
    middle, end = 16 + width, 16 + 2 * width
    source, destination = (
        _written(ip_address(each)) for each in (data[16:middle], data[middle:end])
    )
    port = int.from_bytes(data[end : end + 2], "big")
    return ProxyHeader(size, (source, port), destination)


def _written(address: IPv4Address | IPv6Address) -> str:
    """Return an address as text; an IPv4 address in IPv6's clothes as what it is."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
