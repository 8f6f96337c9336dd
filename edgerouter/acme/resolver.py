"""One certificate resolver: its CA, account, challenge and storage. Blocking.

``obtain`` is one order, ``due`` the time of a renewal; when they are used is decided in
``attempt``.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from edgerouter.acme.answers import Answers
from edgerouter.acme.board import Board
from edgerouter.acme.challenges import HTTPSolver, Solver, TLSSolver
from edgerouter.acme.connection import Account, Authority, Connection
from edgerouter.acme.errors import CertificateError
from edgerouter.acme.ledger import Ledger, Limits, limits_of
from edgerouter.acme.order import Issued, Journal, Order, Wanted
from edgerouter.acme.renewal import (
    certificate_identifier,
    next_enquiry,
    renewal_time,
    suggested_time,
    traefik_renewal_time,
)
from edgerouter.acme.storage import Storage, Stored, storage_directory
from edgerouter.config.static.acme import ACME
from edgerouter.observability.logs import fields

log = logging.getLogger(__name__)

STAGING = {
    "https://acme-v02.api.letsencrypt.org/directory": (
        "https://acme-staging-v02.api.letsencrypt.org/directory"
    ),
}
"""Endpoints for rehearsals, by the endpoint they stand in for."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """When a certificate is renewed."""

    time: datetime
    look_again: datetime
    """When the CA is asked again whether that is still right."""


@dataclass(frozen=True, slots=True)
class Options:
    """Our own options, which Traefik does not have."""

    staging: str | None = None
    """Endpoint for rehearsals; empty: none, None: the known one of the CA."""
    limits: Limits | None = None
    """The CA's limits when they are other than the known ones."""
    as_traefik: bool = False
    """Renew when Traefik would (``edgerouter.compat``)."""


class Resolver:
    """Obtains certificates as ``certificatesResolvers.<name>.acme`` says. Safe for threads."""

    def __init__(
        self,
        name: str,
        acme: ACME,
        solver: Solver,
        environ: Mapping[str, str],
        options: Options = Options(),
    ) -> None:
        self.name = name
        self.acme = acme
        self.solver = solver
        self.authority = Authority(
            acme.ca_server,
            acme.client_timeout,
            acme.client_response_header_timeout,
            tuple(acme.ca_certificates),
            acme.ca_system_cert_pool,
            acme.ca_server_name,
        ).with_environment(environ)
        known = STAGING.get(acme.ca_server, "")
        self.staging = known if options.staging is None else options.staging
        self._as_traefik = options.as_traefik
        self.limits = options.limits or limits_of(acme.ca_server)
        self.storage = Storage(storage_directory(acme.storage), name)
        self.ledger = Ledger(self.storage.directory / "ledger.json")
        self._registering = threading.Lock()
        self._renewals: dict[str, Renewal] = {}

    @property
    def directory(self) -> str:
        """The URL of the CA's directory."""
        return self.authority.directory

    def obtain(
        self,
        names: Sequence[str],
        previous: Stored | None,
        stop: threading.Event,
        *,
        rehearsal: bool = False,
    ) -> Issued:
        """Order a certificate; a rehearsal is one on the staging endpoint, with nothing kept.

        Raises:
            CertificateError: It cannot be had now.
            Interrupted: The control plane stops.
        """
        wanted = Wanted(
            tuple(names),
            self.acme.key_type,
            self.acme.profile,
            self.acme.preferred_chain,
            tuple(self.acme.email_addresses),
            not self.acme.disable_common_name,
            (previous and self._replaced(previous)) or "",
            self.acme.certificate_timeout,
        )
        journal: Journal = self.storage.journal(names)
        authority = self.authority
        if rehearsal:
            authority = replace(authority, directory=self.staging)
            # Its chains have other names, and its certificates replace none of production.
            wanted = replace(wanted, preferred_chain="", replaces="")
            journal = NoJournal()
        connection = self._connect(authority)
        try:
            return Order(
                connection, authority.directory, wanted, self.solver, journal, stop
            ).obtain()
        except (KeyError, TypeError, ValueError) as error:
            raise CertificateError(
                f"the order cannot be understood: {type(error).__name__}: {error}"
            ) from error
        finally:
            connection.close()

    def _replaced(self, previous: Stored) -> str | None:
        """Return what a renewal calls its predecessor; a CA knows only its own."""
        if previous.directory != self.directory:
            return None
        return certificate_identifier(previous.chain)

    def _connect(self, authority: Authority) -> Connection:
        """Return a connection with a registered account."""
        with self._registering:
            account = self.storage.load_account(authority.directory)
            if account is None:
                account = Account.new(authority.directory, self.acme.email)
                # Before registering: a key that is lost means another account.
                self.storage.save_account(account)
            connection = Connection(authority, account)
            try:
                if account.url and not connection.knows_account():
                    account = replace(account, url="")
                    connection.close()
                    connection = Connection(authority, account)
                eab = self.acme.eab
                registered = connection.register(
                    self.acme.email, eab.kid if eab else "", eab.hmac_encoded if eab else ""
                )
            except BaseException:
                connection.close()
                raise
            if registered != account:
                self.storage.save_account(registered)
            return connection

    def due(self, stored: Stored, now: datetime) -> Renewal:
        """Return when a certificate is renewed; asks the CA when that is due.

        A CA that does not answer, or has no renewal information, leaves it to the age.
        """
        if stored.directory not in ("", self.directory) or stored.facts.not_after <= now:
            return Renewal(now, now)
        if self._as_traefik:
            duration = self.acme.certificates_duration
            time = traefik_renewal_time(stored.facts, duration)
            return Renewal(time, datetime.max.replace(tzinfo=UTC))
        known = self._renewals.get(stored.facts.serial)
        if known is not None and known.look_again > now:
            return known
        renewal = self._enquire(stored, now)
        if known is not None and renewal.time != known.time:
            log.info(
                "The time of a renewal has changed",
                extra=fields(domains=",".join(stored.names), renewal=renewal.time.isoformat()),
            )
        self._renewals[stored.facts.serial] = renewal
        return renewal

    def _enquire(self, stored: Stored, now: datetime) -> Renewal:
        """Ask the CA (RFC 9773); fall back to the certificate's age."""
        by_age = renewal_time(stored.facts)
        identifier = certificate_identifier(stored.chain)
        if identifier is None:
            return Renewal(by_age, datetime.max.replace(tzinfo=UTC))
        try:
            connection = Connection(self.authority, Account.new(self.directory, ""))
            try:
                url = connection.directory.get("renewalInfo")
                if not isinstance(url, str):
                    return Renewal(by_age, next_enquiry(now, None))
                answer = connection.get(f"{url.rstrip('/')}/{identifier}")
            finally:
                connection.close()
            time = suggested_time(answer.json, stored.facts.serial)
        except (CertificateError, ValueError) as error:
            log.debug(
                "No renewal information",
                extra=fields(domains=",".join(stored.names), reason=str(error)),
            )
            return Renewal(by_age, next_enquiry(now, None))
        return Renewal(time, next_enquiry(now, answer.retry_after))

    def revoke(self, stored: Stored, reason: int = 0) -> None:
        """Revoke a certificate that this resolver's account obtained.

        Raises:
            CertificateError: The CA refuses.
        """
        connection = self._connect(self.authority)
        try:
            connection.revoke(stored.chain, reason)
        finally:
            connection.close()


