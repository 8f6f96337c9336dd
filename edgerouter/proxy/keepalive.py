"""TCP keep-alive: a peer that is gone without a word is found out (RFC 9293, section 3.8.4).

The values are Traefik's and Go's.
"""

import socket
from typing import Protocol

CLIENTS = 180
"""Seconds of silence after which a client is asked for a sign of life."""
SERVERS = 30
"""The same for a server."""
INTERVAL = 15
"""Seconds between two questions."""
QUESTIONS = 9
"""How many stay without an answer before the connection is closed."""


class Socket(Protocol):
    """A socket, or what an event loop shows of one."""

    def setsockopt(self, level: int, option: int, value: int, /) -> None: ...


def keep_alive(connection: Socket, idle: int) -> None:
    """Have the kernel look after a TCP connection; those accepted inherit it from the listener."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, INTERVAL)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, QUESTIONS)
