"""Certificates for tests, and a data plane that answers HTTPS by a snapshot."""

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from edgerouter.proxy.downstream.accept import Entrance
from edgerouter.proxy.downstream.connections import Connections
from edgerouter.proxy.entrypoint import EntryPoint
from edgerouter.services.internal import LifeCycle
from edgerouter.worker.builder import Builder
from edgerouter.worker.unmatched import Unmatched
from tests.support.data_plane import until


@dataclass(frozen=True)
class Pair:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    @property
    def serial(self) -> int:
        return self.certificate.serial_number

    def served(self) -> dict[str, Any]:
        """Return the pair as a snapshot has it."""
        return {
            "names": names_of(self),
            "certificate": self.pem,
            "key": self.key_pem,
            "origin": "t",
        }


def names_of(pair: Pair) -> list[str]:
    extension = pair.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    dns = extension.value.get_values_for_type(x509.DNSName)
    return [*dns, *map(str, extension.value.get_values_for_type(x509.IPAddress))]


def make_pair(*names: str, issuer: Pair | None = None, ca: bool = False) -> Pair:
    """Make a certificate for ``names``, the first of which is the subject too."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([_name(n) for n in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    return Pair(builder.sign((issuer.key if issuer else key), SHA256()), key)


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


class TlsPlane:
    """One worker's data plane with the entry point ``web``, whose routers all answer ``OK``."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.entrypoint = EntryPoint("web", options)
        self.connections = Connections()
        self.builder = Builder(
            {"web": self.entrypoint},
            admin="",
            ping_status=503,
            life_cycle=LifeCycle(),
            unmatched=Unmatched(),
        )
        self.port = 0

    def apply(
        self,
        hosts: Mapping[str, str | None],
        *pairs: Pair,
        default: Pair | None = None,
        server: int | None = None,
        **tls: Any,
    ) -> dict[str, list[str]]:
        """Serve ``hosts``: the TLS options by host, None for a router without TLS.

        ``server`` is the port of a server that answers instead.
        """
        service: dict[str, Any] = {"type": "internal", "options": {"name": "ping"}}
        if server is not None:
            servers = [{"url": f"http://127.0.0.1:{server}", "weight": 1}]
            service = {"type": "loadBalancer", "options": {"servers": servers}}
        routers = {
            f"r{index}@file": {
                "entryPoints": ["web"],
                "rule": f"Host(`{host}`)",
                "priority": 10,
                "service": "ok@internal",
                "tls": None if options is None else {"options": options},
            }
            for index, (host, options) in enumerate(hosts.items())
        }
        section = {
            "certificates": [pair.served() for pair in pairs],
            "default": default.served() if default else None,
            **tls,
        }
        return self.builder.apply(
            {
                "version": 1,
                "routers": routers,
                "services": {"ok@internal": service},
                "tls": section,
            }
        )


@asynccontextmanager
async def tls_plane(
    options: Mapping[str, Any] | None = None, *, dual_stack: bool = False
) -> AsyncIterator[TlsPlane]:
    """Give a data plane on a port of its own; no connection may be left at the end.

    With ``dual_stack`` its socket is one for both IP versions, as that of ``:443`` is.
    """
    plane = TlsPlane(options or {})
    loop = asyncio.get_running_loop()
    listening = socket.socket(socket.AF_INET6 if dual_stack else socket.AF_INET)
    if dual_stack:
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listening.bind(("::ffff:127.0.0.1" if dual_stack else "127.0.0.1", 0))
    server = await loop.create_server(
        lambda: Entrance(plane.entrypoint, plane.connections, loop), sock=listening, backlog=1024
    )
    plane.port = server.sockets[0].getsockname()[1]
    try:
        yield plane
    finally:
        server.close()
        for connection in plane.connections:
            connection.abort()
        plane.builder.pools.close()
        await until(lambda: not plane.connections)


@dataclass(frozen=True)
class Seen:
    """What a client has seen of the server."""

    version: str
    cipher: str
    protocol: str | None
    serial: int
    """Of the server's certificate."""
    answer: bytes
    session: ssl.SSLSession | None
    resumed: bool


def client_context(**settings: Any) -> ssl.SSLContext:
    """Return a context that trusts everybody; ``settings`` are attributes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for name, value in settings.items():
        setattr(context, name, value)
    return context


def with_certificate(context: ssl.SSLContext, *chain: Pair) -> ssl.SSLContext:
    """Let the client present ``chain``, its own certificate first."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "client.pem"
        path.write_text("".join(pair.pem for pair in chain) + chain[0].key_pem)
        context.load_cert_chain(path)
    return context


async def visit(
    port: int,
    name: str | None,
    *,
    context: ssl.SSLContext | None = None,
    host: str | None = None,
    before: bytes = b"",
    protocols: Sequence[str] = (),
    session: ssl.SSLSession | None = None,
) -> Seen:
    """Shake hands asking for ``name``, send one request for ``host``, read the answer."""
    context = context or client_context()
    if protocols:
        context.set_alpn_protocols(list(protocols))
    request = f"GET / HTTP/1.1\r\nHost: {host or name}\r\nConnection: close\r\n\r\n".encode()
    return await asyncio.to_thread(_visit, port, name, context, request, before, session)


def _visit(
    port: int,
    name: str | None,
    context: ssl.SSLContext,
    request: bytes,
    before: bytes,
    session: ssl.SSLSession | None,
) -> Seen:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        plain.sendall(before)
        with context.wrap_socket(plain, server_hostname=name, session=session) as tls:
            tls.sendall(request)
            answer = b""
            while data := tls.recv(65536):
                answer += data
            der = tls.getpeercert(binary_form=True)
            cipher = tls.cipher()
            assert der is not None
            assert cipher is not None
            return Seen(
                tls.version() or "",
                cipher[0],
                tls.selected_alpn_protocol(),
                x509.load_der_x509_certificate(der).serial_number,
                answer,
                tls.session,
                bool(tls.session_reused),
            )


async def raw(port: int, data: bytes) -> bytes:
    """Send ``data``, give back everything until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


def hello(name: str | None = "a.test", protocols: Sequence[str] = ()) -> bytes:
    """Return the first flight of a client."""
    context = client_context()
    if protocols:
        context.set_alpn_protocols(list(protocols))
    outgoing = ssl.MemoryBIO()
    connection = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with suppress(ssl.SSLWantReadError):
        connection.do_handshake()
    return outgoing.read()
