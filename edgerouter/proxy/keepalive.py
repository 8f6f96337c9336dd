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
SOON = 1
"""All of these seconds where a server goes away, and"""
FEW = 3
"""how many questions stay without an answer then."""


class Socket(Protocol):
    """A socket, or what an event loop shows of one."""

    def setsockopt(self, level: int, option: int, value: int, /) -> None: ...


def keep_alive(connection: Socket, idle: int) -> None:
    """Have the kernel look after a TCP connection; those accepted inherit it from the listener."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, INTERVAL)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, QUESTIONS)


def find_out_soon(connection: Socket, *, is_uploading: bool) -> None:
    """Have the kernel close a TCP connection soon if the peer is gone without a word.

    Questions are asked while nothing is under way to the peer. What is has a limit of its own
    (RFC 5482), unless there is more to come: a peer that lives may take its time with that.
    """
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, SOON)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, SOON)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, FEW)
    if not is_uploading:
        milliseconds = SOON * (FEW + 1) * 1000
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
