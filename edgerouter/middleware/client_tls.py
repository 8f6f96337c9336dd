"""TLS towards helpers such as authentication servers or Redis: shared options."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClientTLS:
    """Files or PEM texts."""

    ca: str = ""
    ca_optional: bool = False
    """Deprecated: has no effect."""
    cert: str = ""
    key: str = ""
    insecure_skip_verify: bool = False