class NoJournal:
    """For orders that are not continued."""

    def load(self) -> None:
        return None

    def save(self, pending: object) -> None:
        """Forget it."""


def make_solver(
    name: str,
    acme: ACME,
    answers: Answers,
    environ: Mapping[str, str],
    accounts: Sequence[tuple[str, str, tuple[str, ...], Mapping[str, str]]] = (),
) -> Solver:
    """Return the solver of the one challenge a resolver names.

    ``accounts`` are further ones for DNS-01: option, provider, zones and environment.

    Raises:
        ValueError: It names none or several, or one that cannot be used; says which option.
    """
    prefix = f"certificatesResolvers.{name}.acme"
    chosen = {
        "httpChallenge": acme.http_challenge,
        "tlsChallenge": acme.tls_challenge,
        "dnsChallenge": acme.dns_challenge,
    }
    named = [option for option, value in chosen.items() if value is not None]
    if len(named) != 1:
        which = " and ".join(named) or "none"
        raise ValueError(f"{prefix} needs exactly one of {', '.join(chosen)}, it has {which}")
    board = Board(Storage(storage_directory(acme.storage), name).directory / "challenges")
    if acme.http_challenge is not None:
        return HTTPSolver(answers, acme.http_challenge.delay, board)
    if acme.tls_challenge is not None:
        return TLSSolver(answers, acme.tls_challenge.delay, board)
    if acme.dns_challenge is None:
        raise AssertionError
    try:
        from edgerouter.acme.dns import make_dns_solver, zone_account  # noqa: PLC0415 - an extra.
    except ImportError as error:
        raise ValueError(
            f"{prefix}.dnsChallenge needs Python packages that are not installed ({error.name});"
            " install edgerouter[dns]"
        ) from error
    others = [zone_account(*each) for each in accounts]
    return make_dns_solver(f"{prefix}.dnsChallenge", acme.dns_challenge, environ, others)
