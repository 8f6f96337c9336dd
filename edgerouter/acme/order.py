"""One certificate: from the names to the chain (RFC 8555, section 7.4). Blocking.

The order is written down before its challenges are answered, so that it is continued instead
of made again, after a restart and when the CA was away or slow: each order counts against its
limits.
"""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, Protocol

from cryptography import x509
from cryptography.x509.oid import NameOID
from josepy import b64

from edgerouter.acme.challenges import Challenge, Solver, pause
from edgerouter.acme.connection import Answer, Connection, problem
from edgerouter.acme.errors import CertificateError, OrderLost
from edgerouter.acme.keys import belong_together, certificate_request, load_key, new_key, to_pem
from edgerouter.acme.records import Pending
from edgerouter.observability.logs import fields

log = logging.getLogger(__name__)

VALIDATION_TIME = 120.0
"""Seconds the CA has for looking at all challenges."""

_FIRST_POLL, _LONGEST_POLL = 0.2, 5.0

_USELESS_REQUEST = frozenset({"badCSR", "badPublicKey"})
"""Errors after which another key is needed, and so another order."""

VALIDATION_CODES = frozenset(
    {"caa", "connection", "dns", "incorrectResponse", "tls", "unauthorized"}
)
"""Errors that a CA counts as a failed validation."""


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


