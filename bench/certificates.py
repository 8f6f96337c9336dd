"""Many certificates, of files and of an ACME storage: start, memory, and one that is replaced."""

import base64
import datetime as dt
import json
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from bench.harness import Series, Settings, in_turns, running_upstream, scratch
from bench.load import load
from bench.processes import Running
from bench.routers import CONTESTANTS, Routes, replace_file
from edgerouter.acme.keys import PrivateKey, new_key, to_pem
from edgerouter.acme.order import Issued
from edgerouter.acme.storage import Storage

TITLE = "Many certificates"
TEXT = (
    "1,000 certificates, of files and of an ACME storage, with keys of both usual kinds (four of"
    " each, as RSA keys take long to make): time and CPU of the start, up to the first handshake"
    " with the last of them, and resident memory of the serving process, beyond those with one."
    " Then one is replaced ten times, under requests on 32 keep-alive TLS connections. "
    "nginx of the benchmark has no part for TLS."
)
KINDS = ("EC256", "RSA4096")
SOURCES = ("files", "ACME")
KEYS = 4
REPLACEMENTS = 10
WAIT = 120.0
"""Seconds a router has to serve a certificate."""

AUTHORITY = ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate for one name, and its key."""

    name: str
    certificate: str
    key: str

    @property
    def der(self) -> bytes:
        return ssl.PEM_cert_to_DER_cert(self.certificate)


def measure(settings: Settings) -> list[Series]:
    ways = [(kind, source) for kind in KINDS for source in SOURCES]
    start = {way: Series(f"Start, beyond one: {' of '.join(way)}", "s") for way in ways}
    cpu = {way: Series(f"CPU of it: {' of '.join(way)}", "s") for way in ways}
    memory = {way: Series(f"Memory, beyond one: {' of '.join(way)}", "MB") for way in ways}
    effect = Series("Replaced file to handshake with it", "ms")
    failed = Series("Failed requests meanwhile", "")
    with running_upstream() as upstream:
        routes = Routes(1, upstream)

        def once(contestant: str) -> None:
            for way in ways:
                one, many = (
                    _started(contestant, routes, *way, count)
                    for count in (1, settings.certificates)
                )
                for number, series in enumerate((start[way], cpu[way], memory[way])):
                    series.add(contestant, many[number] - one[number])
            delays, failures = _replaced(contestant, routes, settings.certificates)
            effect.add(contestant, sum(delays) / len(delays) * 1000)
            failed.add(contestant, failures)

        contestants = [name for name in settings.contestants if name != "nginx"]
        in_turns(Settings(contestants, settings.rounds), once)
    return [*start.values(), *cpu.values(), *memory.values(), effect, failed]


def _started(
    contestant: str, routes: Routes, kind: str, source: str, count: int
) -> tuple[float, float, float]:
    """Start with ``count`` certificates; return the seconds, those of CPU, and MB of memory."""
    pairs = _pairs(kind, count)
    with scratch() as directory:
        flags = _storage_flags(contestant, directory, pairs) if source == "ACME" else ()
        running = CONTESTANTS[contestant](directory, routes, *flags)
        _write_dynamic(directory, pairs if source == "files" else ())
        begin = time.perf_counter()
        with running:
            _wait_served(running, pairs[-1])
            taken = time.perf_counter() - begin
            return taken, running.cpu(), list(running.memory().values())[-1]


def _replaced(contestant: str, routes: Routes, count: int) -> tuple[list[float], int]:
    """Replace a certificate again and again; return the seconds each took, and what failed."""
    pairs = _pairs("EC256", count)
    delays = []
    with scratch() as directory:
        running = CONTESTANTS[contestant](directory, routes)
        _write_dynamic(directory, pairs)
        with running:
            _wait_served(running, pairs[-1])
            with load(
                directory, running.port, routes.hosts, seconds=600, scheme="https"
            ) as under_way:
                for _ in range(REPLACEMENTS):
                    new = _pair(pairs[-1].name, new_key("EC256"))
                    begin = time.perf_counter()
                    # With the file that names them, or Traefik would not look.
                    _write_dynamic(directory, [*pairs[:-1], new])
                    _wait_served(running, new)
                    delays.append(time.perf_counter() - begin)
                result = under_way.stop()
    return delays, result.failed


def _write_dynamic(directory: Path, pairs: Sequence[Pair]) -> None:
    """Write files of certificates, what names them, and a router that answers over TLS."""
    (directory / "certificates").mkdir(exist_ok=True)
    entries = []
    for pair in pairs:
        files = {
            ending: directory / f"certificates/{pair.name}.{ending}" for ending in ("crt", "key")
        }
        for path, text in zip(files.values(), (pair.certificate, pair.key), strict=True):
            if not path.exists() or path.read_text() != text:
                replace_file(path, text)
        entries.append({"certFile": str(files["crt"]), "keyFile": str(files["key"])})
    router = {"rule": "PathPrefix(`/`)", "service": "app-0", "tls": {}}
    content = {
        "http": {"routers": {"secure": router}},
        "tls": {"certificates": entries},
    }
    # JSON is YAML; a comment, for the paths are the same when their content is not.
    text = f"# {time.time()}\n{json.dumps(content)}"
    replace_file(directory / "dynamic" / "tls.yaml", text)


def _storage_flags(contestant: str, directory: Path, pairs: Sequence[Pair]) -> list[str]:
    """Write the storage of a resolver that has obtained ``pairs``; return its options."""
    path = directory / "acme.json"
    if contestant == "edgerouter":
        storage = Storage(directory / "acme.json.d", "bench")
        storage.open()
        for pair in pairs:
            storage.save([pair.name], Issued(pair.certificate, pair.key), "")
    else:
        certificates = [
            {
                "domain": {"main": pair.name},
                "certificate": base64.b64encode(pair.certificate.encode()).decode(),
                "key": base64.b64encode(pair.key.encode()).decode(),
                "Store": "default",
            }
            for pair in pairs
        ]
        path.write_text(json.dumps({"bench": {"Account": None, "Certificates": certificates}}))
        path.chmod(0o600)
    prefix = "--certificatesresolvers.bench.acme"
    return [
        f"{prefix}.storage={path}",
        f"{prefix}.caserver=https://127.0.0.1:1/directory",
        f"{prefix}.tlschallenge=true",
    ]


def _wait_served(running: Running, pair: Pair) -> None:
    """Return once a handshake for the name of ``pair`` gives its certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    end = time.monotonic() + WAIT
    while _shown(running.port, context, pair.name) != pair.der:
        if time.monotonic() > end:
            tail = running.log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{running.name} does not serve {pair.name}:\n{tail}")
        time.sleep(0.01)


def _shown(port: int, context: ssl.SSLContext, name: str) -> bytes | None:
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname=name) as secure,
        ):
            return secure.getpeercert(binary_form=True)
    except OSError:
        return None


@cache
def _pairs(kind: str, count: int) -> list[Pair]:
    keys = [new_key(kind) for _ in range(min(KEYS, count))]
    return [_pair(f"n{number}.test", keys[number % len(keys)]) for number in range(count)]


def _pair(name: str, key: PrivateKey) -> Pair:
    now = dt.datetime.now(dt.UTC)
    subject, issuer = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, "bench")
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )
    signed = builder.sign(AUTHORITY, SHA256())
    return Pair(name, signed.public_bytes(Encoding.PEM).decode(), to_pem(key))
