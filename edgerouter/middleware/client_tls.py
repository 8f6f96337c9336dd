"""TLS towards helpers such as authentication servers or Redis: shared options."""

from dataclasses import dataclass, field

from edgerouter.middleware.base import BuildError


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
        """Return the same as options of a ``serversTransport``.

        Raises:
            BuildError: One of ``cert`` and ``key`` is missing.
        """
        if bool(self.cert) != bool(self.key):
            raise BuildError("tls: cert and key belong together; set both or none")
        made: dict[str, object] = {"insecureSkipVerify": self.insecure_skip_verify}
        if self.ca:
            made["rootCAs"] = [self.ca]
        if self.cert:
            made["certificates"] = [{"certFile": self.cert, "keyFile": self.key}]
        return made


def in_own_words(reason: str) -> str:
    """Return what is wrong with such a transport, with the options' names here."""
    for theirs, ours in (
        ("rootCAs[0]", "tls.ca"),
        ("certificates[0].certFile", "tls.cert"),
        ("certificates[0].keyFile", "tls.key"),
        ("certificates[0]", "tls.cert"),
    ):
        reason = reason.replace(theirs, ours, 1)
    return reason
