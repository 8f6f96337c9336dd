"""A CA without cryptography that keeps Let's Encrypt's limits, in the time of the test.

It believes every signature. Validations succeed or fail as the test says. Who orders the same
names again gets the order that is still open, as with Let's Encrypt.
"""

import base64
import itertools
import json
import threading
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
    slow: bool = False
    """Orders stay in progress once all is proved."""
    busy: int = 0
    """So many requests about orders are answered by 503."""
    busy_with_new: int = 0
    """So many new orders are."""
    bad_request: str = ""
    """The error by which certificate requests are refused."""

    watch: Callable[[], None] = lambda: None
    """Called when a request has come and before it is answered, so twice for each."""

    def open_order(self, names: tuple[str, ...]) -> int | None:
        """Return the number of the order for the same names that is not finished."""
        for number, order in enumerate(self.orders):
            if order["names"] == names and order["status"] in {"pending", "ready"}:
                return number
        return None

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
    lock = threading.Lock()
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
            ca.watch()
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
            with lock:
                if not self._is_busy("busy_with_new"):
                    self._new_order(names)

        def _new_order(self, names: tuple[str, ...]) -> None:
            if (number := ca.open_order(names)) is not None:
                self._order(number, 201)
                return
            if (reason := ca.limit(names)) is not None:
                ca.refused.append(reason)
                headers = {} if ca.retry_after is None else {"Retry-After": str(ca.retry_after)}
                self._problem(429, "rateLimited", reason, headers)
                return
            ca.made.append(ca.clock())
            number = len(ca.orders)
            ca.orders.append({"names": names, "status": "pending"})
            self._order(number, 201)

        def on_order(self, content: Any, rest: str) -> None:
            if not self._is_busy("busy"):
                self._order(int(rest), 200)

        def _is_busy(self, counter: str) -> bool:
            left = getattr(ca, counter)
            if left == 0:
                return False
            setattr(ca, counter, left - 1)
            self._problem(503, "serverInternal", "Service busy; retry later", {"Retry-After": "30"})
            return True

        def _problem(
            self, status: int, kind: str, detail: str, headers: dict[str, str] | None = None
        ) -> None:
            content = {"type": f"urn:ietf:params:acme:error:{kind}", "detail": detail}
            self._send(status, content, headers)

        def _order(self, number: int, status: int) -> None:
            order = ca.orders[number]
            if order["status"] == "gone":
                self._problem(404, "malformed", "no such order")
                return
            is_held = ca.slow and order["status"] == "valid"
            shown = {
                "status": "processing" if is_held else order["status"],
                "expires": order.get("expires", "2099-01-01T00:00:00Z"),
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
            if self._is_busy("busy"):
                return
            if ca.bad_request:
                self._problem(400, ca.bad_request, "not this key")
                return
            with lock:
                self._issue(content, rest)

        def _issue(self, content: Any, rest: str) -> None:
            order = ca.orders[int(rest)]
            if order["status"] != "ready":
                self._problem(403, "orderNotReady", "it is not ready")
                return
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
            ca.watch()
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

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """Clients may be killed."""

    server = Server(("127.0.0.1", 0), Handler)
    base = f"http://127.0.0.1:{server.server_address[1]}"
    with running(server):
        yield f"{base}/dir"
