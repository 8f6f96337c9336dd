"""``redirectRegex``: redirections by regular expression on the whole URL.

The URL is ``scheme://host[:port]/path?query`` as the client used it. One that
the expression does not match, or that stays what it is, goes on.
"""

from collections.abc import Awaitable
from dataclasses import dataclass

from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.redirection import client_query, redirection
from edgerouter.middleware.urls import has_control, location
from edgerouter.routing.regex import RegexError
from edgerouter.routing.replacement import Replacement


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    regex: str = ""
    replacement: str = ""
    permanent: bool = False


def build(options: Options, context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: The expression or the replacement cannot be used.
    """
    try:
        replace = Replacement(options.regex, options.replacement)
    except RegexError as error:
        raise BuildError(f"regex: {error}") from None
    if has_control(options.replacement):
        raise BuildError("replacement: holds a control character, so it makes no URL; remove it")
    for reference in replace.unknown:
        context.warn(f"replacement: {reference} is no group of the expression, so it stays empty")

    def redirect_regex(handler: Handler) -> Handler:
        def handle(request: Request) -> Awaitable[Response]:
            old = request_url(request)
            new = replace(old)
            if new is None or new == old:
                return handler(request)
            return _redirect(request, new)

        def _redirect(request: Request, new: str) -> Response:
            return redirection(request, location(new), permanent=options.permanent)

        return handle

    return redirect_regex


def request_url(request: Request) -> str:
    """Return the URL of the request; ``X-Forwarded-Proto`` does not count (Traefik)."""
    return f"{request.scheme}://{request.authority}{request.path}{client_query(request)}"
