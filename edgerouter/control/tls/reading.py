"""Reads what the dynamic configuration says of TLS: certificates, the default one, options.

A pair of files that is broken for a while, as it is between the writing of a
certificate and of its key, stays what it was: its last good content serves on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgerouter.config.diagnostics import Diagnostic, Severity
from edgerouter.config.dynamic import TLSConfiguration
from edgerouter.config.dynamic.base import Certificate as CertificateFiles
from edgerouter.config.dynamic.tls import TLSOptions
from edgerouter.control.tls.files import FileProblem, PemFiles, describe
from edgerouter.control.tls.pair import PairProblem, names_of_pair
from edgerouter.control.tls.source import Certificate
from edgerouter.tls.ciphers import DEFAULT_AS_TRAEFIK
from edgerouter.tls.options import DEFAULT_SET, problems

Files = tuple[str, str]
"""What ``certFile`` and ``keyFile`` say: paths, or PEM text."""


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """A certificate of the user."""

    certificate: Certificate
    problem: str = ""
    """Why it is not what its files hold now."""


class Reading:
    """One round of reading."""

    def __init__(self, files: PemFiles, last: Mapping[Files, Certificate]) -> None:
        """Read from ``files``; ``last`` are the good pairs of the round before."""
        self._files = files
        self._last = last
        self.good: dict[Files, Certificate] = {}
        """The pairs of this round, for the next one."""
        self.found: list[Diagnostic] = []

    def _say(self, element: str, message: str, *, warning: bool = False) -> None:
        severity: Severity = "warning" if warning else "error"
        self.found.append(Diagnostic(severity, message, key=element, element=element))

    def certificates(self, tls: TLSConfiguration) -> list[OwnCertificate]:
        read = []
        for index, each in enumerate(tls.certificates):
            element = f"tls.certificates[{index}]"
            if each.stores and "default" not in each.stores:
                message = f'the stores {", ".join(each.stores)} are not used, only "default" is'
                self._say(element, message, warning=True)
                continue
            certificate = self._certificate(element, each)
            if certificate is not None:
                read.append(certificate)
        return read

    def default(self, tls: TLSConfiguration) -> OwnCertificate | None:
        store = tls.stores.get("default")
        if store is None or store.default_certificate is None:
            return None
        return self._certificate("tls.stores.default.defaultCertificate", store.default_certificate)

    def _certificate(self, element: str, files: CertificateFiles) -> OwnCertificate | None:
        certificate, key = files.cert_file, files.key_file
        if not certificate or not key:
            missing = "keyFile" if certificate else "certFile"
            self._say(element, f"{missing} is missing; a certificate needs certFile and keyFile")
            return None
        try:
            read = self._read(certificate, key)
        except ValueError as error:
            last = self._last.get((certificate, key))
            if last is None:
                self._say(element, f"{error}; the other certificates keep serving")
                return None
            self._say(element, f"{error}; what the files held before keeps serving")
            self.good[certificate, key] = last
            return OwnCertificate(last, str(error))
        self.good[certificate, key] = read
        return OwnCertificate(read)

    def _read(self, certificate: str, key: str) -> Certificate:
        """Return a pair.

        Raises:
            ValueError: It cannot be served; the message names the file and the remedy.
        """
        chain_pem, key_pem = self._files.read(certificate), self._files.read(key)
        try:
            names = names_of_pair(chain_pem, key_pem)
        except PairProblem as error:
            blamed = describe(key if error.in_key else certificate)
            other = "" if error.in_key else f" (key: {describe(key)})"
            raise ValueError(f"{blamed}{other}: {error}") from error
        return Certificate(names, chain_pem, key_pem, describe(certificate))

    def options(self, tls: TLSConfiguration, *, as_traefik: bool = False) -> dict[str, Any]:
        """Return the sets of options by name; ``as_traefik``: with Go's suites by default."""
        sets = {name: self._option_set(name, each) for name, each in tls.options.items()}
        if as_traefik:
            for each in (sets.setdefault(DEFAULT_SET, {}), *sets.values()):
                each["cipherSuites"] = each.get("cipherSuites") or DEFAULT_AS_TRAEFIK
        return sets

    def _option_set(self, name: str, options: TLSOptions) -> dict[str, Any]:
        element = f"tls.options.{name}"
        mapping = options.model_dump(mode="json", by_alias=True)
        authorities, errors = [], []
        for file in options.client_auth.ca_files:
            try:
                authorities.append(self._files.read(file))
            except FileProblem as error:
                errors.append(f"clientAuth.caFiles: {error}")
        kind = options.client_auth.client_auth_type
        mapping["clientAuth"] = {
            # As in Traefik, authorities alone mean that clients need a certificate of theirs.
            "clientAuthType": kind
            or ("RequireAndVerifyClientCert" if options.client_auth.ca_files else ""),
            "authorities": "\n".join(authorities),
            "errors": errors,
        }
        for is_fatal, message in problems(mapping):
            end = "; clients of routers with these options are refused" if is_fatal else ""
            self._say(element, message + end, warning=not is_fatal)
        return mapping
