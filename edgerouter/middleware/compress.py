"""``compress``: responses are compressed for clients that accept it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    excluded_content_types: tuple[str, ...] = ()
    included_content_types: tuple[str, ...] = ()
    min_response_body_bytes: int = 1024
    encodings: tuple[str, ...] = ("gzip", "br", "zstd")
    default_encoding: str = ""
