"""OpenSSL contexts, each made when a client first needs it and kept as long as it is wanted.

A context is a set of options with one certificate. It is found by content, so a
new snapshot with the same options and certificates makes none.
"""

import hashlib
import hmac
import os
import ssl
from collections.abc import Iterable, Mapping
from typing import Any

from edgerouter.tls.native import OPENSSL, TICKET_KEY_SIZE
from edgerouter.tls.options import ACME_TLS, TlsOptions

MAX_CONTEXTS = 800
"""Contexts of one worker at the same time, of 40 KB each; another one takes half a millisecond."""


class CertificateError(ValueError):
    """OpenSSL does not take a certificate or its key; the message says why."""


class ServedCertificate:
    """A certificate with its key as it came in a snapshot."""

    __slots__ = ("_pem", "digest", "origin")

    def __init__(self, definition: Mapping[str, Any]) -> None:
        self.origin: str = definition.get("origin") or ""
        self._pem = pem_of(definition)
        self.digest = hashlib.sha256(self._pem.encode()).digest()

    def is_of(self, definition: Mapping[str, Any]) -> bool:
        """Tell whether this was made of ``definition``."""
        return self._pem == pem_of(definition)

    def load(self, context: ssl.SSLContext) -> None:
        """Put the certificate into ``context``.

        Raises:
            CertificateError: OpenSSL does not take it.
        """
        # OpenSSL reads files only: one in memory, seen by nobody else.
        descriptor = os.memfd_create("certificate")
        try:
            with open(descriptor, "w", closefd=False) as file:
                file.write(self._pem)
            # No password: without one OpenSSL would ask at the terminal for that of a key.
            context.load_cert_chain(f"/proc/self/fd/{descriptor}", password="")
        except (ssl.SSLError, OSError) as error:
            raise CertificateError(f"{self.origin}: {error}") from error
        finally:
            os.close(descriptor)


def pem_of(definition: Mapping[str, Any]) -> str:
    """Return certificate, chain and key as one text."""
    return f"{definition['certificate']}\n{definition['key']}"


class Contexts:
    """The contexts of one worker."""

    def __init__(self) -> None:
        self._contexts: dict[tuple[str, bytes], ssl.SSLContext] = {}
        self._ticket_key = b""

    def get(self, options: TlsOptions, certificate: ServedCertificate) -> ssl.SSLContext:
        """Return the context of both.

        Raises:
            OptionsError: OpenSSL refuses the options.
            CertificateError: OpenSSL does not take the certificate.
        """
        key = (options.content, certificate.digest)
        context = self._contexts.get(key)
        if context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            options.apply(context)
            certificate.load(context)
            self._set_ticket_keys(context, key)
            if len(self._contexts) >= MAX_CONTEXTS:
                # The oldest goes; sessions begun with it are resumed with its successor.
                del self._contexts[next(iter(self._contexts))]
            self._contexts[key] = context
        return context

    def challenge(self, certificate: ServedCertificate) -> ssl.SSLContext:
        """Return a context for ``acme-tls/1`` (RFC 8737).

        Raises:
            CertificateError: OpenSSL does not take the certificate.
        """
        key = (ACME_TLS, certificate.digest)
        context = self._contexts.get(key)
        if context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.set_alpn_protocols([ACME_TLS])
            certificate.load(context)
            self._contexts[key] = context
        return context

    def use_ticket_key(self, key: bytes) -> None:
        """Encrypt session tickets from now on by what follows from ``key``; empty: each its own."""
        if key == self._ticket_key:
            return
        self._ticket_key = key
        for place, context in self._contexts.items():
            self._set_ticket_keys(context, place)

    def _set_ticket_keys(self, context: ssl.SSLContext, place: tuple[str, bytes]) -> None:
        if OPENSSL is None or not self._ticket_key or place[0] == ACME_TLS:
            return
        # Keys of its own for each context: a session begun where clients need no certificate
        # must not be resumed where they do.
        content = place[0].encode() + place[1]
        keys = b"".join(
            hmac.digest(self._ticket_key, bytes((number,)) + content, "sha256")
            for number in range(3)
        )
        OPENSSL.set_ticket_keys(context, keys[:TICKET_KEY_SIZE])

    def keep_only(self, options: Iterable[TlsOptions], certificates: Iterable[bytes]) -> None:
        """Forget the contexts of other options or other certificates (by digest)."""
        contents = {ACME_TLS, *(each.content for each in options)}
        digests = frozenset(certificates)
        self._contexts = {
            key: context
            for key, context in self._contexts.items()
            if key[0] in contents and key[1] in digests
        }
