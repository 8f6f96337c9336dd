"""``grpcWeb``: gRPC-Web clients reach gRPC servers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    allow_origins: tuple[str, ...] = ()
