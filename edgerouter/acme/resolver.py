"""One certificate resolver: its CA, account, challenge and storage. Blocking.

``obtain`` is one order, ``due`` the time of a renewal; when they are used is decided in
``attempt``.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from edgerouter.acme.answers import Answers
from edgerouter.acme.board import Board
from edgerouter.acme.challenges import HTTPSolver, Solver, TLSSolver
from edgerouter.acme.connection import Account, Authority, Connection
from edgerouter.acme.errors import CertificateError
from edgerouter.acme.ledger import Ledger, Limits, limits_of
from edgerouter.acme.order import Issued, Journal, Order, Wanted
from edgerouter.acme.reach import Reach
from edgerouter.acme.records import Pending
from edgerouter.acme.renewal import (
    certificate_identifier,
    latest_time,
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
        self.storage = Storage(storage_directory(acme.storage), name)
        limits = options.limits or limits_of(acme.ca_server)
        self.ledger = Ledger(self.storage.ledger_file(acme.ca_server), name, limits)
        self._reach = Reach()
        self._registering = threading.Lock()
        self._nobody = Account.new(acme.ca_server, "")
        """For what is asked without an account."""
        self._renewals: dict[str, Renewal] = {}

    @property
    def directory(self) -> str:
        """The URL of the CA's directory."""
        return self.authority.directory

    def obtain(
        self,
        names: Sequence[str],
        previous: Stored | None,
        now: datetime,
        stop: threading.Event,
        journal: Journal,
        pending: Pending | None = None,
    ) -> Issued:
        """See an order through: the unfinished one, or a new one.

        Raises:
            CertificateError: See ``Order.obtain``.
            Interrupted: The control plane stops.
        """
        wanted = self._wanted(names, (previous and self._replaced(previous)) or "")
        return self._order(self.authority, wanted, now, stop, journal, pending)

    def rehearse(self, names: Sequence[str], now: datetime, stop: threading.Event) -> None:
        """Order on the staging endpoint; nothing is kept.

        Raises:
            CertificateError: It fails there, or cannot be tried.
            Interrupted: The control plane stops.
        """
        authority = replace(self.authority, directory=self.staging)
        # Its chains have other names, and its certificates replace none of production.
        wanted = replace(self._wanted(names, ""), preferred_chain="")
        self._order(authority, wanted, now, stop, NoJournal(), None)

    def _wanted(self, names: Sequence[str], replaces: str) -> Wanted:
        return Wanted(
            tuple(names),
            self.acme.key_type,
            self.acme.profile,
            self.acme.preferred_chain,
            tuple(self.acme.email_addresses),
            not self.acme.disable_common_name,
            replaces,
            self.acme.certificate_timeout,
        )

    def _order(
        self,
        authority: Authority,
        wanted: Wanted,
        now: datetime,
        stop: threading.Event,
        journal: Journal,
        pending: Pending | None,
    ) -> Issued:
        try:
            with closing(self._connect(authority, now)) as connection:
                order = Order(connection, authority.directory, wanted, self.solver, journal, stop)
                return order.obtain(pending)
        except CertificateError:
            self._reach.forget(authority.directory)
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise CertificateError(
                f"the order cannot be understood: {type(error).__name__}: {error}"
            ) from error

    def _replaced(self, previous: Stored) -> str | None:
        """Return what a renewal calls its predecessor; a CA knows only its own."""
        if previous.directory != self.directory:
            return None
        return certificate_identifier(previous.chain)

    def _connect(self, authority: Authority, now: datetime) -> Connection:
        """Return a connection with a registered account; who is away is found out here."""
        with self._registering, self._reach.asking(authority.directory, now):
            account = self.storage.load_account(authority.directory)
            if account is not None and account.url:
                connection = self._reach.open(authority, account, now)
                try:
                    known = connection.knows_account()
                except BaseException:
                    connection.close()
                    raise
                if known:
                    return connection
                connection.close()
            with self.storage.registering():
                # Another process may have made one meanwhile.
                current = self.storage.load_account(authority.directory)
                if current is None or current == account:
                    current = self._register(authority, account, now)
            return self._reach.open(authority, current, now)

    def _register(self, authority: Authority, lost: Account | None, now: datetime) -> Account:
        """Register an account, with the key of the one that the CA does not know any more."""
        account = lost or Account.new(authority.directory, self.acme.email)
        account = replace(account, url="")
        # Before registering: a key that is lost means another account.
        self.storage.save_account(account)
        with closing(self._reach.open(authority, account, now)) as connection:
            eab = self.acme.eab
            try:
                registered = connection.register(
                    self.acme.email, eab.kid if eab else "", eab.hmac_encoded if eab else ""
                )
            except CertificateError as error:
                if lost is None or not lost.url or error.code != "unauthorized":
                    raise
                log.warning(
                    "The CA does not accept our account any more, a new one is made",
                    extra=fields(resolver=self.name, reason=str(error)),
                )
                return self._register(authority, None, now)
        self.storage.save_account(registered)
        return registered

    def due(self, stored: Stored, now: datetime) -> Renewal:
        """Return when a certificate is renewed; asks the CA when that is due.

        A CA that does not answer, or has no renewal information, leaves it to the age.
        """
        is_ours = stored.directory in ("", self.directory)
        if stored.revoked or not is_ours or stored.facts.not_after <= now:
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
            with (
                self._reach.asking(self.directory, now),
                closing(self._reach.open(self.authority, self._nobody, now)) as connection,
            ):
                url = connection.directory.get("renewalInfo")
                if not isinstance(url, str):
                    return Renewal(by_age, next_enquiry(now, None))
                answer = connection.get(f"{url.rstrip('/')}/{identifier}")
            time = suggested_time(answer.json, stored.facts.serial)
        except (CertificateError, ValueError) as error:
            log.debug(
                "No renewal information",
                extra=fields(domains=",".join(stored.names), reason=str(error)),
            )
            return Renewal(by_age, next_enquiry(now, None))
        time = min(time, latest_time(stored.facts))
        return Renewal(time, next_enquiry(now, answer.retry_after))

    def revoke(self, stored: Stored, now: datetime, reason: int = 0) -> Stored:
        """Revoke a certificate that this resolver's account obtained; keep that it is.

        Raises:
            CertificateError: The CA refuses.
        """
        with closing(self._connect(self.authority, now)) as connection:
            try:
                connection.revoke(stored.chain, reason)
            except CertificateError as error:
                if error.code != "alreadyRevoked":
                    raise
        try:
            self.storage.mark_revoked(stored)
        except OSError as error:
            log.error(
                "After a restart nobody will know that this certificate is revoked",
                extra=fields(domains=",".join(stored.names), reason=str(error)),
            )
        return replace(stored, revoked=True)


class NoJournal:
    """For orders that are not continued."""

    def announce(self) -> None:
        """Nobody counts them."""

    def save(self, pending: Pending) -> None:
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
