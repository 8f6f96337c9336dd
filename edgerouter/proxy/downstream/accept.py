"""The first bytes of a connection decide what it speaks.

PROXY protocol, then plain HTTP or TLS, told apart by the first byte. A ClientHello
is collected whole before anything answers, so that its names can choose the
context. Here later other protocols join: ``EntryPoint.tls`` decides by the hello,
``_established`` by what ALPN chose.
"""

import asyncio
import logging
import ssl

from edgerouter.http.tls import TlsFacts
from edgerouter.observability.logs import fields
from edgerouter.proxy.downstream import descriptors
from edgerouter.proxy.downstream.as_traefik import TraefikH1
from edgerouter.proxy.downstream.connections import Connections
from edgerouter.proxy.downstream.deadline import Deadline
from edgerouter.proxy.downstream.h1 import DownstreamH1
from edgerouter.proxy.downstream.proxy_protocol import ProxyHeaderReader, ProxyProtocolError
from edgerouter.proxy.downstream.tls_transport import TlsTransport
from edgerouter.proxy.entrypoint import EntryPoint
from edgerouter.tls.ciphers import IANA_NAMES
from edgerouter.tls.hello import HANDSHAKE, ClientHello, HelloError, HelloReader, alert_record
from edgerouter.tls.options import ACME_TLS
from edgerouter.tls.selection import Refused, Terminate

MAX_HANDSHAKE = 10.0
"""Seconds from the first byte of a hello to the end of the handshake, at most."""

MAX_ON_DEMAND = 60.0
"""Seconds a handshake waits for a certificate that is obtained for it."""

log = logging.getLogger(__name__)


