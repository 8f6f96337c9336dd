"""Looks before an order whether it can succeed: DNS, the way here, CAA. Blocking.

An order that fails counts against the CA's limits; a look costs nothing. What is certain
holds the order back (``pending-dns``), what is doubtful has it rehearsed first.
"""

import hashlib
import http.client
import logging
import secrets
import socket
import ssl
import threading
from collections.abc import Sequence
from functools import cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from edgerouter.acme.attempt import Finding, Preflight
from edgerouter.acme.challenges import DNS_01, Challenge, HTTPSolver, TLSSolver, server_name
from edgerouter.acme.resolver import Resolver
from edgerouter.config.static import StaticConfiguration
from edgerouter.observability.logs import fields

log = logging.getLogger(__name__)

TIMEOUT = 5.0
"""Seconds for each name."""

CHALLENGE_PATH = "/.well-known/acme-challenge/"

ACME_TLS = "acme-tls/1"

PUBLIC_CAS = {
    "acme-v02.api.letsencrypt.org": ("letsencrypt.org",),
    "acme-staging-v02.api.letsencrypt.org": ("letsencrypt.org",),
    "acme.zerossl.com": ("sectigo.com", "zerossl.com"),
    "dv.acme-v02.api.pki.goog": ("pki.goog",),
    "api.buypass.com": ("buypass.com",),
    "acme.ssl.com": ("ssl.com",),
}
"""Their hosts and the names by which CAA records allow them."""


def make_preflight(configuration: StaticConfiguration) -> Preflight:
    """Return the look that the options ask for."""

    def look(resolver: Resolver, names: Sequence[str]) -> Finding | None:
        own = configuration.edgerouter.certificates_resolvers.get(resolver.name)
        mode = own.preflight if own is not None else "auto"
        host = urlsplit(resolver.directory).hostname or ""
        if mode == "off" or (mode == "auto" and host not in PUBLIC_CAS):
            return None
        return examine(resolver, names)

    return look


def examine(resolver: Resolver, names: Sequence[str], port: int | None = None) -> Finding | None:
    """Return what is in the way of an order: the first that is certain, else a doubt."""
    doubt: Finding | None = None
    issuers = PUBLIC_CAS.get(urlsplit(resolver.directory).hostname or "", ())
    for name in names:
        finding = _forbidden(name, issuers, resolver) if issuers else None
        if finding is None and resolver.solver.kind != DNS_01:
            finding = _way_here(resolver, name, port)
        if finding is not None and finding.is_certain:
            return finding
        doubt = doubt or finding
    return doubt


def _way_here(resolver: Resolver, name: str, port: int | None) -> Finding | None:
    try:
        addresses = _addresses(name)
    except OSError as error:
        reason = error.strerror or str(error)
        return Finding(f"{name} has no address in DNS ({reason}); let it point to this router")
    if isinstance(resolver.solver, HTTPSolver):
        return _asks_itself(resolver.solver, name, addresses, port or 80)
    if isinstance(resolver.solver, TLSSolver):
        return _shakes_hands(resolver.solver, name, addresses, port or 443)
    return None


def _addresses(name: str) -> list[str]:
    try:
        return [str(ip_address(name))]
    except ValueError:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(each[4][0]) for each in found))


def _asks_itself(
    solver: HTTPSolver, name: str, addresses: Sequence[str], port: int
) -> Finding | None:
    """Put a token in place and fetch it as the CA would."""
    token = secrets.token_urlsafe(24)
    challenge = Challenge(name, token, f"{token}.preflight", "")
    solver.present([challenge], threading.Event())
    try:
        for address in addresses:
            connection = http.client.HTTPConnection(address, port, timeout=TIMEOUT)
            try:
                connection.request("GET", f"{CHALLENGE_PATH}{token}", headers={"Host": name})
                answer = connection.getresponse()
                text = answer.read(len(challenge.key_authorization) + 1)
            except (OSError, http.client.HTTPException) as error:
                # Behind NAT the own public address is often not reachable from inside.
                reason = str(error) or type(error).__name__
                return Finding(f"{name}: {address} port {port}: {reason}", is_certain=False)
            finally:
                connection.close()
            if text != challenge.key_authorization.encode() and answer.status < 300:
                return _elsewhere(name, address, answer.status)
            if answer.status >= 400:
                return _elsewhere(name, address, answer.status)
    finally:
        solver.clean_up([challenge])
    return None


def _shakes_hands(
    solver: TLSSolver, name: str, addresses: Sequence[str], port: int
) -> Finding | None:
    """Put a challenge in place and look at it as the CA would (RFC 8737, section 3)."""
    challenge = Challenge(name, "", secrets.token_urlsafe(24), "")
    solver.present([challenge], threading.Event())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([ACME_TLS])
    digest = hashlib.sha256(challenge.key_authorization.encode()).digest()
    try:
        for address in addresses:
            try:
                with (
                    socket.create_connection((address, port), TIMEOUT) as plain,
                    context.wrap_socket(plain, server_hostname=server_name(name)) as tls,
                ):
                    certificate = tls.getpeercert(binary_form=True) or b""
            except OSError as error:  # Refusals by an alert are, too.
                reason = str(error) or type(error).__name__
                return Finding(f"{name}: {address} port {port}: {reason}", is_certain=False)
            if digest not in certificate:
                return _elsewhere(name, address, "with another certificate")
    finally:
        solver.clean_up([challenge])
    return None


def _elsewhere(name: str, address: str, answer: int | str) -> Finding:
    return Finding(
        f"{name} leads to {address}, which answers {answer} instead of our challenge;"
        " let its DNS records point to this router"
    )


@cache
def _say_that_caa_is_left_out(package: str) -> None:
    log.warning(
        "CAA records are not looked at before orders: a Python package is missing",
        extra=fields(package=package, remedy='pip install "edgerouter[dns]"'),
    )


def _forbidden(name: str, issuers: Sequence[str], resolver: Resolver) -> Finding | None:
    """Return the CAA record (RFC 8659) that keeps the CA from certifying a name."""
    try:
        from edgerouter.acme.caa import allowed_issuers  # noqa: PLC0415 - needs the extra "dns".
    except ImportError as error:
        _say_that_caa_is_left_out(error.name or "dnspython")
        return None
    servers = resolver.acme.dns_challenge.resolvers if resolver.acme.dns_challenge else ()
    allowed = allowed_issuers(name, servers)
    if allowed is None or any(issuer in allowed for issuer in issuers):
        return None
    shown = ", ".join(sorted(allowed)) or "nobody"
    return Finding(
        f"the CAA records of {name} allow {shown}, not {issuers[0]}; add one for {issuers[0]}"
    )
