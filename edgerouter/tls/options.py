"""A set of ``tls.options`` applied to an OpenSSL context.

``TlsOptions`` is made once per set from the camelCase mapping of a snapshot. What
OpenSSL cannot do is said by ``problems`` in the control plane; a worker then goes on
with what is left, unless it would be weaker than what was asked for.
"""

import json
import ssl
from collections.abc import Mapping, Sequence
from typing import Any

from edgerouter.tls.ciphers import (
    CURVES,
    DEFAULT,
    GONE,
    OLD_VERSIONS,
    SINGLE_CURVES,
    SUITES,
    TLS13_SUITES,
)
from edgerouter.tls.native import OPENSSL
from edgerouter.tls.trust import verify_as_go

DEFAULT_SET = "default"
SERVED_PROTOCOLS = ("http/1.1",)
"""What we speak over TLS, by ALPN names; what is not here is never offered."""
ACME_TLS = "acme-tls/1"

VERSIONS = {
    "VersionTLS10": ssl.TLSVersion.TLSv1,
    "VersionTLS11": ssl.TLSVersion.TLSv1_1,
    "VersionTLS12": ssl.TLSVersion.TLSv1_2,
    "VersionTLS13": ssl.TLSVersion.TLSv1_3,
}
CLIENT_AUTH_TYPES = (
    "NoClientCert",
    "RequestClientCert",
    "RequireAnyClientCert",
    "VerifyClientCertIfGiven",
    "RequireAndVerifyClientCert",
)
_VERIFYING = {
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}


class OptionsError(ValueError):
    """A set of options cannot be used: handshakes with it are refused. The message says why."""


class TlsOptions:
    """One set of options."""

    def __init__(self, mapping: Mapping[str, Any]) -> None:
        """Read a set.

        Raises:
            OptionsError: A value is not known, or cannot be met.
        """
        self.content = json.dumps(mapping, sort_keys=True)
        """Equal sets have equal content."""
        self.sni_strict = bool(mapping.get("sniStrict"))
        self.tickets = not mapping.get("disableSessionTickets")
        offered = mapping.get("alpnProtocols") or SERVED_PROTOCOLS
        self.protocols = tuple(name for name in offered if name in SERVED_PROTOCOLS)
        """What is offered by ALPN, the preferred first."""
        self.accepted = self.protocols or (("http/1.1",) if "h2" in offered else ())
        """Clients that use ALPN have to offer one of these; h2 alone includes 1.1, as in Go."""
        suites = mapping.get("cipherSuites") or ()
        self._minimum, self._maximum = _versions(mapping, suites)
        self._ciphers = _ciphers(suites, self._minimum)
        self.curves: list[str] = _curves(mapping.get("curvePreferences") or ())
        client_auth = mapping.get("clientAuth") or {}
        self._authorities: str = client_auth.get("authorities") or ""
        self._client_auth = _client_auth(client_auth)

    def apply(self, context: ssl.SSLContext) -> None:
        """Make ``context`` speak TLS as this set wants it.

        Raises:
            OptionsError: OpenSSL refuses something.
        """
        try:
            context.minimum_version = self._minimum
            context.maximum_version = self._maximum
            context.set_ciphers(self._ciphers)
            context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
            if self.protocols:
                context.set_alpn_protocols(list(self.protocols))
            self._apply_curves(context)
            self._apply_client_auth(context)
        except (ssl.SSLError, ValueError) as error:
            raise OptionsError(str(error)) from error
        if self.tickets:
            context.num_tickets = 1  # As Go sends; two would cost each handshake more.
        else:
            context.options |= ssl.OP_NO_TICKET
            context.num_tickets = 0
        if OPENSSL is not None:
            OPENSSL.forget_sessions(context)

    def _apply_curves(self, context: ssl.SSLContext) -> None:
        if not self.curves:
            return
        if OPENSSL is None:
            context.set_ecdh_curve(SINGLE_CURVES[self.curves[0]])
        else:
            known = [name for name in self.curves if OPENSSL.set_curves(context, name)]
            if not known or not OPENSSL.set_curves(context, ":".join(known)):
                names = ", ".join(self.curves)
                raise OptionsError(
                    f"curvePreferences: {ssl.OPENSSL_VERSION} knows none of {names};"
                    " name another one, such as X25519"
                )

    def _apply_client_auth(self, context: ssl.SSLContext) -> None:
        kind = self._client_auth
        if self._authorities:
            try:
                context.load_verify_locations(cadata=self._authorities)
                verify_as_go(context)
            except (ssl.SSLError, ValueError, TypeError) as error:  # TypeError: not ASCII.
                raise OptionsError(
                    f"clientAuth.caFiles: not all of it are certificates in PEM form: {error}"
                ) from error
        if kind in _VERIFYING:
            context.verify_mode = _VERIFYING[kind]
        elif kind != "NoClientCert":
            if OPENSSL is None:
                raise OptionsError(
                    f"clientAuth.clientAuthType: {kind} does not verify certificates, which is "
                    "impossible with this build of Python; use RequireAndVerifyClientCert"
                )
            OPENSSL.accept_any_client(context, required=kind == "RequireAnyClientCert")
        if kind != "NoClientCert" and OPENSSL is not None:
            OPENSSL.name_client_authorities(context)


