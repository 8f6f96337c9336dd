"""TLS towards helpers such as authentication servers or Redis: shared options."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ClientTLS:
    """Files or PEM texts."""

    ca: str = ""
    ca_optional: bool = False
    """Deprecated: has no effect."""
    cert: str = ""
    key: str = field(default="", metadata={"secret": True})
    insecure_skip_verify: bool = False

    def transport(self) -> dict[str, object]:
        """Return the same as options of a ``serversTransport``."""
        made: dict[str, object] = {"insecureSkipVerify": self.insecure_skip_verify}
        if self.ca:
            made["rootCAs"] = [self.ca]
        if self.cert:
            made["certificates"] = [{"certFile": self.cert, "keyFile": self.key}]
        return made
