"""TLS of edgerouter against TLS of the real Traefik: the same handshakes, the same outcomes."""

import asyncio
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from edgerouter.tls.ciphers import SUITES
from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.router_process import RouterProcess
from tests.support.tls import Pair, client_context, make_pair, with_certificate
from tests.support.tls_client import TlsClient
from tests.support.traefik import traefik

CA = make_pair("client authority", ca=True)
CLIENT = make_pair("client", issuer=CA)
STRANGER = make_pair("stranger")
PAIRS = {
    "a": make_pair("a.test", "client.test"),
    "wild": make_pair("*.w.test"),
    "exact": make_pair("exact.w.test"),
    "address": make_pair("192.0.2.8"),
    "default": make_pair("default.test"),
}
ENTRYPOINTS = ("web", "tls", "redirect", "proxied")
CLIENT_AUTH_TYPES = {
    "none": "NoClientCert",
    "request": "RequestClientCert",
    "any": "RequireAnyClientCert",
    "given": "VerifyClientCertIfGiven",
    "verify": "RequireAndVerifyClientCert",
}
CURVES = (
    "CurveP256",
    "CurveP384",
    "CurveP521",
    "secp256r1",
    "secp384r1",
    "secp521r1",
    "X25519",
    "x25519",
    "X25519MLKEM768",
    "x25519mlkem768",
    "SecP256r1MLKEM768",
    "secp256r1mlkem768",
    "SecP384r1MLKEM1024",
    "secp384r1mlkem1024",
    "P256",
    "p256",
    "P-256",
    "curveP256",
    "secp256k1",
    "X25519Kyber768Draft00",
)
"""Names that are curves in Traefik, and some that are not."""


