"""A CA without cryptography that keeps Let's Encrypt's limits, in the time of the test.

It believes every signature. Validations succeed or fail as the test says.
"""

import base64
import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from edgerouter.acme.keys import general_names, new_key
from tests.support.acme_responder import running

HOUR, DAY = 3600.0, 86400.0


@dataclass
class StubCA:
    """What the CA knows and has counted."""

    clock: Callable[[], float]
    succeeds: bool = True
    retry_after: int | None = 600
    orders: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    failures: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    issued: list[tuple[float, tuple[str, ...]]] = field(default_factory=list)
    made: list[float] = field(default_factory=list)
    accounts: int = 0

    def limit(self, names: tuple[str, ...]) -> str | None:
        """Return the limit that a new order exceeds."""
        now = self.clock()
        if sum(time > now - 3 * HOUR for time in self.made) >= 300:
            return "too many new orders"
        if any(sum(t > now - HOUR for t in self.failures[name]) >= 5 for name in names):
            return "too many failed authorizations"
        recent = [issued for time, issued in self.issued if time > now - 7 * DAY]
        if recent.count(names) >= 5:
            return "too many certificates for this exact set"
        domain = ".".join(names[0].split(".")[-2:])
        if sum(each[0].endswith(domain) for each in recent) >= 50:
            return "too many certificates for the domain"
        return None

    def validate(self, order: dict[str, Any]) -> None:
        if order["status"] != "pending":
            return
        if self.succeeds:
            order["status"] = "ready"
        else:
            order["status"] = "invalid"
            for name in order["names"]:
                self.failures[name].append(self.clock())


@contextmanager
def acme_stub(ca: StubCA) -> Iterator[str]:  # noqa: C901 - a server in one piece.
    """Serve the CA; yields the URL of its directory."""
    numbers = itertools.count()
    key = new_key("EC256")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536  # One packet per answer.

        def do_HEAD(self) -> None:
            self._send(200, None)

        def do_GET(self) -> None:
            names = ("newNonce", "newAccount", "newOrder", "revokeCert")
            self._send(200, {name: f"{base}/{name}" for name in names})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            text = base64.urlsafe_b64decode(body["payload"] + "==")
            content = json.loads(text) if text else {}
            kind, _, rest = self.path.lstrip("/").partition("/")
            getattr(self, f"on_{kind}")(content, rest)

        def on_newAccount(self, content: Any, rest: str) -> None:
            ca.accounts += 1
            self._send(201, {"status": "valid"}, {"Location": f"{base}/account/1"})

        def on_account(self, content: Any, rest: str) -> None:
            self._send(200, {"status": "valid"})

        def on_newOrder(self, content: Any, rest: str) -> None:
            names = tuple(each["value"] for each in content["identifiers"])
            if (reason := ca.limit(names)) is not None:
                ca.refused.append(reason)
                headers = {} if ca.retry_after is None else {"Retry-After": str(ca.retry_after)}
                kind = "urn:ietf:params:acme:error:rateLimited"
                self._send(429, {"type": kind, "detail": reason}, headers)
                return
            ca.made.append(ca.clock())
            number = len(ca.orders)
            ca.orders.append({"names": names, "status": "pending"})
            self._order(number, 201)

        def on_order(self, content: Any, rest: str) -> None:
            self._order(int(rest), 200)

        def _order(self, number: int, status: int) -> None:
            order = ca.orders[number]
            shown = {
                "status": order["status"],
                "identifiers": [{"type": "dns", "value": name} for name in order["names"]],
                "authorizations": [
                    f"{base}/authz/{number}/{i}" for i in range(len(order["names"]))
                ],
                "finalize": f"{base}/finalize/{number}",
                "certificate": f"{base}/certificate/{number}",
            }
            self._send(status, shown, {"Location": f"{base}/order/{number}"})

        def on_authz(self, content: Any, rest: str) -> None:
            number, _, index = rest.partition("/")
            order = ca.orders[int(number)]
            status = {"pending": "pending", "invalid": "invalid"}.get(order["status"], "valid")
            challenge = {"type": "http-01", "token": "token", "url": f"{base}/challenge/{number}"}
            if status == "invalid":
                kind = "urn:ietf:params:acme:error:dns"
                challenge["error"] = {"type": kind, "detail": "no address"}  # type: ignore[assignment]
            name = {"type": "dns", "value": order["names"][int(index)]}
            self._send(200, {"status": status, "identifier": name, "challenges": [challenge]})

        def on_challenge(self, content: Any, rest: str) -> None:
            ca.validate(ca.orders[int(rest)])
            self._send(200, {})

        def on_finalize(self, content: Any, rest: str) -> None:
            order = ca.orders[int(rest)]
            csr = x509.load_der_x509_csr(base64.urlsafe_b64decode(content["csr"] + "=="))
            start = datetime.fromtimestamp(ca.clock(), UTC)
            issuer = x509.Name([])
            signed = (
                x509.CertificateBuilder()
                .subject_name(issuer)
                .issuer_name(issuer)
                .public_key(csr.public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(start)
                .not_valid_after(start + timedelta(days=90))
                .add_extension(x509.SubjectAlternativeName(general_names(order["names"])), False)
                .sign(key, hashes.SHA256())
            )
            order["chain"] = signed.public_bytes(Encoding.PEM)
            order["status"] = "valid"
            ca.issued.append((ca.clock(), order["names"]))
            self._order(int(rest), 200)

        def on_certificate(self, content: Any, rest: str) -> None:
            self._send(200, ca.orders[int(rest)]["chain"])

        def _send(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            kind = "application/problem+json" if status >= 400 else "application/json"
            self.send_header("Content-Type", kind)
            self.send_header("Replay-Nonce", f"nonce{next(numbers):011}")
            self.send_header("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    base = f"http://127.0.0.1:{server.server_address[1]}"
    with running(server):
        yield f"{base}/dir"
