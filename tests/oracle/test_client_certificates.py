"""passTLSClientCert against the real Traefik: real client certificates over TLS."""

import datetime as dt
import ipaddress
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.router_process import RouterProcess
from tests.support.tls import Pair, client_context, with_certificate
from tests.support.traefik import traefik

NAMES = (
    "country",
    "province",
    "locality",
    "organization",
    "commonName",
    "serialNumber",
    "domainComponent",
)
_EVERYTHING = {
    "notAfter": True,
    "notBefore": True,
    "sans": True,
    "serialNumber": True,
    "subject": dict.fromkeys([*NAMES, "organizationalUnit"], True),
    "issuer": dict.fromkeys(NAMES, True),
}
MIDDLEWARES: dict[str, dict[str, Any]] = {
    "pem": {"pem": True},
    "all": {"pem": True, "info": _EVERYTHING},
    "sans": {"info": {"sans": True}},
    "dates": {"info": {"notBefore": True, "notAfter": True}},
    "serial": {"info": {"serialNumber": True}},
    "nothing": {"pem": False},
    "no-info": {"info": {"sans": False}},
    **{f"s-{name.lower()}": {"info": {"subject": {name: True}}} for name in _EVERYTHING["subject"]},
    **{f"i-{name.lower()}": {"info": {"issuer": {name: True}}} for name in NAMES},
}
_PARTS = (
    (NameOID.DOMAIN_COMPONENT, ("test", "example")),
    (NameOID.COUNTRY_NAME, ("FR", "CH")),
    (NameOID.STATE_OR_PROVINCE_NAME, ("Île-de-France",)),
    (NameOID.LOCALITY_NAME, ("Paris, 1er", "Lyon")),
    (NameOID.ORGANIZATION_NAME, ('A & B "Sons"', "C")),
    (NameOID.ORGANIZATIONAL_UNIT_NAME, ("One", "Two")),
    (NameOID.SERIAL_NUMBER, ("12", "34")),
    (NameOID.COMMON_NAME, ("first", "bob=+;%2C")),
)
_SANS: list[x509.GeneralName] = [
    x509.UniformResourceIdentifier("spiffe://a/b?c=d,e"),
    x509.DNSName("bob.test"),
    x509.IPAddress(ipaddress.ip_address("2001:db8::1")),
    x509.RFC822Name("bob@x.test"),
    x509.DNSName("*.bob.test"),
    x509.IPAddress(ipaddress.ip_address("10.1.2.3")),
]


def made(
    parts: Any, sans: list[x509.GeneralName] | None = None, issuer: Pair | None = None
) -> Pair:
    """Make a certificate with a name of many parts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(oid, text) for oid, texts in parts for text in texts])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if sans:
        builder = builder.add_extension(x509.SubjectAlternativeName(sans), critical=False)
    return Pair(builder.sign(issuer.key if issuer else key, SHA256()), key)


AUTHORITY = made([*_PARTS, (NameOID.COMMON_NAME, ("authority",))])
CLIENTS: dict[str, tuple[Pair, ...]] = {
    "rich": (made(_PARTS, _SANS, AUTHORITY), AUTHORITY),
    "plain": (made([(NameOID.COMMON_NAME, ("plain",))], issuer=AUTHORITY),),
    "nameless": (made([], [x509.DNSName("nobody.test")], AUTHORITY),),
    "nobody": (),
}


def dynamic(port: int) -> dict[str, Any]:
    names = list(MIDDLEWARES)
    auth = {"caFiles": [AUTHORITY.pem], "clientAuthType": "VerifyClientCertIfGiven"}
    return {
        "http": {
            "routers": {
                name: {
                    "rule": f"Host(`{name}.test`)",
                    "middlewares": [name],
                    "service": "s",
                    "entryPoints": ["web"],
                    "tls": {},
                }
                for name in names
            },
            "middlewares": {
                name: {"passTLSClientCert": options} for name, options in MIDDLEWARES.items()
            },
            "services": {"s": {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{port}"}]}}},
        },
        "tls": {"options": {"default": {"clientAuth": auth}}},
    }


@pytest.fixture(scope="module")
def echo() -> Iterator[EchoServer]:
    with EchoServer({"s": 1}) as server:
        yield server


@contextmanager
def running(
    start: Callable[..., Any], directory: Path, echo: EchoServer
) -> Iterator[RouterProcess]:
    content = dynamic(next(iter(echo.ports.values())))
    with start(directory, ["plain", "web"], {}, content) as process:
        yield process


@pytest.fixture(scope="module")
def theirs(echo: EchoServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RouterProcess]:
    with running(traefik, tmp_path_factory.mktemp("traefik"), echo) as process:
        yield process


@pytest.fixture(scope="module")
def ours(echo: EchoServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RouterProcess]:
    with running(edgerouter, tmp_path_factory.mktemp("edgerouter"), echo) as process:
        yield process


@cache
def context_of(client: str) -> Any:
    context = client_context()
    if CLIENTS[client]:
        with_certificate(context, *CLIENTS[client])
    return context


def told(router: RouterProcess, host: str, client: str) -> list[list[str]]:
    """Return the fields about the client's certificate that the server got."""
    address = ("127.0.0.1", router.ports["web"])
    forged = "X-Forwarded-Tls-Client-Cert: forged\r\nX-Forwarded-Tls-Client-Cert-Info: forged"
    with (
        socket.create_connection(address, timeout=10) as plain,
        context_of(client).wrap_socket(plain, server_hostname=host) as tls,
    ):
        head = f"GET / HTTP/1.1\r\nHost: {host}\r\n{forged}\r\nConnection: close\r\n\r\n"
        tls.sendall(head.encode())
        answer = b""
        while data := tls.recv(65536):
            answer += data
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    headers = json.loads(answer.partition(b"\r\n\r\n")[2])["headers"]
    return sorted([name, value] for name, value in headers if "tls-client" in name.lower())


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", MIDDLEWARES)
def test_the_server_is_told(
    name: str, client: str, theirs: RouterProcess, ours: RouterProcess
) -> None:
    host = f"{name}.test"
    expected, actual = told(theirs, host, client), told(ours, host, client)
    assert actual == expected
    if client == "nobody":
        assert actual == []
    elif name == "pem":
        der = CLIENTS[client][0].certificate.public_bytes(serialization.Encoding.DER)
        assert actual[0][0] == "X-Forwarded-Tls-Client-Cert"
        assert len(actual[0][1].split(",")[0]) == -(-len(der) // 3) * 4