def dynamic(directory: Path, port: int) -> dict[str, Any]:
    """Write the certificates into ``directory``; return the configuration that names them."""
    for name, pair in {**PAIRS, "ca": CA}.items():
        (directory / f"{name}.crt").write_text(pair.pem)
        (directory / f"{name}.key").write_text(pair.key_pem)

    def files(name: str) -> dict[str, str]:
        return {"certFile": f"{directory}/{name}.crt", "keyFile": f"{directory}/{name}.key"}

    def router(rule: str, **tls: Any) -> dict[str, Any]:
        return {"rule": rule, "service": "s", "entryPoints": ["web"], "tls": tls}

    options: dict[str, Any] = {
        "old": {"maxVersion": "VersionTLS12"},
        "new": {"minVersion": "VersionTLS13"},
        "strict": {"sniStrict": True},
        "suite": {
            "maxVersion": "VersionTLS12",
            "cipherSuites": ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"],
        },
        "only13": {"cipherSuites": ["TLS_AES_128_GCM_SHA256"]},
        "foo": {"alpnProtocols": ["foo"]},
        "h2": {"alpnProtocols": ["h2"]},
        "p384": {"curvePreferences": ["CurveP384"]},
        **{f"curve-{n}": {"curvePreferences": [c, "CurveP384"]} for n, c in enumerate(CURVES)},
        "odd": {"minVersion": "TLS12"},
        "bad": {"cipherSuites": ["ROT13"]},
        "implied": {"clientAuth": {"caFiles": [f"{directory}/ca.crt"]}},
    }
    for name, kind in CLIENT_AUTH_TYPES.items():
        auth = {"caFiles": [f"{directory}/ca.crt"], "clientAuthType": kind}
        options[f"auth-{name}"] = {"clientAuth": auth}
    routers = {
        "a": router("Host(`a.test`)"),
        "wild": router("Host(`*.w.test`)"),
        "gone": router("Host(`gone.test`)", options="nothere"),
        "one": router("Host(`both.test`) && PathPrefix(`/x`)", options="old"),
        "two": router("Host(`both.test`)", options="new"),
        "regexp": router("HostRegexp(`^r[.]test$`)", options="old"),
        "anyhost": router("PathPrefix(`/everywhere`)"),
        "plain": {"rule": "Host(`plain.test`)", "service": "s", "entryPoints": ["web"]},
        "entry": {"rule": "Host(`entry.test`)", "service": "s", "entryPoints": ["tls"]},
    }
    for name in options:
        routers[f"o-{name}"] = router(f"Host(`{name}.test`)", options=name)
    return {
        "http": {
            "routers": routers,
            "services": {"s": {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{port}"}]}}},
        },
        "tls": {
            "options": options,
            "certificates": [files(name) for name in ("a", "wild", "exact", "address")],
            "stores": {"default": {"defaultCertificate": files("default")}},
        },
    }


FLAGS = {
    "entrypoints.tls.http.tls": "true",
    "entrypoints.redirect.http.redirections.entryPoint.to": "tls",
    "entrypoints.proxied.proxyProtocol.insecure": "true",
}


@pytest.fixture(scope="module")
def echo() -> Iterator[EchoServer]:
    with EchoServer({"s": 1}) as server:
        yield server


Start = Callable[..., Any]


@contextmanager
def running(
    start: Start, directory: Path, echo: EchoServer, **flags: str
) -> Iterator[RouterProcess]:
    configuration = dynamic(directory, next(iter(echo.ports.values())))
    with start(directory, list(ENTRYPOINTS), FLAGS | flags, configuration) as process:
        yield process


@pytest.fixture(scope="module")
def theirs(echo: EchoServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RouterProcess]:
    with running(traefik, tmp_path_factory.mktemp("traefik"), echo) as process:
        yield process


@pytest.fixture(scope="module")
def ours(echo: EchoServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RouterProcess]:
    with running(edgerouter, tmp_path_factory.mktemp("edgerouter"), echo) as process:
        yield process


@pytest.fixture(scope="module")
def compatible(
    echo: EchoServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RouterProcess]:
    directory = tmp_path_factory.mktemp("compatible")
    with running(edgerouter, directory, echo, **{"edgerouter.compat": "traefik"}) as process:
        yield process


@dataclass(frozen=True)
class Attempt:
    """One handshake with one request."""

    name: str
    sni: str | None
    host: str = ""
    path: str = "/"
    entrypoint: str = "web"
    maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    ciphers: str = ""
    curve: str = ""
    chain: tuple[Pair, ...] = ()
    before: bytes = b""
    protocols: tuple[str, ...] = ("http/1.1",)

    def on(self, router: RouterProcess) -> dict[str, Any]:
        """Return what came of it."""
        context = client_context(maximum_version=self.maximum)
        if self.protocols:
            context.set_alpn_protocols(list(self.protocols))
        if self.ciphers:
            context.set_ciphers(self.ciphers)
        if self.curve:
            context.set_ecdh_curve(self.curve)
        if self.chain:
            with_certificate(context, *self.chain)
        address = ("127.0.0.1", router.ports[self.entrypoint])
        try:
            with (
                self._connected(address) as plain,
                context.wrap_socket(plain, server_hostname=self.sni) as tls,
            ):
                return self._ask(tls)
        except (ssl.SSLError, ConnectionError) as error:
            return {"refused": isinstance(error, OSError)}

    def _connected(self, address: tuple[str, int]) -> socket.socket:
        plain = socket.create_connection(address, timeout=10)
        plain.sendall(self.before)
        return plain

    def _ask(self, tls: ssl.SSLSocket) -> dict[str, Any]:
        head = f"GET {self.path} HTTP/1.1\r\nHost: {self.host or self.sni}\r\nConnection: close"
        tls.sendall(head.encode() + b"\r\n\r\n")
        answer = b""
        while data := tls.recv(65536):
            answer += data
        if not answer:
            return {"refused": True}
        der = tls.getpeercert(binary_form=True)
        assert der is not None
        serial = x509.load_der_x509_certificate(der).serial_number
        known = {pair.serial: name for name, pair in PAIRS.items()}
        cipher = tls.cipher()
        return {
            "version": tls.version(),
            "cipher": cipher[0] if cipher and tls.version() == "TLSv1.2" else "",
            "certificate": known.get(serial, "another"),
            "protocol": tls.selected_alpn_protocol(),
            "status": answer.split()[1],
            "told": _told(answer),
        }


def _told(answer: bytes) -> dict[str, Any]:
    """Return the fields about the client's connection that the server was told."""
    body = answer.partition(b"\r\n\r\n")[2]
    try:
        headers = json.loads(body)["headers"]
    except (ValueError, KeyError, TypeError):
        return {"body": body}
    wanted = ("x-forwarded-proto", "x-forwarded-port", "x-forwarded-host")
    return {name.lower(): value for name, value in headers if name.lower() in wanted}


OLD = ssl.TLSVersion.TLSv1_2
ATTEMPTS = [
    Attempt("exact name", "a.test"),
    Attempt("upper case", "A.TEST", host="a.test"),
    Attempt("wildcard", "x.w.test"),
    Attempt("exact before wildcard", "exact.w.test"),
    Attempt("two labels for a wildcard", "x.y.w.test"),
    Attempt("unknown name", "unknown.test", host="a.test"),
    Attempt("no name", None, host="a.test"),
    *(
        Attempt(f"no name, {header}", None, "a.test", entrypoint="proxied", before=header.encode())
        for header in (
            "PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n",
            "PROXY TCP6 ::ffff:192.0.2.7 ::ffff:192.0.2.8 1 2\r\n",
            "PROXY UNKNOWN\r\n",
        )
    ),
    Attempt("path without host", "unknown.test", path="/everywhere"),
    Attempt("no router", "nowhere.test"),
    Attempt("plain router over TLS", "plain.test"),
    Attempt("version 1.2", "a.test", maximum=OLD, ciphers="ECDHE-ECDSA-AES128-GCM-SHA256"),
    Attempt("maximum 1.2", "old.test", ciphers="ECDHE-ECDSA-AES128-GCM-SHA256"),
    Attempt("minimum 1.3", "new.test"),
    Attempt("minimum 1.3, client 1.2", "new.test", maximum=OLD),
    Attempt("strict, unknown", "strict.test"),
    Attempt("one suite", "suite.test"),
    Attempt("other suite", "suite.test", ciphers="ECDHE-ECDSA-AES128-GCM-SHA256"),
    Attempt("RSA key exchange", "a.test", maximum=OLD, ciphers="AES128-SHA"),
    Attempt("one curve", "p384.test"),
    Attempt("other curve", "p384.test", curve="prime256v1"),
    *(
        Attempt(f"curve {curve}", f"curve-{number}.test", curve="secp384r1")
        for number, curve in enumerate(CURVES)
    ),
    Attempt("suites of 1.3 only", "only13.test"),
    Attempt("suites of 1.3 only, client 1.2", "only13.test", maximum=OLD),
    *(
        Attempt(f"protocols {name}, offered {offered}", f"{name}.test", protocols=offered)
        for name, offered in (
            ("a", ("foo",)),
            ("a", ("foo", "http/1.1")),
            ("foo", ("http/1.1",)),
            ("foo", ("h2", "http/1.1")),
            ("foo", ()),
            ("h2", ("http/1.1",)),
            ("h2", ("foo",)),
            ("h2", ()),
        )
    ),
    Attempt("unknown options", "gone.test"),
    Attempt("options with a version that is none", "odd.test"),
    Attempt("options with a suite that is none", "bad.test"),
    Attempt("options of a regexp do not count", "r.test"),
    Attempt("conflict", "both.test", ciphers="ECDHE-ECDSA-AES128-GCM-SHA256"),
    Attempt("conflict, client 1.2", "both.test", maximum=OLD, ciphers="ECDHE+AESGCM"),
    Attempt("host of other options", "a.test", host="new.test"),
    Attempt("host of default options", "new.test", host="a.test"),
    Attempt("host of the same options", "a.test", host="plain.test"),
    Attempt("no name, host of other options", None, host="new.test"),
    Attempt("entry point with TLS", "entry.test", entrypoint="tls"),
    Attempt("entry point that redirects, over TLS", "a.test", entrypoint="redirect"),
    *(
        Attempt(f"{option}, {what}", f"{option}.test", chain=chain, maximum=version)
        for option in ("implied", *(f"auth-{name}" for name in CLIENT_AUTH_TYPES))
        for what, chain, version in (
            ("nothing", (), OLD),
            ("nothing, 1.3", (), ssl.TLSVersion.TLSv1_3),
            ("stranger", (STRANGER,), OLD),
            ("own", (CLIENT,), OLD),
            ("own, 1.3", (CLIENT,), ssl.TLSVersion.TLSv1_3),
        )
    ),
]


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_handshake(attempt: Attempt, theirs: RouterProcess, ours: RouterProcess) -> None:
    expected = attempt.on(theirs)
    if isinstance(expected.get("told"), dict) and not attempt.ciphers:
        expected["cipher"] = ""  # Which of several is the taste of the library.
    actual = attempt.on(ours)
    if not attempt.ciphers and "cipher" in actual:
        actual["cipher"] = ""
    assert actual == expected


DIFFERENCES = [
    Attempt("CBC by default", "a.test", maximum=OLD, ciphers="ECDHE-ECDSA-AES128-SHA"),
]
"""What Traefik serves and edgerouter refuses on purpose (docs/differences.md)."""


@pytest.mark.parametrize("attempt", DIFFERENCES, ids=lambda attempt: attempt.name)
def test_difference(attempt: Attempt, theirs: RouterProcess, ours: RouterProcess) -> None:
    assert attempt.on(theirs)["status"] == b"200"
    assert attempt.on(ours) == {"refused": True}


@pytest.mark.parametrize("cipher", list(dict.fromkeys(SUITES.values())))
@pytest.mark.parametrize("host", ["a.test", "old.test", "suite.test"])
def test_suites_by_default(
    cipher: str, host: str, theirs: RouterProcess, compatible: RouterProcess
) -> None:
    attempt = Attempt(cipher, host, maximum=OLD, ciphers=f"{cipher}:@SECLEVEL=0")
    assert attempt.on(compatible) == attempt.on(theirs)


@pytest.mark.parametrize(
    ("entrypoint", "host"),
    [("redirect", "a.test"), ("redirect", "a.test:1"), ("web", "a.test"), ("tls", "entry.test")],
)
def test_plain_requests(
    entrypoint: str, host: str, theirs: RouterProcess, ours: RouterProcess
) -> None:
    def ask(router: RouterProcess) -> bytes:
        request = f"GET /p?q HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        with socket.create_connection(("127.0.0.1", router.ports[entrypoint]), timeout=10) as plain:
            plain.sendall(request.encode())
            answer = b""
            while data := plain.recv(65536):
                answer += data
        lines = answer.partition(b"\r\n\r\n")[0].split(b"\r\n")
        tls_port = b":%d/" % router.ports["tls"]
        kept = [lines[0], *(line for line in lines if line.lower().startswith(b"location:"))]
        return b"\n".join(kept).replace(tls_port, b":TLS/")

    assert ask(ours) == ask(theirs)


@pytest.mark.parametrize(("between", "is_cut"), [(0, True), (10, False)])
def test_key_updates(
    between: int, is_cut: bool, theirs: RouterProcess, ours: RouterProcess
) -> None:
    """A client that sends little else is cut off; one with data ``between`` them is served."""
    for router in (theirs, ours):
        assert asyncio.run(updated(router.ports["web"], between)) != is_cut


async def updated(port: int, between: int) -> bool:
    """Send a request with two hundred key updates; tell whether it was answered."""
    request = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n"
    async with TlsClient(port, "a.test") as client:
        client.write(request)
        try:
            for number in range(200):
                client.update_keys()
                if between and number % between == 0:
                    client.write(b"X-Field: %d\r\n" % number)
                    await client.flush()
            client.write(b"\r\n")
            await client.flush()
            return b" 200 " in await client.read()
        except OSError:
            return False
