"""The listening sockets of the entry points: bound here, served by the workers.

The control plane keeps every socket open for its whole life, so a worker that
dies takes no listener and no waiting connection with it. Each worker has a
socket of its own (``SO_REUSEPORT``): the kernel spreads connections evenly,
whereas one socket for all is emptied by whoever wakes up first. A socket may
also come from systemd (``sd_listen_fds(3)``), named like its entry point;
workers share that.
"""

import errno
import os
import socket
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from edgerouter.config.static.address import EntryPointAddress
from edgerouter.proxy import keepalive

BACKLOG = 4096
"""Connections the kernel keeps for us while no worker accepts; net.core.somaxconn caps it."""

FIRST_SYSTEMD_DESCRIPTOR = 3

NO_SUCH_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)

Place = tuple[Any, ...]
"""A socket address as Python knows it."""


class ListenError(Exception):
    """An entry point cannot be opened; the message names it, its address and the remedy."""


@dataclass(frozen=True, slots=True)
class Listener:
    """The open listening sockets of one entry point."""

    name: str
    sockets: tuple[socket.socket, ...]
    """One per worker, or one for all."""

    @property
    def address(self) -> str:
        """The address it really has, as ``host:port``; differs from the option for port 0."""
        host, port = self.sockets[0].getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def close(self) -> None:
        """Close our own copies; where no worker has one left, connections are refused."""
        for opened in self.sockets:
            opened.close()


def listen(
    name: str, address: EntryPointAddress, *, workers: int = 1, reuse_port: bool = False
) -> Listener:
    """Open the TCP sockets of the entry point ``name``, one per worker.

    Raises:
        ListenError: The address is taken, forbidden or not of this machine.
    """
    sockets: list[socket.socket] = []
    try:
        family, place = _first_free(address, reuse_port=reuse_port)
        for _ in range(workers):
            sockets.append(_bind(family, place, reuse_port=reuse_port or workers > 1))
            place = sockets[0].getsockname()
        for opened in sockets:
            opened.listen(BACKLOG)
    except (OSError, UnicodeError) as error:
        for opened in sockets:
            opened.close()
        raise ListenError(_explain(name, address, error)) from error
    return Listener(name, tuple(sockets))


def _first_free(address: EntryPointAddress, *, reuse_port: bool) -> tuple[int, Place]:
    """Return family and socket address for ``address`` if it can be bound.

    Without a host that is all addresses of both IP versions, of version 4 alone where
    there is no other. It is tried without ``SO_REUSEPORT``, unless that was asked for:
    otherwise a second edgerouter would take half of the connections unnoticed.
    """
    if address.host:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        candidates: list[tuple[int, Place]] = [(found[0][0], found[0][4])]
    else:
        candidates = [
            (socket.AF_INET6, ("::", address.port)),
            (socket.AF_INET, ("0.0.0.0", address.port)),  # noqa: S104 - asked for.
        ]
    for family, place in candidates:
        try:
            with _bind(family, place, reuse_port=reuse_port) as tried:
                return family, tried.getsockname()
        except OSError as error:
            if (family, place) == candidates[-1] or error.errno not in NO_SUCH_FAMILY:
                raise
    raise AssertionError("there is always a candidate")


def _bind(family: int, place: Place, *, reuse_port: bool) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(place[0] != "::"))
        keepalive.keep_alive(opened, keepalive.CLIENTS)
        opened.bind(place)
        opened.setblocking(False)
    except OSError:
        opened.close()
        raise
    return opened


def _explain(name: str, address: EntryPointAddress, error: OSError | UnicodeError) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    start = f'entry point "{name}" cannot listen on {host}:{address.port}: '
    option = f"--entryPoints.{name}.address"
    if isinstance(error, socket.gaierror | UnicodeError):  # The latter: it can be no name at all.
        return f'{start}the host "{address.host}" is unknown; correct {option}'
    if error.errno == errno.EADDRINUSE:
        return f"{start}the port is taken by another program; stop that, or change {option}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"{start}permission denied; ports below 1024 need root, the capability "
            "CAP_NET_BIND_SERVICE or the sysctl net.ipv4.ip_unprivileged_port_start=0; "
            f"or take a higher port with {option}"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{start}this machine does not have that address; change {option}"
    return f"{start}{error.strerror}"


def adopt(name: str, handed: socket.socket) -> Listener:
    """Take ``handed`` as the one socket of the entry point ``name``.

    Raises:
        ListenError: It is no listening stream socket of the internet.
    """
    is_internet = handed.family in (socket.AF_INET, socket.AF_INET6)
    listens = handed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if not is_internet or handed.type != socket.SOCK_STREAM or not listens:
        handed.close()
        raise ListenError(
            f'entry point "{name}": the socket from systemd does not listen for TCP connections;'
            " write ListenStream=<port> in its .socket unit"
        )
    keepalive.keep_alive(handed, keepalive.CLIENTS)
    return Listener(name, (handed,))


def inherited(environment: MutableMapping[str, str]) -> dict[str, socket.socket]:
    """Take over the sockets systemd hands us, by name (``sd_listen_fds(3)``).

    The variables are removed, so that no child believes they are meant for it.
    """
    count = environment.pop("LISTEN_FDS", "")
    names = environment.pop("LISTEN_FDNAMES", "").split(":")
    if environment.pop("LISTEN_PID", "") != str(os.getpid()) or not count.isdigit():
        return {}
    sockets: dict[str, socket.socket] = {}
    for index, name in zip(range(int(count)), names, strict=False):
        handed = socket.socket(fileno=FIRST_SYSTEMD_DESCRIPTOR + index)
        handed.setblocking(False)
        os.set_inheritable(handed.fileno(), False)
        sockets[name] = handed
    return sockets
