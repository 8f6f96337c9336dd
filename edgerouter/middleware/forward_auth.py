"""``forwardAuth``: another server decides about a request."""

from dataclasses import dataclass, field

from edgerouter.middleware.client_tls import ClientTLS


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    address: str = ""
    tls: ClientTLS | None = None
    trust_forward_header: bool | None = None
    auth_response_headers: tuple[str, ...] = ()
    auth_response_headers_regex: str = ""
    auth_request_headers: tuple[str, ...] = ()
    max_response_body_size: int = -1
    add_auth_cookies_to_response: tuple[str, ...] = ()
    header_field: str = ""
    forward_body: bool = False
    max_body_size: int = -1
    preserve_location_header: bool = False
    preserve_request_method: bool = False
    auth_signin_url: str = field(default="", metadata={"alias": "authSigninURL"})
