"""Answers to challenges that workers give: HTTP-01 (RFC 8555) and TLS-ALPN-01 (RFC 8737).

A solver makes an answer available, waits until the CA may look, and takes it away again.
``dns`` has the solver of DNS-01. Solvers are used by the threads that obtain certificates.
"""

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from edgerouter.acme.answers import Answer, Answers, Kind
from edgerouter.acme.board import Board
from edgerouter.acme.errors import Interrupted
from edgerouter.acme.keys import general_names, new_key, to_pem

DNS_01 = "dns-01"
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

    @property
    def kind(self) -> str:
        """The type in the protocol, e.g. ``http-01``."""
        ...

    def present(self, challenges: Sequence[Challenge], stop: threading.Event) -> None:
        """Make the answers available; return when the CA may look for them."""
        ...

    def clean_up(self, challenges: Sequence[Challenge]) -> None:
        """Take the answers away."""
        ...


def pause(seconds: float, stop: threading.Event) -> None:
    """Wait, unless the control plane stops.

    Raises:
        Interrupted: It does.
    """
    if stop.wait(seconds):
        raise Interrupted


class WorkerSolver:
    """A solver whose answers workers give, those of other routers too."""

    kind: Kind

    def __init__(self, answers: Answers, delay: float = 0.0, board: Board | None = None) -> None:
        self._answers = answers
        self._delay = delay
        self.board = board
        """Where routers that share the storage find the answers."""
        self._lock = threading.Lock()
        self._given: dict[Challenge, Answer] = {}

    def present(self, challenges: Sequence[Challenge], stop: threading.Event) -> None:
        given = {each: self._answer(each) for each in challenges}
        self._answers.add(list(given.values()), stop)
        with self._lock:
            self._given |= given
        try:
            if self.board is not None:
                self.board.post(given.values(), stop)
            pause(self._delay, stop)
        except BaseException:
            self.clean_up(challenges)
            raise

    def clean_up(self, challenges: Sequence[Challenge]) -> None:
        with self._lock:
            given = [self._given.pop(each) for each in challenges if each in self._given]
        if given:
            # On the board last: who finds room there must not find our workers answering.
            self._answers.remove(given)
            if self.board is not None:
                self.board.take_down(given)

    def _answer(self, challenge: Challenge) -> Answer:
        raise NotImplementedError


class HTTPSolver(WorkerSolver):
    """HTTP-01."""

    kind = "http-01"

    def _answer(self, challenge: Challenge) -> Answer:
        return Answer(self.kind, challenge.token, (challenge.key_authorization,))


class TLSSolver(WorkerSolver):
    """TLS-ALPN-01."""

    kind = "tls-alpn-01"

    def _answer(self, challenge: Challenge) -> Answer:
        pair = challenge_certificate(challenge.name, challenge.key_authorization)
        return Answer(self.kind, server_name(challenge.name), pair)


def server_name(name: str) -> str:
    """Return what a CA asks for in the handshake; for addresses see RFC 8738, section 6."""
    try:
        return ip_address(name).reverse_pointer
    except ValueError:
        return name


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
