"""Which context answers a ClientHello: the certificate by SNI, the options by host.

``Certificates`` is what a worker holds for all entry points, ``Selector`` what one
entry point makes of it: the options its routers ask for, host by host.
"""

from collections.abc import Mapping
from typing import Any

from edgerouter.tls.contexts import CertificateError, Contexts, ServedCertificate
from edgerouter.tls.hello import (
    HANDSHAKE_FAILURE,
    INTERNAL_ERROR,
    NO_APPLICATION_PROTOCOL,
    UNRECOGNIZED_NAME,
    ClientHello,
)
from edgerouter.tls.options import ACME_TLS, DEFAULT_SET, OptionsError, TlsOptions


class Refused(Exception):
    """The handshake is not begun; the client gets ``alert``."""

    def __init__(self, message: str, alert: int) -> None:
        super().__init__(message)
        self.alert = alert


class Terminate:
    """The decision that we are the server of a TLS connection, with ``context``."""

    __slots__ = ("context", "hello")

    def __init__(self, context: Any, hello: ClientHello) -> None:
        self.context = context
        """An ``ssl.SSLContext``."""
        self.hello = hello


class Certificates:
    """The ``tls`` part of a snapshot, ready to be asked."""

    def __init__(self) -> None:
        self.contexts = Contexts()
        self.options: dict[str, TlsOptions | OptionsError] = {DEFAULT_SET: TlsOptions({})}
        self._definitions: Mapping[str, Any] = {}
        self._names: dict[str, ServedCertificate] = {}
        self._default: ServedCertificate | None = None
        self._challenges: dict[str, ServedCertificate] = {}

    def update(self, section: Mapping[str, Any]) -> dict[str, list[str]]:
        """Use the ``tls`` part of a new snapshot; return errors by element."""
        if section == self._definitions:
            return {}
        errors: dict[str, list[str]] = {}
        self.options = self._read_options(section.get("options") or {}, errors)
        known = _Known(self._definitions, self._names, self._default)
        names: dict[str, ServedCertificate] = {}
        for definition in section.get("certificates") or ():
            certificate = known.certificate(definition)
            for name in definition["names"]:
                names.setdefault(name, certificate)
        default = section.get("default")
        self._default = known.certificate(default) if default else None
        self._names = names
        self._challenges = {
            host: ServedCertificate(pair) for host, pair in (section.get("acmeTls") or {}).items()
        }
        self._definitions = section
        self.contexts.use_ticket_key(bytes.fromhex(section.get("ticketKey") or ""))
        self._forget()
        return errors

    def _read_options(
        self, definitions: Mapping[str, Any], errors: dict[str, list[str]]
    ) -> dict[str, TlsOptions | OptionsError]:
        read: dict[str, TlsOptions | OptionsError] = {DEFAULT_SET: TlsOptions({})}
        for name, definition in definitions.items():
            try:
                read[name] = TlsOptions(definition)
            except OptionsError as error:
                read[name] = error
                errors[f"tls/options/{name}"] = [str(error)]
        return read

    def _forget(self) -> None:
        certificates = [*self._names.values(), *self._challenges.values()]
        if self._default is not None:
            certificates.append(self._default)
        options = [each for each in self.options.values() if isinstance(each, TlsOptions)]
        self.contexts.keep_only(options, (each.digest for each in certificates))

    def find(self, name: str) -> ServedCertificate | None:
        """Return the certificate for a name: its own, or one for any label in its place."""
        found = self._names.get(name)
        if found is None and "." in name:
            found = self._names.get("*." + name.partition(".")[2])
        return found

    def has(self, name: str) -> bool:
        """Tell whether there is a certificate for just this name."""
        return name in self._names

    @property
    def default(self) -> ServedCertificate | None:
        return self._default

    @property
    def http01(self) -> Mapping[str, str]:
        """The pending HTTP-01 challenges: key authorization by token."""
        return self._definitions.get("http01") or {}

    def challenge(self, name: str) -> ServedCertificate | None:
        """Return the certificate that answers an ACME server about ``name``."""
        return self._challenges.get(name)