def problems(mapping: Mapping[str, Any]) -> list[tuple[bool, str]]:
    """Return what is wrong with a set: whether it makes the set unusable, and the message."""
    found: list[tuple[bool, str]] = []
    gone = [name for name in mapping.get("cipherSuites") or () if name in GONE]
    if gone:
        found.append((False, f"cipherSuites: OpenSSL does not speak {', '.join(gone)}; left out"))
    found += [(False, text) for text in _version_problems(mapping)]
    if mapping.get("preferServerCipherSuites"):
        found.append((False, "preferServerCipherSuites is deprecated and has no effect"))
    try:
        options = TlsOptions(mapping)
        options.apply(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    except OptionsError as error:
        found.append((True, str(error)))
        return found
    if not options.protocols:
        found.append((False, _protocol_problem(mapping["alpnProtocols"], options.accepted)))
    return found + [(False, text) for text in _curve_problems(options.curves)]


def _protocol_problem(names: Sequence[str], accepted: Sequence[str]) -> str:
    others = f" without {' or '.join(accepted)}" if accepted else ""
    return (
        f"alpnProtocols: {', '.join(names)} cannot be offered, and clients that use ALPN"
        f"{others} are refused; add {' or '.join(SERVED_PROTOCOLS)}"
    )


def _curve_problems(names: list[str]) -> list[str]:
    if OPENSSL is None:
        return (
            [f"curvePreferences: this build of Python can set one curve only; {names[0]} is used"]
            if len(names) > 1
            else []
        )
    probe = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    unknown = [name for name in names if not OPENSSL.set_curves(probe, name)]
    version = ssl.OPENSSL_VERSION
    return [f"curvePreferences: {version} does not know {name}; left out" for name in unknown]


def _versions(
    mapping: Mapping[str, Any], suites: Sequence[str]
) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    """Return the lowest and the highest version; suites of 1.3 alone leave nothing for others."""
    minimum = _version(mapping, "minVersion") or ssl.TLSVersion.TLSv1_2
    maximum = _version(mapping, "maxVersion") or ssl.TLSVersion.MAXIMUM_SUPPORTED
    if 0 < maximum < minimum:  # MAXIMUM_SUPPORTED is negative.
        raise OptionsError("minVersion: must not be above maxVersion")
    if not _has_old(suites) and not TLS13_SUITES.isdisjoint(suites):
        minimum = ssl.TLSVersion.TLSv1_3
        if 0 < maximum < minimum:
            raise OptionsError("cipherSuites: all are of TLS 1.3, which is above maxVersion")
    return minimum, maximum


def _has_old(suites: Sequence[str]) -> bool:
    return any(name in SUITES for name in suites)


def _version(mapping: Mapping[str, Any], key: str) -> ssl.TLSVersion | None:
    """Return a version; one that does not exist counts as unset, as in Traefik."""
    return VERSIONS.get(mapping.get(key) or "")


def _version_problems(mapping: Mapping[str, Any]) -> list[str]:
    return [
        f'{key}: "{mapping[key]}" is no version and has no effect; write one of '
        + ", ".join(VERSIONS)
        for key in ("minVersion", "maxVersion")
        if mapping.get(key) and mapping[key] not in VERSIONS
    ]


def _ciphers(names: Sequence[str], minimum: ssl.TLSVersion) -> str:
    """Return the suites for versions before 1.3."""
    level = ":@SECLEVEL=0" if minimum < ssl.TLSVersion.TLSv1_2 else ""
    for name in names:
        if name not in SUITES and name not in TLS13_SUITES and name not in GONE:
            raise OptionsError(f'cipherSuites: "{name}" is no cipher suite')
    if names and not _has_old(names) and TLS13_SUITES.isdisjoint(names):
        raise OptionsError("cipherSuites: OpenSSL speaks none of them")
    if not _has_old(names):
        return f"{DEFAULT}:{OLD_VERSIONS}{level}" if level else DEFAULT
    return ":".join(SUITES[name] for name in names if name in SUITES) + level


def _curves(names: Sequence[str]) -> list[str]:
    for name in names:
        if name not in CURVES:
            raise OptionsError(
                f'curvePreferences: "{name}" is no curve; write one of {", ".join(CURVES)}'
            )
    curves = list(dict.fromkeys(CURVES[name] for name in names))
    if OPENSSL is None:
        curves = [name for name in curves if name in SINGLE_CURVES]
        if names and not curves:
            raise OptionsError(
                "curvePreferences: this build of Python can only set CurveP256, "
                "CurveP384 or CurveP521"
            )
    return curves


def _client_auth(mapping: Mapping[str, Any]) -> str:
    kind: str = mapping.get("clientAuthType") or "NoClientCert"
    if kind not in CLIENT_AUTH_TYPES:
        raise OptionsError(
            f'clientAuth.clientAuthType: "{kind}" is unknown; write one of '
            + ", ".join(CLIENT_AUTH_TYPES)
        )
    if mapping.get("errors"):
        raise OptionsError("; ".join(mapping["errors"]))
    if kind in _VERIFYING and not mapping.get("authorities"):
        raise OptionsError(f"clientAuth.caFiles: {kind} needs the certificates to verify with")
    return kind