class Journal(Protocol):
    """Where orders are written down."""

    def announce(self) -> None:
        """An order is about to be made; raises ``CertificateError`` when it must not be."""
        ...

    def save(self, pending: Pending) -> None:
        """The order is made."""
        ...


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

    def obtain(self, pending: Pending | None = None) -> Issued:
        """See an order through: the unfinished one, or a new one.

        Raises:
            OrderLost: The order is over.
            CertificateError: It is not finished yet, or none was made.
            Interrupted: The control plane stops meanwhile.
        """
        if pending is None:
            pending, answer = self._make()
        else:
            answer = self._resume(pending)
        try:
            return self._finish(pending, answer)
        except OrderLost:
            raise
        except CertificateError as error:
            if not error.passing:
                self._look_again(pending, error)
            raise

    def _resume(self, pending: Pending) -> Answer:
        try:
            answer = self.connection.post(pending.url, None)
        except CertificateError as error:
            if error.passing:
                raise
            raise OrderLost(f"the CA has no such order: {error}", expired=True) from error
        names = {item["value"] for item in answer.json.get("identifiers") or ()}
        if names != set(self.wanted.names):
            raise OrderLost("the order is for other names", expired=True)
        if _is_over(answer.json):
            raise OrderLost("the time of the order is over", expired=True)
        log.info("Order continued", extra=fields(domains=",".join(self.wanted.names)))
        return answer

    def _look_again(self, pending: Pending, error: CertificateError) -> None:
        """Find out whether an order has ended with something the CA has refused."""
        answer = self.connection.post(pending.url, None)
        if answer.json.get("status") == "invalid":
            raise self._verdict(answer) from error
        if error.code in _USELESS_REQUEST:
            raise OrderLost(str(error), code=error.code) from error

    def _make(self) -> tuple[Pending, Answer]:
        content: dict[str, Any] = {"identifiers": [_identifier(n) for n in self.wanted.names]}
        if self.wanted.profile:
            self._check_profile()
            content["profile"] = self.wanted.profile
        if self.wanted.replaces and "renewalInfo" in self.connection.directory:
            content["replaces"] = self.wanted.replaces
        # Before the order: a large key takes long, and an order that is not written down is lost.
        key = to_pem(new_key(self.wanted.key_type))
        url = self.connection.directory["newOrder"]
        self.journal.announce()
        try:
            answer = self.connection.post(url, content)
        except CertificateError as error:
            # An unknown or already replaced predecessor must not stand in the way.
            if "replaces" not in content or error.passing:
                raise
            del content["replaces"]
            answer = self.connection.post(url, content)
        pending = Pending(answer.url, key, self.directory)
        self.journal.save(pending)
        return pending, answer

    def _check_profile(self) -> None:
        offered = self.connection.meta.get("profiles")
        known = sorted(offered) if isinstance(offered, dict) else []
        if self.wanted.profile not in known:
            choice = f"it offers {', '.join(known)}" if known else "it offers none"
            raise CertificateError(
                f'the CA has no profile "{self.wanted.profile}"; {choice}; change acme.profile',
            )

    def _finish(self, pending: Pending, answer: Answer) -> Issued:
        if answer.json["status"] == "pending":
            self._prove(answer)
            answer = self._poll(pending.url, {"pending"}, VALIDATION_TIME, "validating the names")
        if answer.json["status"] == "ready":
            request = certificate_request(
                load_key(pending.key),
                self.wanted.names,
                self.wanted.emails,
                common_name=self.wanted.common_name,
            )
            self.connection.post(answer.json["finalize"], {"csr": b64.b64encode(request).decode()})
        if answer.json["status"] in {"ready", "processing"}:
            patience = self.wanted.patience
            unfinished = {"ready", "processing"}
            answer = self._poll(pending.url, unfinished, patience, "issuing the certificate")
        if answer.json["status"] != "valid":
            raise self._verdict(answer)
        chain = self._chain(answer.json["certificate"])
        try:
            fits = belong_together(chain, pending.key)
        except ValueError as error:
            reason = f"the CA sent no readable certificate: {error}"
            raise OrderLost(reason, issued=True) from error
        if not fits:
            raise OrderLost("the CA sent a certificate for another key", issued=True)
        return Issued(chain, pending.key)

    def _prove(self, order: Answer) -> None:
        """Answer one challenge of each authorization that is still open."""
        waiting = {}
        for url in order.json["authorizations"]:
            content = self.connection.post(url, None).json
            if content.get("status") == "pending":
                waiting[url] = self._challenge(content)
        challenges = [challenge for challenge, _ in waiting.values()]
        try:
            if challenges:
                self.solver.present(challenges, self.stop)
            for url, (challenge, is_open) in waiting.items():
                if is_open:
                    self._answer(url, challenge)
            for url in waiting:
                answer = self._poll(url, {"pending"}, VALIDATION_TIME, "validating the names")
                if answer.json["status"] != "valid":
                    raise self._verdict(order)
        finally:
            if challenges:
                self._clean_up(challenges)

    def _clean_up(self, challenges: Sequence[Challenge]) -> None:
        try:
            self.solver.clean_up(challenges)
        except CertificateError as error:
            log.warning(
                "The answer to a challenge is left behind",
                extra=fields(domains=",".join(self.wanted.names), reason=str(error)),
            )

    def _answer(self, authorization: str, challenge: Challenge) -> None:
        """Have the CA look, unless it does or has done so since before a restart."""
        try:
            self.connection.post(challenge.url, {})
        except CertificateError as error:
            if error.passing:
                raise
            content = self.connection.post(authorization, None).json
            if content.get("status") == "pending" and self._challenge(content)[1]:
                raise

    def _verdict(self, order: Answer) -> OrderLost:
        """Say why the CA makes no certificate of an order, and which names it has refused."""
        contents = [self.connection.post(u, None).json for u in order.json["authorizations"]]
        reasons = [reason for reason in map(_refusal, contents) if reason is not None]
        error = reasons[0] if reasons else problem(order.json.get("error") or {})
        # What is still open would be refused for the same reason, as far as we know.
        bad = {"invalid", "pending"}
        refused = [c["identifier"]["value"] for c in contents if c.get("status") in bad]
        if not refused and error.code in VALIDATION_CODES:
            refused = list(self.wanted.names)
        return OrderLost(str(error), code=error.code, refused=tuple(refused))

    def _challenge(self, content: dict[str, Any]) -> tuple[Challenge, bool]:
        """Return our challenge of an authorization, and whether it is still to be answered."""
        name = content["identifier"]["value"]
        for offered in content["challenges"]:
            if offered["type"] == self.solver.kind:
                token = offered["token"]
                answer = self.connection.key_authorization(token)
                challenge = Challenge(name, token, answer, offered["url"])
                return challenge, offered.get("status") in (None, "pending")
        kinds = ", ".join(sorted(offered["type"] for offered in content["challenges"]))
        wildcard = " for a wildcard name" if content.get("wildcard") else ""
        raise CertificateError(
            f"the CA does not offer {self.solver.kind} for {name}{wildcard}, only {kinds}"
        )

    def _poll(self, url: str, unfinished: set[str], patience: float, what: str) -> Answer:
        """Ask until the status is none of ``unfinished``."""
        deadline = time.monotonic() + patience
        wait = _FIRST_POLL
        while True:
            answer = self.connection.post(url, None)
            if answer.json.get("status") not in unfinished:
                return answer
            longer = max(wait, answer.retry_after or 0.0)
            if time.monotonic() + longer > deadline:
                raise CertificateError(
                    f"the CA takes longer than {patience:g} s for {what}",
                    retry_after=answer.retry_after,
                    passing=True,
                )
            pause(longer, self.stop)
            wait = min(wait * 1.5, _LONGEST_POLL)

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


def _is_over(order: dict[str, Any]) -> bool:
    """Whether the CA has given an order up because of its age."""
    try:
        end = datetime.fromisoformat(order["expires"])
    except (KeyError, TypeError, ValueError):
        return False
    if end.tzinfo is None:
        end = end.replace(tzinfo=UTC)
    return order.get("status") in {"pending", "ready", "invalid"} and end <= datetime.now(UTC)


def _refusal(authorization: dict[str, Any]) -> CertificateError | None:
    """Return why the CA did not accept the proof of a name, None when it says nothing of it."""
    if authorization.get("status") != "invalid":
        return None
    name = authorization["identifier"]["value"]
    for offered in authorization.get("challenges") or ():
        if offered.get("error"):
            error = problem(offered["error"])
            return CertificateError(f"{name}: {error}", code=error.code)
    return CertificateError(f"{name}: the CA did not accept the proof, without a reason")


def _has_issuer(chain: str, name: str) -> bool:
    """Whether any certificate of the chain was issued by ``name``."""
    return any(
        attribute.value == name
        for certificate in x509.load_pem_x509_certificates(chain.encode())
        for attribute in certificate.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    )
