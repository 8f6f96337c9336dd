"""TLS towards servers: what the options of a servers transport come down to.

Certificates are given as file paths or as PEM text. A context is made once per
content, because reading the system's authorities is slow and connections of
one context can share sessions.
"""

import os
import ssl
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from edgerouter.config.content import read_regular
from edgerouter.http.ciphers import OPENSSL_NAMES, TLS13_SUITES
from edgerouter.tls.trust import verify_as_go

VERSIONS = {
    "VersionTLS10": ssl.TLSVersion.TLSv1,
    "VersionTLS11": ssl.TLSVersion.TLSv1_1,
    "VersionTLS12": ssl.TLSVersion.TLSv1_2,
    "VersionTLS13": ssl.TLSVersion.TLSv1_3,
}
HANDSHAKE_TIMEOUT = 10.0
"""Seconds for a TLS handshake, as in Traefik."""


class TransportError(ValueError):
    """The options of a servers transport cannot be used; the message says which and why."""


class ClientTLS:
    """How the TLS connections of one servers transport are made."""

    __slots__ = ("context", "peer_uri", "server_name")

    def __init__(self, context: ssl.SSLContext, server_name: str, peer_uri: str) -> None:
        self.context = context
        self.server_name = server_name
        """Sent and verified instead of the URL's host; empty for that."""
        self.peer_uri = peer_uri
        """A URI that the server's certificate must hold, or an empty string."""

    def refusal(self, certificate: Mapping[str, Any] | None) -> str:
        """Return why the server with ``certificate`` (``getpeercert()``) is not to be trusted."""
        if not self.peer_uri:
            return ""
        names = (certificate or {}).get("subjectAltName", ())
        found = [value for kind, value in names if kind == "URI"]
        if any(value.lower() == self.peer_uri.lower() for value in found):
            return ""
        return f"its certificate is not for the URI {self.peer_uri} (peerCertURI) but for {found}"


def client_tls(transport: Mapping[str, Any]) -> ClientTLS:
    """Return what connections under ``transport`` use; equal options give the same object.

    Args:
        transport: The options of Traefik's ``serversTransport``, by its names.

    Raises:
        TransportError: The options cannot be used.
    """
    if transport.get("spiffe") is not None:
        message = "spiffe is not supported; use certificates, rootCAs and peerCertURI instead"
        raise TransportError(message)
    if transport.get("peerCertSANs"):
        message = "peerCertSANs is not supported; use serverName or peerCertURI instead"
        raise TransportError(message)
    return _client_tls(
        transport.get("serverName") or "",
        bool(transport.get("insecureSkipVerify")),
        tuple(
            read_pem(text, f"rootCAs[{index}]")
            for index, text in enumerate(transport.get("rootCAs") or ())
        ),
        tuple(
            (
                read_pem(pair.get("certFile") or "", f"certificates[{index}].certFile"),
                read_pem(pair.get("keyFile") or "", f"certificates[{index}].keyFile"),
            )
            for index, pair in enumerate(transport.get("certificates") or ())
        ),
        tuple(transport.get("cipherSuites") or ()),
        transport.get("minVersion") or "",
        transport.get("maxVersion") or "",
        transport.get("peerCertURI") or "",
    )


def read_pem(value: str, option: str) -> str:
    """Return the PEM text that ``value`` is or that the file it names holds.

    Raises:
        TransportError: There is none; the message names ``option``.
    """
    if "-----BEGIN" in value:
        if not value.isascii():
            message = f"{option} is no PEM text: it holds characters beyond ASCII"
            raise TransportError(message)
        return value
    if not value:
        message = f"{option} is empty; give a file or PEM text"
        raise TransportError(message)
    try:
        text = read_regular(value).decode("ascii", "ignore")
    except OSError as error:
        reason = error.strerror
        shown = _shown(value, option)
        message = f"{option}: {shown} is neither PEM text nor a readable file: {reason}"
        raise TransportError(message) from error
    if "-----BEGIN" not in text:
        message = f"{option}: the file {value} holds no PEM text"
        raise TransportError(message)
    return text


