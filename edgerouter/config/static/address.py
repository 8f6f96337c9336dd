"""The address of an entry point: ``[host]:port[/tcp|/udp]``."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class EntryPointAddress:
    """Where an entry point listens."""

    host: str
    """Without brackets; empty for every address of the machine."""
    port: int
    protocol: Literal["tcp", "udp"]

    @classmethod
    def parse(cls, text: str) -> "EntryPointAddress":
        """Read an address.

        Raises:
            ValueError: The text is no such address; the message says why.
        """
        place, slash, protocol = text.strip().partition("/")
        protocol = protocol.lower() if slash else "tcp"
        host, colon, port = place.rpartition(":")
        if not colon:
            raise ValueError(f'"{text}" has no port; write [host]:port, such as ":80"')
        if protocol not in {"tcp", "udp"}:
            raise ValueError(f'"{text}" ends with "/{protocol}"; only /tcp and /udp exist')
        if not (port.isascii() and port.isdigit() and int(port) <= 65535):
            raise ValueError(f'"{port}" is not a port between 0 and 65535')
        bracketed = host.startswith("[") and host.endswith("]")
        if not bracketed and (":" in host or "[" in host or "]" in host):
            raise ValueError(f'"{text}" has an IPv6 address; write it in brackets: [::1]:{port}')
        return cls(
            host[1:-1] if bracketed else host, int(port), "udp" if protocol == "udp" else "tcp"
        )
