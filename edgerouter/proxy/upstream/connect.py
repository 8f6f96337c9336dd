"""Dialling servers: TCP, TLS and Unix sockets, with time-outs, errors made ours."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

from edgerouter.http.errors import ConnectFailed, ConnectTimeout, HandshakeFailed, NotTrusted
from edgerouter.observability.complaints import MORE_FILES
from edgerouter.proxy import keepalive
from edgerouter.proxy.upstream.tls import HANDSHAKE_TIMEOUT, ClientTLS

P = TypeVar("P", bound=asyncio.Protocol)


class Address:
    """Where a server listens; equal addresses share a pool."""

    __slots__ = ("host", "key", "path", "port", "tls")

    def __init__(
        self, host: str = "", port: int = 0, path: str = "", tls: ClientTLS | None = None
    ) -> None:
        self.host = host
        self.port = port
        self.path = path
        """Of a Unix socket; empty for TCP."""
        self.tls = tls
        """None for plain text."""
        self.key = path or f"{host}:{port}"


async def dial(address: Address, factory: Callable[[], P], seconds: float) -> P:
    """Return the protocol of a new connection; ``seconds`` 0 means no limit.

    The handshake of TLS has a limit of its own, as in Traefik.

    Raises:
        ConnectFailed: It was refused, unreachable or its name did not resolve.
        ConnectTimeout: It took longer than ``seconds``.
        HandshakeFailed: The server speaks no TLS, or is not the one it should be.
    """
    loop = asyncio.get_running_loop()
    if address.tls is not None:
        return await _secured(address, address.tls, factory, seconds)
    try:
        async with asyncio.timeout(seconds or None):
            if address.path:
                _, protocol = await loop.create_unix_connection(factory, address.path)
            else:
                transport, protocol = await loop.create_connection(
                    factory, address.host, address.port
                )
                keepalive.keep_alive(transport.get_extra_info("socket"), keepalive.SERVERS)
    except TimeoutError as error:
        raise _too_slow(address, seconds) from error
    except (OSError, UnicodeError) as error:
        message = f"no connection to the server {address.key}: {_reason(error)}{_way_out(error)}"
        raise ConnectFailed(message) from error
    return protocol


def _too_slow(address: Address, seconds: float) -> ConnectTimeout:
    message = (
        f"the server {address.key} did not accept a connection within {seconds:g} s;"
        " is it in a network that can be reached from here, without a firewall between?"
    )
    return ConnectTimeout(message)


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError):  # Of the codec for names.
        return "no host can have such a name"
    return error.strerror or str(error)


def _way_out(error: OSError | UnicodeError) -> str:
    """Return what to do about an error, as the end of a sentence."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return "; correct the host in its URL"
    if error.errno == errno.ECONNREFUSED:
        return "; is the port right (server.port), and does the server listen on every address?"
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return "; is it in a network that can be reached from here?"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return f"; {MORE_FILES}"
    return ""


class _Opening(asyncio.Protocol):
    """Stands in until the handshake is done; the server has nothing to say before that."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.spoilt = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self.transport is None:  # The plain one; start_tls may come again with its own.
            self.transport = transport  # type: ignore[assignment]

    def data_received(self, _data: bytes) -> None:
        self.spoilt = True

    def connection_lost(self, _exc: Exception | None) -> None:
        self.spoilt = True


async def _secured(address: Address, tls: ClientTLS, factory: Callable[[], P], seconds: float) -> P:
    loop = asyncio.get_running_loop()
    plain = Address(address.host, address.port)
    opening = await dial(plain, _Opening, seconds)
    assert opening.transport is not None  # noqa: S101 - for the type checker; it is connected
    try:
        transport = await loop.start_tls(
            opening.transport,
            opening,
            tls.context,
            server_hostname=tls.server_name or address.host,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT,
        )
    except ConnectionAbortedError as error:  # How event loops say that it took too long.
        opening.transport.abort()
        message = f"the server {address.key} did not finish the TLS handshake in time"
        raise ConnectTimeout(message) from error
    except (OSError, ValueError) as error:
        opening.transport.abort()
        left = isinstance(error, ConnectionError | ssl.SSLEOFError)
        kind = HandshakeFailed if left else NotTrusted
        raise kind(_explanation(address, error)) from error
    except BaseException:
        opening.transport.abort()
        raise
    if transport is None or opening.spoilt:
        message = f"the server {address.key} closed the connection right after the TLS handshake"
        raise HandshakeFailed(message)
    if reason := tls.refusal(transport.get_extra_info("peercert")):
        transport.abort()
        raise NotTrusted(f"the server {address.key} is not trusted: {reason}")
    protocol = factory()
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    return protocol


_UNTRUSTED = (
    "put the authority of its certificate into rootCAs of its servers transport,"
    " or set insecureSkipVerify"
)
_REMEDIES = (
    ("mismatch", "set serverName of its servers transport to a name in the certificate"),
    ("expired", "renew the server's certificate"),
    ("not yet valid", "look at the clocks of both machines"),
    ("", _UNTRUSTED),
)


def _explanation(address: Address, error: Exception) -> str:
    server = f"the server {address.key}"
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message or str(error)
        remedy = next(remedy for word, remedy in _REMEDIES if word in reason)
        return f"{server} is not trusted: {reason.rstrip('.')}; {remedy}"
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or str(error)).replace("_", " ").lower()
        if error.reason in ("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"):
            return f"{server} speaks no TLS ({reason}); write http:// in its URL"
        return f"the TLS handshake with {server} failed: {reason}"
    return f"the TLS handshake with {server} failed: {error}"