class Entrance(asyncio.Protocol):
    """A connection that has not said yet what it speaks."""

    __slots__ = (
        "_client",
        "_connections",
        "_deadline",
        "_entrypoint",
        "_hello",
        "_loop",
        "_opened",
        "_proxy_header",
        "_reached",
        "_server_name",
        "_transport",
    )

    def __init__(
        self, entrypoint: EntryPoint, connections: Connections, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._entrypoint = entrypoint
        self._connections = connections
        self._loop = loop
        self._transport: asyncio.Transport
        self._opened = loop.time()
        self._hello: HelloReader | None = None
        self._client: tuple[str, int] | None = None
        self._reached = ""
        self._proxy_header: ProxyHeaderReader | None = None
        self._deadline = Deadline(loop, self._expired)
        self._server_name = ""

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._connections.add(self)
        descriptors.look_at(transport.get_extra_info("socket"), len(self._connections))
        if self._entrypoint.proxy_protocol is not None:
            self._proxy_header = ProxyHeaderReader()
        self._deadline.set(self._entrypoint.head_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()

    def data_received(self, data: bytes) -> None:
        if self._proxy_header is not None:
            self._read_proxy_header(self._proxy_header, data)
        elif self._hello is None and data[0] != HANDSHAKE:
            self._speak_plainly(data)
        else:
            self._read_hello(data)

    def _leave(self) -> None:
        self._connections.discard(self)
        self._deadline.cancel()

    def _read_proxy_header(self, reader: ProxyHeaderReader, data: bytes) -> None:
        try:
            found = reader.feed(data)
        except ProxyProtocolError:
            self._transport.abort()
            return
        if found is not None:
            self._proxy_header = None
            header, rest = found
            if self._is_trusted_proxy():
                self._client, self._reached = header.source, header.destination
            if rest:
                self.data_received(rest)

    def _is_trusted_proxy(self) -> bool:
        """Tell whether the peer's header counts; everybody else's is read and dropped."""
        trusted = self._entrypoint.proxy_protocol
        return trusted is not None and client_address(self._transport)[0] in trusted

    def _speak_plainly(self, data: bytes) -> None:
        protocol = self._http()
        self._leave()
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        protocol.data_received(data)

    def _http(self, tls: TlsFacts | None = None) -> DownstreamH1:
        client = self._client_address()
        if self._entrypoint.on_client is not None:
            self._entrypoint.on_client(client[0])
        kind = TraefikH1 if self._entrypoint.as_traefik else DownstreamH1
        return kind(
            self._entrypoint,
            self._connections,
            self._loop,
            client,
            self._opened,
            tls,
        )

    def _client_address(self) -> tuple[str, int]:
        return self._client or client_address(self._transport)

    # TLS.

    def _read_hello(self, data: bytes) -> None:
        reader = self._hello
        if reader is None:
            reader = self._hello = HelloReader()
            self._deadline.set(min(self._entrypoint.head_timeout, MAX_HANDSHAKE))
        try:
            hello = reader.feed(data)
            if hello is None or self._has_to_wait(reader, hello):
                return
            self._decide(reader, hello)
        except (HelloError, Refused) as error:
            self._refuse(error)

    def _has_to_wait(self, reader: HelloReader, hello: ClientHello) -> bool:
        """Wait when a certificate is obtained on demand first; tell whether that is so."""
        ask = self._entrypoint.on_demand
        if ask is None or ACME_TLS in hello.protocols:
            return False
        waiting = ask(hello.server_name)
        if waiting is None:
            return False
        self._transport.pause_reading()
        self._deadline.set(MAX_ON_DEMAND)
        waiting.add_done_callback(lambda _: self._go_on(reader, hello))
        return True

    def _go_on(self, reader: HelloReader, hello: ClientHello) -> None:
        if self._transport.is_closing():
            return
        self._transport.resume_reading()
        self._deadline.set(MAX_HANDSHAKE)
        try:
            self._decide(reader, hello)
        except Refused as error:
            self._refuse(error)

    def _decide(self, reader: HelloReader, hello: ClientHello) -> None:
        reached = self._reached or local_address(self._transport)
        decision = self._entrypoint.tls.decide(hello, plain_address(reached))
        self._server_name = hello.server_name
        self._shake_hands(decision, bytes(reader.data))

    def _refuse(self, error: HelloError | Refused) -> None:
        log.debug(
            "TLS connection refused",
            extra=fields(
                entryPoint=self._entrypoint.name,
                client=self._client_address()[0],
                reason=str(error),
            ),
        )
        self._transport.write(alert_record(error.alert))
        self._transport.close()

    def _shake_hands(self, decision: Terminate, data: bytes) -> None:
        tls = TlsTransport(self._transport, decision.context, self._established, self._failed)
        self._transport.set_protocol(tls)
        tls.data_received(data)

    def _established(self, transport: TlsTransport, tls: ssl.SSLObject) -> asyncio.Protocol:
        self._leave()
        if tls.selected_alpn_protocol() == ACME_TLS:
            return Farewell()
        return self._http(facts_of(tls, self._server_name))

    def _failed(self, error: Exception | None) -> None:
        self._leave()
        log.debug(
            "TLS handshake failed",
            extra=fields(
                entryPoint=self._entrypoint.name,
                client=self._client_address()[0],
                serverName=self._server_name,
                reason=getattr(error, "reason", None) or str(error or "the client went away"),
            ),
        )

    # The entry point's side.

    def _expired(self) -> None:
        self._transport.abort()

    def shut_down(self) -> None:
        """Close, unless a handshake is under way."""
        if self._hello is None:
            self._transport.close()

    def end_tunnel(self) -> bool:
        """Do nothing: nothing is upgraded yet."""
        return False

    def abort(self) -> None:
        """Break off."""
        self._transport.abort()


class Farewell(asyncio.Protocol):
    """Closes: after an ``acme-tls/1`` handshake nothing is spoken (RFC 8737, section 3)."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


def client_address(transport: asyncio.BaseTransport) -> tuple[str, int]:
    """Return the address and port at the other end; empty and 0 for a Unix socket."""
    address = transport.get_extra_info("peername") or ("", 0)
    ip, port = (address[0], address[1]) if isinstance(address, tuple) else ("", 0)
    return plain_address(ip), port


def local_address(transport: asyncio.BaseTransport) -> str:
    """Return the address at our end; empty for a Unix socket."""
    address = transport.get_extra_info("sockname")
    return str(address[0]) if isinstance(address, tuple) else ""


def plain_address(ip: str) -> str:
    """Return an address as people write it: a dual-stack socket puts something before IPv4."""
    return ip.removeprefix("::ffff:") if "." in ip else ip


def facts_of(tls: ssl.SSLObject, server_name: str) -> TlsFacts:
    """Return what a finished handshake has settled."""
    cipher = tls.cipher()
    certificates: tuple[bytes, ...] = ()
    if tls.context.verify_mode != ssl.CERT_NONE:
        certificates = _client_certificates(tls)
    return TlsFacts(
        tls.version() or "",
        IANA_NAMES.get(cipher[0], cipher[0]) if cipher else "",
        server_name,
        tls.selected_alpn_protocol() or "",
        certificates,
    )


def _client_certificates(tls: ssl.SSLObject) -> tuple[bytes, ...]:
    """Return what the client has sent, its own certificate first, in DER."""
    own = tls.getpeercert(binary_form=True)
    if own is None:
        return ()
    # A session that goes on has the client's own certificate alone.
    if hasattr(tls, "get_unverified_chain"):  # Python 3.13
        return tuple(tls.get_unverified_chain()) or (own,)
    chain = tls._sslobj.get_unverified_chain()  # type: ignore[attr-defined] # public later
    der = ssl._ssl.ENCODING_DER  # type: ignore[attr-defined]
    return tuple(each.public_bytes(der) for each in chain or ()) or (own,)
