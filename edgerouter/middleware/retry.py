"""``retry``: a failed request is sent again."""

from dataclasses import dataclass

from edgerouter.config.types import Duration


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    attempts: int = 0
    """Tries in all."""
    timeout: Duration = 0.0
    initial_interval: Duration = 0.0
    max_request_body_bytes: int = 2_097_152
    status: tuple[str, ...] = ()
    disable_retry_on_network_error: bool = False
    retry_non_idempotent_method: bool = False
