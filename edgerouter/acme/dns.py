"""DNS-01 (RFC 8555, section 8.4): TXT records, delegation by CNAME, and waiting for them.

Needs the extra ``dns``. Blocking.
"""

import hashlib
import ipaddress
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.nameserver
import dns.query
import dns.rdatatype
import dns.rdtypes.txtbase
import dns.resolver
from josepy import b64

from edgerouter.acme.challenges import DNS_01, Challenge, pause
from edgerouter.acme.dns_accounts import Account, host_and_port, make_account
from edgerouter.acme.errors import CertificateError
from edgerouter.config.static.acme import DNSChallenge

DNS_PORT = 53
QUERY_TIME = 5.0
MAX_CNAMES = 10


@dataclass(frozen=True, slots=True)
class Propagation:
    """What is checked before the CA looks."""

    delay: float = 0.0
    checks: bool = True
    authoritative: bool = True
    all_recursive: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A TXT record of a challenge."""

    zone: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class NameServer:
    """One name server with all its addresses that we have a route to."""

    addresses: tuple[str, ...]
    port: int

    def has(self, record: Record) -> bool:
        """Ask it itself, at one address after the other."""
        return any(_has((address, self.port), record) for address in self.addresses)

    def __str__(self) -> str:
        return f"{self.addresses[0]}:{self.port}"


@dataclass(frozen=True, slots=True)
class ZoneAccount:
    """An account and the zones it is for; none: all others."""

    account: Account
    zones: tuple[str, ...] = ()

    def length(self, zone: str) -> int:
        """Return how closely one of its zones fits; -1: not at all."""
        fits = [each for each in self.zones if zone == each or zone.endswith(f".{each}")]
        return max(map(len, fits), default=-1 if self.zones else 0)


class DNSSolver:
    """Writes the records of challenges and waits until name servers have them."""

    kind = DNS_01

    def __init__(
        self,
        accounts: Sequence[ZoneAccount],
        resolvers: Sequence[str] = (),
        propagation: Propagation = Propagation(),
        *,
        follow: bool = True,
        authoritative_port: int = DNS_PORT,
    ) -> None:
        self._accounts = accounts
        self._resolver = make_resolver(resolvers)
        self._propagation = propagation
        self._follow = follow
        self._port = authoritative_port
        self._lock = threading.Lock()
        self._records: dict[Challenge, Record] = {}

    def present(self, challenges: Sequence[Challenge], stop: threading.Event) -> None:
        records = []
        for challenge in challenges:
            record = self._record(challenge)
            self._account(record.zone).create(record.zone, record.name, record.value)
            with self._lock:
                self._records[challenge] = record
            records.append(record)
        pause(self._propagation.delay, stop)
        if self._propagation.checks:
            started = time.monotonic()
            for record in records:
                self._await(record, started, stop)

    def clean_up(self, challenges: Sequence[Challenge]) -> None:
        failure: CertificateError | None = None
        for challenge in challenges:
            with self._lock:
                record = self._records.pop(challenge, None)
            if record is not None:
                try:
                    self._account(record.zone).delete(record.zone, record.name, record.value)
                except CertificateError as error:
                    failure = error
        if failure is not None:
            raise failure

    def _record(self, challenge: Challenge) -> Record:
        name = f"_acme-challenge.{challenge.name}"
        if self._follow:
            name = self._target(name)
        digest = hashlib.sha256(challenge.key_authorization.encode()).digest()
        return Record(self._zone(name), name, b64.b64encode(digest).decode())

    def _target(self, name: str) -> str:
        """Follow CNAMEs: the record may be kept in another zone."""
        for _ in range(MAX_CNAMES):
            try:
                answer = self._resolver.resolve(name, "CNAME", raise_on_no_answer=False)
            except dns.exception.DNSException:
                return name
            if answer.rrset is None:
                return name
            name = answer.rrset[0].target.to_text(omit_final_dot=True)
        raise CertificateError(f"{name} is one of too many CNAMEs in a row")

    def _zone(self, name: str) -> str:
        try:
            zone = dns.resolver.zone_for_name(name, resolver=self._resolver)
        except dns.exception.DNSException as error:
            raise CertificateError(
                f"the DNS zone of {name} cannot be found: {error}; see dnsChallenge.resolvers",
            ) from error
        return zone.to_text(omit_final_dot=True)

    def _account(self, zone: str) -> Account:
        best = max(self._accounts, key=lambda each: each.length(zone))
        if best.length(zone) < 0:
            raise CertificateError(f"no DNS account is for the zone {zone}")
        return best.account

    def _await(self, record: Record, started: float, stop: threading.Event) -> None:
        """Wait until every server that is to be asked has the record."""
        timing = self._account(record.zone).timing
        servers: list[NameServer] = []
        if self._propagation.authoritative:
            servers += self._name_servers(record.zone)
        if self._propagation.all_recursive or not servers:
            servers += self._recursive()
        while servers := [each for each in servers if not each.has(record)]:
            if time.monotonic() + timing.interval > started + timing.patience:
                raise CertificateError(
                    f"the name server {servers[0]} has no TXT record {record.name} with the"
                    f" value {record.value} after {timing.patience:g} s",
                )
            pause(timing.interval, stop)

    def _name_servers(self, zone: str) -> list[NameServer]:
        """Return a zone's name servers that we have a route to."""
        found = []
        with suppress(dns.exception.DNSException):
            for server in self._resolver.resolve(zone, "NS"):
                with suppress(dns.exception.DNSException):
                    hosts = self._resolver.resolve_name(str(server))
                    # Without IPv6, as in most containers, half of the addresses lead nowhere.
                    addresses = sorted(hosts.addresses(), key=lambda address: ":" in address)
                    routed = tuple(each for each in addresses if _has_route(each))
                    if routed:
                        found.append(NameServer(routed, self._port))
        return found

    def _recursive(self) -> list[NameServer]:
        return [
            NameServer((each.address,), each.port)
            if isinstance(each, dns.nameserver.Do53Nameserver)
            else NameServer((str(each),), DNS_PORT)
            for each in self._resolver.nameservers
        ]


