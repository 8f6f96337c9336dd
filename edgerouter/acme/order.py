"""One certificate: from the names to the chain (RFC 8555, section 7.4). Blocking.

The order is written down before its challenges are answered, so that after a restart it
is continued instead of made again: each order counts against the CA's limits.
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Protocol

from cryptography import x509
from cryptography.x509.oid import NameOID
from josepy import b64

from edgerouter.acme.challenges import Challenge, Solver, pause
from edgerouter.acme.connection import Answer, Connection, problem
from edgerouter.acme.errors import CertificateError
from edgerouter.acme.keys import belong_together, certificate_request, load_key, new_key, to_pem
from edgerouter.observability.logs import fields

log = logging.getLogger(__name__)

VALIDATION_TIME = 120.0
"""Seconds the CA has for looking at all challenges."""

_FIRST_POLL, _LONGEST_POLL = 0.2, 5.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A certificate as it is ordered."""

    names: tuple[str, ...]
    """The first one is the common name."""
    key_type: str = "EC256"
    profile: str = ""
    preferred_chain: str = ""
    """Common name of an issuer in the preferred chain."""
    emails: tuple[str, ...] = ()
    common_name: bool = True
    replaces: str = ""
    """Identifier (RFC 9773) of the certificate this one replaces."""
    patience: float = 30.0
    """Seconds the CA has for issuing once everything is proved."""


@dataclass(frozen=True, slots=True)
class Pending:
    """An order that has been made and is not finished."""

    url: str
    key: str
    """Private key of the certificate (PEM)."""
    directory: str