class _Known:
    """Certificates of the last snapshot, to be used again where the content is the same."""

    def __init__(
        self,
        section: Mapping[str, Any],
        names: Mapping[str, ServedCertificate],
        default: ServedCertificate | None,
    ) -> None:
        self._by_text: dict[tuple[str, str], ServedCertificate] = {}
        for definition in section.get("certificates") or ():
            for name in definition["names"]:
                self._note(definition, names[name])
        if default is not None:
            self._note(section["default"], default)

    def _note(self, definition: Mapping[str, Any], certificate: ServedCertificate) -> None:
        if certificate.is_of(definition):
            self._by_text[definition["certificate"], definition["key"]] = certificate

    def certificate(self, definition: Mapping[str, Any]) -> ServedCertificate:
        text = (definition["certificate"], definition["key"])
        certificate = self._by_text.get(text)
        if certificate is None:
            certificate = self._by_text[text] = ServedCertificate(definition)
        return certificate


class Selector:
    """Decides about the TLS connections of one entry point."""

    def __init__(self, certificates: Certificates, hosts: Mapping[str, str]) -> None:
        """Use for each host (``*.x`` for one label before ``.x``) the options named for it."""
        self._certificates = certificates
        self._hosts = hosts

    def options_of(self, host: str) -> str:
        """Return the name of the options that hold for a host."""
        hosts = self._hosts
        found = hosts.get(host)
        if found is None and "." in host:
            found = hosts.get("*." + host.partition(".")[2])
        return found or DEFAULT_SET

    def decide(self, hello: ClientHello, local_ip: str = "") -> Terminate:
        """Return what becomes of a connection with this hello; HTTP over TLS, today.

        Args:
            hello: What the client asks for.
            local_ip: The address it has reached, for clients that name no host.

        Raises:
            Refused: The handshake cannot succeed.
        """
        try:
            if ACME_TLS in hello.protocols:
                return self._challenge(hello)
            options = self._options(hello.server_name)
            if hello.protocols:
                _check_protocols(hello, options)
            certificate = self._certificate(hello, options, local_ip)
            return Terminate(self._certificates.contexts.get(options, certificate), hello)
        except (CertificateError, OptionsError) as error:
            raise Refused(str(error), INTERNAL_ERROR) from error

    def _options(self, host: str) -> TlsOptions:
        name = self.options_of(host)
        options = self._certificates.options.get(name)
        if isinstance(options, TlsOptions):
            return options
        reason = f"cannot be used: {options}" if options is not None else "do not exist"
        raise Refused(f'the TLS options "{name}" {reason}', HANDSHAKE_FAILURE)

    def _certificate(
        self, hello: ClientHello, options: TlsOptions, local_ip: str
    ) -> ServedCertificate:
        certificate = self._certificates.find(hello.server_name or local_ip)
        if certificate is None and options.sni_strict:
            raise Refused(
                f'no certificate for "{hello.server_name}", and sniStrict is set', UNRECOGNIZED_NAME
            )
        certificate = certificate or self._certificates.default
        if certificate is None:
            raise Refused("there is no certificate at all", INTERNAL_ERROR)
        return certificate

    def _challenge(self, hello: ClientHello) -> Terminate:
        certificate = self._certificates.challenge(hello.server_name)
        if certificate is None:
            raise Refused(
                f'no ACME challenge for "{hello.server_name}" is pending', NO_APPLICATION_PROTOCOL
            )
        return Terminate(self._certificates.contexts.challenge(certificate), hello)


def _check_protocols(hello: ClientHello, options: TlsOptions) -> None:
    """Refuse a client that speaks nothing of ours (RFC 7301, section 3.2)."""
    if not any(name in options.accepted for name in hello.protocols):
        raise Refused(
            f"the client offers only {', '.join(hello.protocols)[:80]}", NO_APPLICATION_PROTOCOL
        )