def _has_route(address: str) -> bool:
    """Whether a packet to an address could be sent; none is."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, DNS_PORT))
    except OSError:
        return False
    return True


def _has(server: tuple[str, int], record: Record) -> bool:
    """Ask one server itself."""
    query = dns.message.make_query(record.name, "TXT")
    try:
        answer, _ = dns.query.udp_with_fallback(query, server[0], QUERY_TIME, server[1])
    except (OSError, dns.exception.DNSException):
        return False
    return any(
        b"".join(item.strings).decode("ascii", "replace") == record.value
        for rrset in answer.answer
        for item in rrset
        if isinstance(item, dns.rdtypes.txtbase.TXTBase)
    )


def make_resolver(servers: Sequence[str]) -> dns.resolver.Resolver:
    """Return a resolver that asks these servers, or the system's without any.

    Raises:
        ValueError: One of them is no address.
    """
    resolver = dns.resolver.Resolver(configure=not servers)
    resolver.lifetime = 4 * QUERY_TIME
    if servers:
        found: list[str | dns.nameserver.Nameserver] = []
        for server in servers:
            host, port = host_and_port(server)
            found.append(dns.nameserver.Do53Nameserver(_address(host), port))
        resolver.nameservers = found
    return resolver


def _address(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)[0][4][0])
    except OSError as error:
        raise ValueError(f"the name server {host} cannot be found: {error}") from error


def zone_account(
    where: str, provider: str, zones: Sequence[str], environ: Mapping[str, str]
) -> ZoneAccount:
    """Return an account for some zones.

    Raises:
        ValueError: It cannot be used; ``where`` names the option.
    """
    try:
        account = make_account(provider, environ)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return ZoneAccount(account, tuple(zone.lower().strip(".") for zone in zones))


def make_dns_solver(
    where: str,
    options: DNSChallenge,
    environ: Mapping[str, str],
    others: Sequence[ZoneAccount] = (),
) -> DNSSolver:
    """Return the solver that ``acme.dnsChallenge`` describes.

    Raises:
        ValueError: An option or an environment variable is missing or wrong.
    """
    accounts = list(others)
    if options.provider:
        accounts.append(zone_account(where, options.provider, (), environ))
    if not accounts:
        raise ValueError(f"{where}.provider is missing; name a DNS provider such as cloudflare")
    propagation = options.propagation
    checks = Propagation(
        (propagation.delay_before_checks if propagation else 0) or options.delay_before_check,
        not (options.disable_propagation_check or (propagation and propagation.disable_checks)),
        not (propagation and propagation.disable_ans_checks),
        bool(propagation and propagation.require_all_rns),
    )
    follow = environ.get("LEGO_DISABLE_CNAME_SUPPORT", "").lower() not in {"1", "t", "true"}
    try:
        return DNSSolver(accounts, options.resolvers, checks, follow=follow)
    except ValueError as error:
        raise ValueError(f"{where}.resolvers: {error}") from error
