"""The certificates that are served, as Traefik's API shows them, and what is planned for them."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID, ObjectIdentifier

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.control.listing import Item
from edgerouter.control.tls.source import Demand

if TYPE_CHECKING:
    from edgerouter.acme.manager import Managed, Manager

SOON = timedelta(days=30)
"""A certificate that ends within this time is shown with a warning (Traefik) ..."""

SOON_FRACTION = 1 / 3
"""... unless that is longer than this part of its lifetime."""


class Inventory:
    """What the API and the command line show of certificates."""

    def __init__(
        self,
        manager: "Manager | None",
        broken: Mapping[str, str],
        renewals: Callable[[], Mapping[str, datetime]] = dict,
        *,
        as_traefik: bool = False,
    ) -> None:
        """Show what ``manager`` does; ``renewals`` are those of the internal CA, by chain.

        ``as_traefik``: all that end soon have a warning, however short their lifetime.
        """
        self._soon_fraction = 1.0 if as_traefik else SOON_FRACTION
        self._manager = manager
        self._renewals = renewals
        self._broken = broken
        self.served: Sequence[Mapping[str, Any]] = ()
        """What the newest snapshot has for clients (``TlsManager.shown``)."""
        self.problems: Callable[[], Sequence[Diagnostic]] = tuple
        """What is wrong with the storage."""
        self.refused: Sequence[tuple[Demand, str]] = ()
        """What routers want of a resolver that cannot make it, with the reason."""

    def items(self) -> list[Item]:
        """Return the certificates that are served, one item each (Traefik's), in no order."""
        found: dict[str, Item] = {}
        renewals = self._renewals()
        for entry in self.served:
            item = described(entry["certificate"])
            if item is not None:
                own = {"origin": entry["origin"], **self._plan(item["serialNumber"])}
                if renewal := renewals.get(entry["certificate"]):
                    own |= {"state": "valid", "renewal": _time(renewal)}
                if reason := entry.get("reason"):
                    own |= {"state": "failing", "reason": reason}
                found.setdefault(item["name"], {**item, **self._status(item), "edgerouter": own})
        return list(found.values())

    def _status(self, item: Item) -> Item:
        start, end = (datetime.fromisoformat(item[key]) for key in ("notBefore", "notAfter"))
        left = end - datetime.now(UTC)
        if left <= timedelta():
            return {"status": "expired"}
        soon = min(SOON, (end - start) * self._soon_fraction)
        return {"status": "warning" if left <= soon else "enabled"}

    def item(self, name: str) -> Item | None:
        """Return the certificate of a fingerprint."""
        return next((item for item in self.items() if item["name"] == name), None)

    def _plan(self, serial: str) -> Item:
        for managed in self._managed():
            if managed.stored and str(int(managed.stored.facts.serial, 16)) == serial:
                return planned(managed)
        return {}

    def _managed(self) -> "Iterable[Managed]":
        return () if self._manager is None else self._manager.managed

    def plans(self) -> list[Item]:
        """Return every certificate that resolvers are to obtain, with what has become of it."""
        found = [planned(managed) for managed in self._managed()]
        found += [
            {
                "resolver": demand.resolver,
                "names": list(demand.names),
                "routers": list(demand.routers),
                "state": "failing",
                "reason": reason,
            }
            for demand, reason in self.refused
        ]
        found += [
            {"resolver": name, "names": [], "state": "failing", "reason": reason}
            for name, reason in sorted(self._broken.items())
        ]
        return found


def planned(managed: "Managed") -> Item:
    """Return what is known of one certificate that a resolver is to obtain."""
    item: Item = {
        "resolver": managed.wish.resolver,
        "names": list(managed.wish.names),
        "routers": list(managed.wish.routers),
        "state": str(managed.state),
    }
    if managed.reason:
        item["reason"] = managed.reason
    if managed.stored is not None:
        item["serial"] = managed.stored.facts.serial
        item["notAfter"] = _time(managed.stored.facts.not_after)
        if managed.stored.revoked:
            item["revoked"] = True
    if managed.renewal is not None:
        item["renewal"] = _time(managed.renewal)
    if managed.next_look.year > 1:
        item["nextLook"] = _time(managed.next_look)
    return item


@lru_cache(maxsize=4096)
def described(chain: str) -> Item | None:
    """Return a certificate in the API's terms, None when it cannot be read."""
    try:
        leaf = x509.load_pem_x509_certificate(chain.encode())
    except ValueError:
        return None
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        sans = [*names.get_values_for_type(x509.DNSName)]
        sans += [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    except x509.ExtensionNotFound:
        sans = []
    fingerprint = hashlib.sha256(leaf.public_bytes(Encoding.DER)).hexdigest()
    public = leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    kind, size = _key(leaf)
    item = {
        "name": fingerprint,
        "sans": sorted(sans),
        "notAfter": _time(leaf.not_valid_after_utc),
        "notBefore": _time(leaf.not_valid_before_utc),
        "serialNumber": str(leaf.serial_number),
        "commonName": _first(leaf.subject, NameOID.COMMON_NAME),
        "issuerOrg": _first(leaf.issuer, NameOID.ORGANIZATION_NAME),
        "issuerCN": _first(leaf.issuer, NameOID.COMMON_NAME),
        "issuerCountry": _first(leaf.issuer, NameOID.COUNTRY_NAME),
        "organization": _first(leaf.subject, NameOID.ORGANIZATION_NAME),
        "country": _first(leaf.subject, NameOID.COUNTRY_NAME),
        "version": f"v{leaf.version.value + 1}",
        "keyType": kind,
        "keySize": size,
        "signatureAlgorithm": _signature(leaf),
        "certFingerprint": fingerprint,
        "publicKeyFingerprint": hashlib.sha256(public).hexdigest(),
    }
    return {key: value for key, value in item.items() if value or key in ("sans", "commonName")}


def _key(leaf: x509.Certificate) -> tuple[str, int]:
    match leaf.public_key():
        case rsa.RSAPublicKey() as key:
            return "RSA", key.key_size
        case ec.EllipticCurvePublicKey() as key:
            return "ECDSA", key.key_size
        case _:
            return "Unknown", 0


def _signature(leaf: x509.Certificate) -> str:
    """Return the algorithm in Go's words, e.g. ``ECDSA-SHA256``."""
    algorithm = leaf.signature_hash_algorithm
    if algorithm is None:
        return "Ed25519"
    name = algorithm.name.upper()
    parsed = leaf.signature_algorithm_parameters
    if isinstance(parsed, ec.ECDSA):
        return f"ECDSA-{name}"
    return f"{name}-RSAPSS" if isinstance(parsed, padding.PSS) else f"{name}-RSA"


def _first(name: x509.Name, kind: ObjectIdentifier) -> str:
    return next((str(each.value) for each in name.get_attributes_for_oid(kind)), "")


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
