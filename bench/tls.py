"""HTTPS: CPU per request on connections that are kept, and per connection with a full handshake."""

import http.client
import json
import ssl
import subprocess
import time
from pathlib import Path

from bench.harness import Series, Settings, in_turns, running_upstream, started
from bench.load import HEADERS, load
from bench.routers import Routes, replace_file

TITLE = "HTTPS"
TEXT = (
    "TLS 1.3 with a P-256 certificate: small requests on 32 keep-alive connections, and requests"
    " with a connection and a full handshake each."
)
WAIT = 20.0
"""Seconds a router has to take the certificate."""


def measure(settings: Settings) -> list[Series]:
    kept = Series("CPU per request, keep-alive", "µs")
    anew = Series("CPU per request with its own handshake", "µs")
    failed = Series("Failed requests", "")
    with running_upstream() as upstream:
        routes = Routes(1, upstream)

        def once(contestant: str) -> None:
            with started(contestant, routes) as (running, directory):
                secure(directory, routes, running.port)
                for series, fields in ((kept, HEADERS), (anew, {"Connection": "close"})):
                    before = running.cpu()
                    with load(
                        directory,
                        running.port,
                        routes.hosts,
                        seconds=settings.seconds,
                        scheme="https",
                        fields=fields,
                    ) as under_way:
                        result = under_way.result()
                    series.add(contestant, (running.cpu() - before) * 1e6 / result.requests)
                    failed.add(contestant, result.failed)

        # nginx of the benchmark has no part for TLS.
        contestants = [name for name in settings.contestants if name != "nginx"]
        in_turns(Settings(contestants, settings.rounds, settings.seconds), once)
    return [kept, anew, failed]


def secure(directory: Path, routes: Routes, port: int) -> None:
    """Have the running router answer TLS too, with a certificate of our own."""
    certificate, key = directory / "tls.crt", directory / "tls.key"
    make_certificate(certificate, key, "app-0.example.com")
    router = {"rule": "PathPrefix(`/`)", "service": "secure", "tls": {}}
    servers = [{"url": f"http://127.0.0.1:{routes.upstream}"}]
    files = {"certFile": str(certificate), "keyFile": str(key)}
    content = {
        "http": {
            "routers": {"secure": router},
            "services": {"secure": {"loadBalancer": {"servers": servers}}},
        },
        "tls": {"stores": {"default": {"defaultCertificate": files}}},
    }
    text = json.dumps(content)  # JSON is YAML.
    replace_file(directory / "dynamic" / "tls.yaml", text)
    end = time.monotonic() + WAIT
    while not _answers(port):
        if time.monotonic() > end:
            raise RuntimeError("the router does not answer over TLS")
        time.sleep(0.05)


def make_certificate(certificate: Path, key: Path, name: str) -> None:
    """Write a self-signed certificate with a P-256 key."""
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    command = ["openssl", "req", "-x509", *kind, *files, *names, "-days", "30"]
    subprocess.run(command, check=True, capture_output=True)


def _answers(port: int) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
    try:
        connection.request("GET", "/", headers={"Host": "app-0.example.com"})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
