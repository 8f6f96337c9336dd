"""``redirectRegex``: redirections by regular expression on the whole URL."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    regex: str = ""
    replacement: str = ""
    permanent: bool = False
