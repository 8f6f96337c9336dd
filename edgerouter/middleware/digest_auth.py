"""``digestAuth``: user names and digests (RFC 2617)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    users: tuple[str, ...] = ()
    users_file: str = ""
    realm: str = ""
    """Empty: ``traefik``."""
    remove_header: bool = False
    header_field: str = ""
