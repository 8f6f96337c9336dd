"""``buffering``: whole bodies are read before they are passed on; sizes in bytes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    max_request_body_bytes: int = 0
    mem_request_body_bytes: int = 1_048_576
    max_response_body_bytes: int = 0
    mem_response_body_bytes: int = 1_048_576
    retry_expression: str = ""