class Journal(Protocol):
    """Where the unfinished order of this certificate is written down."""

    def load(self) -> Pending | None: ...

    def save(self, pending: Pending | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Issued:
    """A new certificate."""

    chain: str
    key: str


@dataclass(slots=True)
class Order:
    """Obtains one certificate."""

    connection: Connection
    directory: str
    wanted: Wanted
    solver: Solver
    journal: Journal
    stop: threading.Event

    def obtain(self) -> Issued:
        """Continue the unfinished order, or make one, and see it through.

        Raises:
            CertificateError: The CA refuses or cannot be reached.
            Interrupted: The control plane stops meanwhile.
        """
        pending, answer = self._unfinished() or self._make()
        try:
            return self._finish(pending, answer)
        except CertificateError as error:
            if error.reached_ca:
                self.journal.save(None)
            raise

    def _unfinished(self) -> tuple[Pending, Answer] | None:
        pending = self.journal.load()
        if pending is None or pending.directory != self.directory:
            return None
        try:
            answer = self.connection.post(pending.url, None)
        except CertificateError as error:
            if not error.reached_ca:
                raise
            self.journal.save(None)
            return None
        names = {item["value"] for item in answer.json.get("identifiers") or ()}
        if answer.json.get("status") == "invalid" or names != set(self.wanted.names):
            self.journal.save(None)
            return None
        log.info("Order continued", extra=fields(domains=",".join(self.wanted.names)))
        return pending, answer

    def _make(self) -> tuple[Pending, Answer]:
        content: dict[str, Any] = {"identifiers": [_identifier(n) for n in self.wanted.names]}
        if self.wanted.profile:
            self._check_profile()
            content["profile"] = self.wanted.profile
        if self.wanted.replaces and "renewalInfo" in self.connection.directory:
            content["replaces"] = self.wanted.replaces
        url = self.connection.directory["newOrder"]
        try:
            answer = self.connection.post(url, content)
        except CertificateError as error:
            # An unknown or already replaced predecessor must not stand in the way.
            if "replaces" not in content or not error.reached_ca or error.code == "rateLimited":
                raise
            del content["replaces"]
            answer = self.connection.post(url, content)
        pending = Pending(answer.url, to_pem(new_key(self.wanted.key_type)), self.directory)
        self.journal.save(pending)
        return pending, answer

    def _check_profile(self) -> None:
        offered = self.connection.meta.get("profiles")
        known = sorted(offered) if isinstance(offered, dict) else []
        if self.wanted.profile not in known:
            choice = f"it offers {', '.join(known)}" if known else "it offers none"
            raise CertificateError(
                f'the CA has no profile "{self.wanted.profile}"; {choice}; change acme.profile',
                reached_ca=False,
            )

    def _finish(self, pending: Pending, answer: Answer) -> Issued:
        if answer.json["status"] == "pending":
            self._prove(answer.json["authorizations"])
            answer = self._poll(pending.url, {"pending"}, VALIDATION_TIME, "validating the names")
        if answer.json["status"] == "ready":
            request = certificate_request(
                load_key(pending.key),
                self.wanted.names,
                self.wanted.emails,
                common_name=self.wanted.common_name,
            )
            self.connection.post(answer.json["finalize"], {"csr": b64.b64encode(request).decode()})
        answer = self._poll(
            pending.url, {"ready", "processing"}, self.wanted.patience, "issuing the certificate"
        )
        if answer.json["status"] != "valid":
            raise problem(answer.json.get("error") or {}, answer.retry_after)
        chain = self._chain(answer.json["certificate"])
        try:
            fits = belong_together(chain, pending.key)
        except ValueError as error:
            raise CertificateError(f"the CA sent no readable certificate: {error}") from error
        if not fits:
            raise CertificateError("the CA sent a certificate for another key")
        return Issued(chain, pending.key)

    def _prove(self, urls: Sequence[str]) -> None:
        """Answer one challenge of each authorization that is still open."""
        waiting = {}
        for url in urls:
            content = self.connection.post(url, None).json
            if content.get("status") == "pending":
                waiting[url] = self._challenge(content)
        challenges = list(waiting.values())
        try:
            if challenges:
                self.solver.present(challenges, self.stop)
            for challenge in challenges:
                self.connection.post(challenge.url, {})
            for url, challenge in waiting.items():
                answer = self._poll(url, {"pending"}, VALIDATION_TIME, "validating the names")
                if answer.json["status"] != "valid":
                    raise _refused(challenge, answer.json)
        finally:
            if challenges:
                with suppress(CertificateError):
                    self.solver.clean_up(challenges)

    def _challenge(self, content: dict[str, Any]) -> Challenge:
        name = content["identifier"]["value"]
        for offered in content["challenges"]:
            if offered["type"] == self.solver.kind:
                token = offered["token"]
                return Challenge(
                    name, token, self.connection.key_authorization(token), offered["url"]
                )
        kinds = ", ".join(sorted(offered["type"] for offered in content["challenges"]))
        wildcard = " for a wildcard name" if content.get("wildcard") else ""
        raise CertificateError(
            f"the CA does not offer {self.solver.kind} for {name}{wildcard}, only {kinds}"
        )

    def _poll(self, url: str, passing: set[str], patience: float, what: str) -> Answer:
        """Ask until the status is none of ``passing``."""
        deadline = time.monotonic() + patience
        for wait in _waits():
            answer = self.connection.post(url, None)
            if answer.json.get("status") not in passing:
                return answer
            longer = max(wait, answer.retry_after or 0.0)
            if time.monotonic() + longer > deadline:
                break
            pause(longer, self.stop)
        raise CertificateError(f"the CA takes longer than {patience:g} s for {what}")

    def _chain(self, url: str) -> str:
        """Fetch the chain, another one if that has the preferred issuer."""
        answer = self.connection.post(url, None)
        preferred = self.wanted.preferred_chain
        if not preferred or _has_issuer(answer.text, preferred):
            return answer.text
        for link in answer.links:
            other = self.connection.post(link, None).text
            if _has_issuer(other, preferred):
                return other
        log.warning(
            "The CA offers no chain of this issuer, its usual one is taken",
            extra=fields(preferredChain=preferred, domains=",".join(self.wanted.names)),
        )
        return answer.text


def _identifier(name: str) -> dict[str, str]:
    try:
        return {"type": "ip", "value": str(ip_address(name))}
    except ValueError:
        return {"type": "dns", "value": name}


def _waits() -> Iterator[float]:
    wait = _FIRST_POLL
    while True:
        yield wait
        wait = min(wait * 1.5, _LONGEST_POLL)


def _refused(challenge: Challenge, authorization: dict[str, Any]) -> CertificateError:
    """Say why the CA did not accept the proof of a name."""
    for offered in authorization.get("challenges") or ():
        if offered.get("error"):
            error = problem(offered["error"])
            return CertificateError(f"{challenge.name}: {error}", code=error.code)
    return CertificateError(f"{challenge.name}: the CA did not accept the proof, without a reason")


def _has_issuer(chain: str, name: str) -> bool:
    """Whether any certificate of the chain was issued by ``name``."""
    return any(
        attribute.value == name
        for certificate in x509.load_pem_x509_certificates(chain.encode())
        for attribute in certificate.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    )
