"""The internal CA: a root for ten years, an intermediate, and short-lived certificates.

For names no public CA certifies, and for HTTPS before a resolver is configured. Root and
intermediate are kept in a directory; leaves are made anew at each start, in memory.
"""

import logging
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edgerouter.acme.files import locked, set_aside, write_private
from edgerouter.acme.keys import (
    MAX_COMMON_NAME,
    PrivateKey,
    belong_together,
    general_names,
    load_key,
    new_key,
    to_pem,
)
from edgerouter.observability.logs import fields

log = logging.getLogger(__name__)

ROOT_LIFETIME = timedelta(days=3652)
INTERMEDIATE_LIFETIME = timedelta(days=365)
LEAF_LIFETIME = timedelta(days=7)
BACKDATED = timedelta(hours=1)
"""Clocks of clients may be slow."""

ROOT_RENEWAL = timedelta(days=180)
"""A root with less time to live is replaced."""
ROOT_NOTICE = timedelta(days=365)
"""With less time to live the end of a root is announced."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """A CA certificate and its key (PEM)."""

    certificate: str
    key: str

    @property
    def parsed(self) -> x509.Certificate:
        """The certificate, parsed."""
        return x509.load_pem_x509_certificate(self.certificate.encode())

    @property
    def end(self) -> datetime:
        """When the certificate ends."""
        return self.parsed.not_valid_after_utc


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate for clients."""

    names: tuple[str, ...]
    chain: str
    """With the intermediate, without the root."""
    key: str
    renewal: datetime
    not_after: datetime