def _shown(value: str, option: str) -> str:
    """Return what stands in place of a path; in that of a key it may be the key."""
    return "it" if option.lower().endswith("keyfile") else value[:200]


@lru_cache(maxsize=256)
def _client_tls(
    server_name: str,
    insecure: bool,
    authorities: tuple[str, ...],
    certificates: tuple[tuple[str, str], ...],
    suites: tuple[str, ...],
    min_version: str,
    max_version: str,
    peer_uri: str,
) -> ClientTLS:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    context.hostname_checks_common_name = False  # As in Go; RFC 9110, section 4.3.4.
    if insecure:
        # With peerCertURI the chain is still verified, as in Traefik: only the name is not.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED if peer_uri else ssl.CERT_NONE
    verify_as_go(context)
    _trust(context, authorities)
    for index, (certificate, key) in reversed(list(enumerate(certificates))):
        _load_certificate(context, certificate, key, f"certificates[{index}]")
    _limit_versions(context, min_version, max_version)
    _choose_suites(context, suites)
    return ClientTLS(context, server_name, peer_uri)


def _trust(context: ssl.SSLContext, authorities: Sequence[str]) -> None:
    if context.verify_mode is ssl.CERT_NONE:
        return
    if not authorities:
        context.load_default_certs()
    for index, text in enumerate(authorities):
        try:
            context.load_verify_locations(cadata=text)
        except (ssl.SSLError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            message = f"rootCAs[{index}] holds no readable certificate: {reason}"
            raise TransportError(message) from error


def _load_certificate(context: ssl.SSLContext, certificate: str, key: str, option: str) -> None:
    # OpenSSL reads files only; a file in memory keeps the key off the disk.
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, f"{certificate}\n{key}\n".encode())
        # An encrypted key must not ask for a password at a terminal.
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password="")
    except (ssl.SSLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        message = f"{option}: certificate and key cannot be used together: {reason}"
        raise TransportError(message) from error
    finally:
        os.close(descriptor)


def _limit_versions(context: ssl.SSLContext, min_version: str, max_version: str) -> None:
    lowest = _version("minVersion", min_version)
    highest = _version("maxVersion", max_version)
    if lowest is not None and highest is not None and lowest > highest:
        message = f"minVersion {min_version} is above maxVersion {max_version}"
        raise TransportError(message)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # The user has asked for old versions.
        if highest is not None:
            context.minimum_version = min(context.minimum_version, highest)
            context.maximum_version = highest
        if lowest is not None:
            context.minimum_version = lowest
    if context.minimum_version < ssl.TLSVersion.TLSv1_2:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # Their signatures are below level 1.


def _version(option: str, name: str) -> ssl.TLSVersion | None:
    if name and name not in VERSIONS:
        message = f'{option}: expected one of {", ".join(VERSIONS)}; got "{name}"'
        raise TransportError(message)
    return VERSIONS.get(name)


def _choose_suites(context: ssl.SSLContext, suites: Sequence[str]) -> None:
    unknown = [name for name in suites if name not in OPENSSL_NAMES and name not in TLS13_SUITES]
    if unknown:
        message = f'cipherSuites: unknown suite "{unknown[0]}"; names are those of Go'
        raise TransportError(message)
    chosen = [OPENSSL_NAMES[name] for name in suites if name in OPENSSL_NAMES]
    if not chosen:
        return
    level = ":@SECLEVEL=0" if context.minimum_version < ssl.TLSVersion.TLSv1_2 else ""
    try:
        context.set_ciphers(":".join(dict.fromkeys(chosen)) + level)
    except ssl.SSLError as error:
        message = f"cipherSuites: OpenSSL knows none of {', '.join(suites)}"
        raise TransportError(message) from error
