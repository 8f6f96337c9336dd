"""Answers to challenges that workers give: HTTP-01 (RFC 8555) and TLS-ALPN-01 (RFC 8737).

A solver makes an answer available, waits until the CA may look, and takes it away again.
``dns`` has the solver of DNS-01. Solvers are used by the threads that obtain certificates.
"""

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from edgerouter.acme.errors import Interrupted
from edgerouter.acme.keys import general_names, new_key, to_pem

_ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge of an authorization."""

    name: str
    """The name to be proved, without ``*.``."""
    token: str
    key_authorization: str
    url: str


class Solver(Protocol):
    """Puts answers in place; raises ``CertificateError``."""

    kind: str
    """The type in the protocol, e.g. ``http-01``."""

    def present(self, challenges: Sequence[Challenge], stop: threading.Event) -> None:
        """Make the answers available; return when the CA may look for them."""
        ...

    def clean_up(self, challenges: Sequence[Challenge]) -> None:
        """Take the answers away."""
        ...


class Answers:
    """What workers answer now; threads of several orders change it.

    ``publish`` hands a change to the workers; with True it returns once all have it (or gives
    up waiting after some seconds). It is called from the threads of orders.
    """

    def __init__(self, publish: Callable[[bool], None]) -> None:
        self._publish = publish
        self._lock = threading.Lock()
        self._http: dict[str, str] = {}
        self._tls: dict[str, tuple[str, str]] = {}

    @property
    def http01(self) -> dict[str, str]:
        """Key authorization by token."""
        with self._lock:
            return dict(self._http)

    @property
    def acme_tls(self) -> dict[str, tuple[str, str]]:
        """Certificate and key (PEM) by host."""
        with self._lock:
            return dict(self._tls)

    def add(self, http: dict[str, str], tls: dict[str, tuple[str, str]]) -> None:
        """Answer these too."""
        with self._lock:
            self._http |= http
            self._tls |= tls
        self._publish(True)

    def remove(self, tokens: Sequence[str], hosts: Sequence[str]) -> None:
        """Answer these no longer."""
        with self._lock:
            for token in tokens:
                self._http.pop(token, None)
            for host in hosts:
                self._tls.pop(host, None)
        self._publish(False)


def pause(seconds: float, stop: threading.Event) -> None:
    """Wait, unless the control plane stops.

    Raises:
        Interrupted: It does.
    """
    if stop.wait(seconds):
        raise Interrupted


class HTTPSolver:
    """HTTP-01."""

    kind = "http-01"

    def __init__(self, answers: Answers, delay: float = 0.0) -> None:
        self._answers = answers
        self._delay = delay

    def present(self, challenges: Sequence[Challenge], stop: threading.Event) -> None:
        self._answers.add({each.token: each.key_authorization for each in challenges}, {})
        pause(self._delay, stop)

    def clean_up(self, challenges: Sequence[Challenge]) -> None:
        self._answers.remove([each.token for each in challenges], [])


class TLSSolver:
    """TLS-ALPN-01."""

    kind = "tls-alpn-01"

    def __init__(self, answers: Answers, delay: float = 0.0) -> None:
        self._answers = answers
        self._delay = delay

    def present(self, challenges: Sequence[Challenge], stop: threading.Event) -> None:
        pairs = {
            each.name: challenge_certificate(each.name, each.key_authorization)
            for each in challenges
        }
        self._answers.add({}, pairs)
        pause(self._delay, stop)

    def clean_up(self, challenges: Sequence[Challenge]) -> None:
        self._answers.remove([], [each.name for each in challenges])


def challenge_certificate(name: str, key_authorization: str) -> tuple[str, str]:
    """Return the self-signed certificate that proves a name, and its key (RFC 8737, section 3)."""
    key = new_key("EC256")
    now = datetime.now(UTC)
    subject = x509.Name([])
    digest = hashlib.sha256(key_authorization.encode()).digest()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(general_names([name])), critical=False)
        .add_extension(
            # The digest as an OCTET STRING of 32 bytes.
            x509.UnrecognizedExtension(_ACME_IDENTIFIER, b"\x04\x20" + digest),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM).decode(), to_pem(key)
