"""What is known of a client's TLS connection."""


class TlsFacts:
    """The outcome of one handshake; one per connection (``Peer.tls``)."""

    __slots__ = ("certificates", "cipher", "protocol", "server_name", "version")

    def __init__(
        self,
        version: str,
        cipher: str,
        server_name: str = "",
        protocol: str = "",
        certificates: tuple[bytes, ...] = (),
    ) -> None:
        self.version = version
        """As OpenSSL writes it: ``TLSv1.3``."""
        self.cipher = cipher
        """The suite's name at IANA and in Go: ``TLS_AES_128_GCM_SHA256``."""
        self.server_name = server_name
        """The name the client asked for (SNI), in lower case, or an empty string."""
        self.protocol = protocol
        """What ALPN chose: ``http/1.1``, or an empty string."""
        self.certificates = certificates
        """The client's certificates in DER, its own first; verified if the options ask for it."""
