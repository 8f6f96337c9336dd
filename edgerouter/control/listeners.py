"""The listening sockets of the entry points: bound here, served by the workers.

The control plane keeps every socket open for its whole life, so a worker that
dies takes no listener and no waiting connection with it. Addresses are
Traefik's: ``[host]:port[/tcp|/udp]``. A socket may also come from systemd
(``sd_listen_fds(3)``), named like its entry point.
"""

import errno
import os
import socket
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Literal

BACKLOG = 4096
"""Connections the kernel keeps for us while no worker accepts; net.core.somaxconn caps it."""

FIRST_SYSTEMD_DESCRIPTOR = 3


class ListenError(Exception):
    """An entry point cannot be opened; the message names it, its address and the remedy."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where an entry point listens."""

    host: str
    """A name or an address without brackets; empty for every address of the machine."""
    port: int
    protocol: Literal["tcp", "udp"]


@dataclass(frozen=True, slots=True)
class Listener:
    """The open listening socket of one entry point."""

    name: str
    socket: socket.socket

    @property
    def address(self) -> str:
        """The address it really has, as ``host:port``; differs from the option for port 0."""
        host, port = self.socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_address(text: str) -> Address:
    """Read ``[host]:port[/tcp|/udp]``.

    Raises:
        ValueError: The text is not such an address; the message says why.
    """
    place, slash, protocol = text.strip().partition("/")
    host, colon, port = place.rpartition(":")
    if not colon:
        raise ValueError(f'"{text}" has no port: write [host]:port, for example ":80"')
    if slash and protocol.lower() not in ("tcp", "udp"):
        raise ValueError(f'"{text}" has the protocol "{protocol}": only tcp and udp exist')
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ValueError(f'"{text}" has the port "{port}": it must be a number from 0 to 65535')
    if host.startswith("[") != host.endswith("]") or (":" in host and not host.startswith("[")):
        raise ValueError(f'"{text}": an IPv6 address stands in brackets, for example "[::1]:80"')
    return Address(host.strip("[]"), int(port), "udp" if protocol.lower() == "udp" else "tcp")


def listen(name: str, address: Address, *, reuse_port: bool = False) -> Listener:
    """Open the TCP socket of the entry point ``name``.

    Raises:
        ListenError: The address is taken, forbidden or not of this machine.
    """
    try:
        return Listener(name, _bind(address, reuse_port=reuse_port))
    except OSError as error:
        raise ListenError(_explain(name, address, error)) from error


def _bind(address: Address, *, reuse_port: bool) -> socket.socket:
    if not address.host:
        return _bind_everywhere(address.port, reuse_port=reuse_port)
    family, _, _, _, place = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    return _open(family, place, reuse_port=reuse_port)


def _bind_everywhere(port: int, *, reuse_port: bool) -> socket.socket:
    """Bind all addresses of both IP versions, of version 4 alone where there is no other."""
    try:
        return _open(socket.AF_INET6, ("::", port), reuse_port=reuse_port)
    except OSError as error:
        if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            raise
    return _open(socket.AF_INET, ("0.0.0.0", port), reuse_port=reuse_port)  # noqa: S104 - asked for.


def _open(family: int, place: tuple[object, ...], *, reuse_port: bool) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(place[0] != "::"))
        opened.bind(place)
        opened.listen(BACKLOG)
        opened.setblocking(False)
    except OSError:
        opened.close()
        raise
    return opened


def _explain(name: str, address: Address, error: OSError) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    start = f'entry point "{name}" cannot listen on {host}:{address.port}: '
    option = f"--entryPoints.{name}.address"
    if isinstance(error, socket.gaierror):
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


def inherited(environment: MutableMapping[str, str]) -> Mapping[str, socket.socket]:
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
