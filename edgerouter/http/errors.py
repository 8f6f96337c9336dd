"""What can go wrong in an exchange, each with the status a client sees.

``source`` says whose fault it was; ``retry`` says whether another server may
be asked: ``"always"`` (nothing was sent), ``"idempotent"`` (a kept-alive
connection died before the first byte of the answer) or ``"never"``.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Literal

from edgerouter.http.headers import Headers

if TYPE_CHECKING:
    from edgerouter.http.message import Response

Source = Literal["downstream", "routing", "upstream", "internal"]
Retry = Literal["never", "always", "idempotent"]


class ExchangeError(Exception):
    """A failure before the response head; rendered once, by the dispatcher."""

    status: ClassVar[int] = 500
    source: ClassVar[Source] = "internal"
    retry: ClassVar[Retry] = "never"
    page: ClassVar[str] = ""
    """The text the client sees; empty for the reason phrase."""
    retry_after: ClassVar[int] = 0
    """Seconds after which the client may try again; 0: nothing is said of it."""
    amend: Callable[[Headers], Headers] | None = None
    """What middlewares on the way out do to the header of the answer."""
    changes: "tuple[Callable[[Response], None], ...]" = ()
    """What they then do to the page itself, with ``edgerouter.compat=traefik``."""
    noted = False
    """Whether the program log has been told."""
    as_traefik: ClassVar[str | None] = ""
    """Traefik's words when it refuses a request for this: empty for status and reason phrase,
    None for an answer without content."""


class BadRequest(ExchangeError):
    """The request breaks RFC 9112 or a limit of ours."""

    status = 400
    source = "downstream"


class BadRequestAsTraefik(BadRequest):
    """A request that ``edgerouter.compat=traefik`` answers without a word."""


class UnsupportedVersion(BadRequest):
    """A version of HTTP that is not spoken (RFC 9110, section 15.6.6)."""

    status = 505
    as_traefik = "505 HTTP Version Not Supported: unsupported protocol version"


class RequestTimeout(ExchangeError):
    """The client was silent for too long in the middle of a request."""

    status = 408
    source = "downstream"


class BodyTooLarge(ExchangeError):
    """The request body exceeds a limit."""

    status = 413
    source = "downstream"


class HeadTooLarge(ExchangeError):
    """The request head exceeds ``http.maxHeaderBytes`` or the field count."""

    status = 431
    source = "downstream"


class MethodNotImplemented(ExchangeError):
    """CONNECT on HTTP/1 (RFC 9110, section 9.3.6: we are no forward proxy)."""

    status = 501
    source = "downstream"
    as_traefik = None


class UnsupportedTransferCoding(ExchangeError):
    """A transfer coding other than chunked (RFC 9112, section 6.1)."""

    status = 501
    source = "downstream"
    as_traefik = "Unsupported transfer encoding"


class BodyMalformedAsTraefik(ExchangeError):
    """A malformed request body, with ``edgerouter.compat=traefik``."""

    source = "downstream"


class BodyLateAsTraefik(ExchangeError):
    """A request body that came too late, with ``edgerouter.compat=traefik``."""

    status = 504
    source = "downstream"


class BrokenOff(ExchangeError):
    """An answer that Traefik begins and cannot end: the connection is closed without one."""


class ClientDisconnected(ExchangeError):
    """The client went away; logged as 499, never sent."""

    status = 499
    source = "downstream"


class NoRoute(ExchangeError):
    """No router matches."""

    status = 404
    source = "routing"


class NoServer(ExchangeError):
    """The service has no server that may be asked."""

    status = 503
    source = "routing"
    page = "no available server\n"
    retry_after = 5


class ConnectFailed(ExchangeError):
    """No connection to the server; nothing was sent."""

    status = 502
    source = "upstream"
    retry = "always"


class ConnectTimeout(ConnectFailed):
    """The server did not accept in time; nothing was sent."""

    status = 504


class HandshakeFailed(ConnectFailed):
    """No TLS connection: not trusted, not TLS, or too slow; nothing was sent."""


class NotTrusted(HandshakeFailed):
    """The server is not who it should be, or does not speak TLS."""


class NotTrustedAsTraefik(NotTrusted):
    """The same with ``edgerouter.compat=traefik``."""

    status = 500


class ResponseTimeout(ExchangeError):
    """The server accepted the request and did not answer in time."""

    status = 504
    source = "upstream"


class UpstreamReset(ExchangeError):
    """The server closed or reset the connection before it answered."""

    status = 502
    source = "upstream"


class UpstreamCut(UpstreamReset):
    """The server closed or reset the connection in the middle of its head."""


class StaleConnection(UpstreamReset):
    """A kept-alive connection died before a byte of the answer came."""

    retry = "idempotent"


class UpstreamProtocolError(ExchangeError):
    """The server's answer is not HTTP."""

    status = 500
    source = "upstream"