class InternalCA:
    """Issues certificates. Blocking only when the root or the intermediate is made or read."""

    def __init__(self, directory: Path, leaf_lifetime: timedelta = LEAF_LIFETIME) -> None:
        self._directory = directory
        self._leaf_lifetime = leaf_lifetime
        self._root: Issuer | None = None
        self._intermediate: Issuer | None = None
        self._lock = threading.Lock()

    def root(self, now: datetime | None = None) -> str:
        """Return the root certificate (PEM) for clients to trust; made when there is none."""
        with self._lock:
            return self._load_root(now or datetime.now(UTC)).certificate

    def kept_root(self) -> str:
        """Return the root certificate (PEM) that an earlier start has made.

        Raises:
            OSError: There is none, or it cannot be read.
            ValueError: It is damaged.
        """
        return self._read("root").certificate

    def issue(self, names: Sequence[str], now: datetime | None = None) -> Leaf:
        """Return a new certificate for ``names``."""
        now = now or datetime.now(UTC)
        with self._lock:
            issuer = self._load_intermediate(now)
        key = new_key("EC256")
        parsed = issuer.parsed
        end = min(now + self._leaf_lifetime, parsed.not_valid_after_utc)
        common = names[0] if len(names[0]) <= MAX_COMMON_NAME else ""
        builder = (
            _builder(common, key, now - BACKDATED, end)
            .issuer_name(parsed.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(general_names(names)), critical=not common)
            .add_extension(_usage(is_ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        )
        signed = _sign(builder, key, issuer)
        renewal = now + (end - now) / 2
        return Leaf(tuple(names), signed + issuer.certificate, to_pem(key), renewal, end)

    def _load_root(self, now: datetime) -> Issuer:
        """Return the root; one that ends soon is replaced."""

        def lasts(root: Issuer) -> bool:
            return root.end >= now + ROOT_RENEWAL

        if self._root is None or not lasts(self._root):
            self._root = self._obtain("root", lasts, lambda: _make_root(now))
            if self._root.end < now + ROOT_NOTICE:
                log.warning(
                    "The root of the internal CA ends soon; then clients have to trust another one",
                    extra=fields(
                        ends=self._root.end.isoformat(),
                        replaced=(self._root.end - ROOT_RENEWAL).isoformat(),
                        remedy="have clients trust what edgerouter ca root prints from then on",
                    ),
                )
        return self._root

    def _load_intermediate(self, now: datetime) -> Issuer:
        """Return the intermediate; one that ends before new leaves would is replaced."""
        root = self._load_root(now)
        needed = min(now + 2 * self._leaf_lifetime, root.end)

        def is_good(issuer: Issuer) -> bool:
            return issuer.end >= needed and _is_signed_by(issuer, root)

        if self._intermediate is None or not is_good(self._intermediate):
            lifetime = max(INTERMEDIATE_LIFETIME, 4 * self._leaf_lifetime)
            self._intermediate = self._obtain(
                "intermediate", is_good, lambda: _make_intermediate(root, now, lifetime)
            )
        return self._intermediate

    def _obtain(
        self, name: str, is_good: Callable[[Issuer], bool], make: Callable[[], Issuer]
    ) -> Issuer:
        """Return the issuer that is kept, else a new one, which is kept from now on."""
        with suppress(OSError, ValueError):
            kept = self._read(name)
            if is_good(kept):
                return kept
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with locked(self._directory / ".lock"):
                found = self._kept(name)  # Maybe another process has just made it.
                if found is not None and is_good(found):
                    return found
                return self._keep(name, make(), found)
        except OSError as error:
            log.warning(
                "The internal CA cannot be kept and ends with this process",
                extra=fields(
                    directory=str(self._directory),
                    reason=str(error.strerror or error),
                    remedy="mount a volume or set edgerouter.internalCA.storage",
                ),
            )
        return make()

    def _read(self, name: str) -> Issuer:
        certificate, key = self._paths(name)
        found = Issuer(certificate.read_text(), key.read_text())
        if not belong_together(found.certificate, found.key):
            raise ValueError(f"{key} is not the key of {certificate}")
        return found

    def _kept(self, name: str) -> Issuer | None:
        """Return what is kept; what is damaged is set aside. For whom has the lock."""
        paths = self._paths(name)
        missing = [path for path in paths if not path.exists()]
        if len(missing) == len(paths):
            if name == "root" and self._paths("intermediate")[0].exists():
                self._report("root.pem and root.key are gone", [])
            return None
        try:
            if missing:
                raise ValueError(f"{missing[0]} is missing")
            return self._read(name)
        except ValueError as error:
            moved = []
            for path in paths:
                with suppress(OSError):
                    moved.append(str(set_aside(path)))
            if name == "root":
                self._report(str(error), moved)
            else:
                log.warning(
                    "The intermediate of the internal CA is damaged and is made anew",
                    extra=fields(reason=str(error), movedTo=" ".join(moved)),
                )
            return None

    def _report(self, reason: str, moved: Sequence[str]) -> None:
        log.error(
            "The root of the internal CA is lost and is made anew; clients do not trust it yet",
            extra=fields(
                directory=str(self._directory),
                reason=reason,
                movedTo=" ".join(moved),
                remedy="put root.pem and root.key back and restart, or have clients trust what"
                " edgerouter ca root prints",
            ),
        )

    def _keep(self, name: str, made: Issuer, old: Issuer | None) -> Issuer:
        """Write a new issuer down in the place of an ``old`` one."""
        certificate, key = self._paths(name)
        if name == "root" and old is not None:
            target = certificate.with_name(f"root.ended-{old.end:%Y-%m-%d}.pem")
            certificate.rename(target)
            log.warning(
                "The root of the internal CA is replaced; clients have to trust the new one",
                extra=fields(
                    ends=old.end.isoformat(),
                    movedTo=str(target),
                    remedy="have clients trust what edgerouter ca root prints",
                ),
            )
        write_private(key, made.key)
        write_private(certificate, made.certificate)
        return made

    def _paths(self, name: str) -> tuple[Path, Path]:
        return self._directory / f"{name}.pem", self._directory / f"{name}.key"


def _make_root(now: datetime) -> Issuer:
    key = new_key("EC256")
    name = f"edgerouter internal CA, {socket.gethostname()} {now.year}"[:MAX_COMMON_NAME]
    builder = (
        _builder(name, key, now - BACKDATED, now + ROOT_LIFETIME)
        .issuer_name(_name(name))
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(_usage(is_ca=True), critical=True)
    )
    return Issuer(_sign(builder, key, None), to_pem(key))


def _make_intermediate(root: Issuer, now: datetime, lifetime: timedelta) -> Issuer:
    key = new_key("EC256")
    parsed = root.parsed
    end = min(now + lifetime, parsed.not_valid_after_utc)
    builder = (
        _builder("edgerouter internal intermediate", key, now - BACKDATED, end)
        .issuer_name(parsed.subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(is_ca=True), critical=True)
    )
    return Issuer(_sign(builder, key, root), to_pem(key))


def _builder(name: str, key: PrivateKey, start: datetime, end: datetime) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)] if common else [])


def _sign(builder: x509.CertificateBuilder, key: PrivateKey, issuer: Issuer | None) -> str:
    """Sign with the issuer's key, or with the certificate's own."""
    signing = key if issuer is None else load_key(issuer.key)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key())
    builder = builder.add_extension(authority, critical=False)
    return builder.sign(signing, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def _is_signed_by(issuer: Issuer, root: Issuer) -> bool:
    try:
        issuer.parsed.verify_directly_issued_by(root.parsed)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )
