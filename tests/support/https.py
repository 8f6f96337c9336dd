"""Asks over HTTPS, with or without trust."""

import http.client
import socket
import ssl
from dataclasses import dataclass

from cryptography import x509

from edgerouter.tls.trust import verify_as_go


@dataclass(frozen=True, slots=True)
class SecureAnswer:
    """An answer over TLS; status 0 means that there was none, ``text`` says why."""

    status: int
    text: str
    certificate: x509.Certificate | None = None

    @property
    def serial(self) -> str:
        return "" if self.certificate is None else f"{self.certificate.serial_number:x}"


def trusting(roots: str) -> ssl.SSLContext:
    """Return what verifies servers by ``roots`` (PEM), which may lack what Python 3.13 demands."""
    context = ssl.create_default_context(cadata=roots)
    verify_as_go(context)
    return context


def ask_https(port: int, host: str, path: str = "/", *, roots: str = "") -> SecureAnswer:
    """Send one GET request; ``roots`` (PEM) are trusted, without any nothing is verified."""
    context = trusting(roots) if roots else ssl._create_unverified_context()
    try:
        with (
            socket.create_connection(("127.0.0.1", port), 5) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            encoded = secure.getpeercert(binary_form=True)
            certificate = x509.load_der_x509_certificate(encoded) if encoded else None
            request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            secure.sendall(request.encode())
            response = http.client.HTTPResponse(secure)  # type: ignore[arg-type]
            response.begin()
            return SecureAnswer(response.status, response.read().decode(), certificate)
    except (OSError, http.client.HTTPException) as error:
        return SecureAnswer(0, f"{type(error).__name__}: {error}")
