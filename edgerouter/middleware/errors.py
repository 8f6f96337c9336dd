"""``errors``: error pages come from a service of their own.

The failed answer is dropped with its header. The page is fetched with GET, the
client's ``Host`` and header; the client gets it with the status of the failure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote_plus

from edgerouter.http.body import EMPTY
from edgerouter.http.errors import BrokenOff, ClientDisconnected, ExchangeError
from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.http.reasons import reason
from edgerouter.middleware.answer import http_error
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.peers import changed_peer
from edgerouter.middleware.statuses import failure, statuses
from edgerouter.middleware.urls import BadEscape, escaped_path
from edgerouter.observability import complaints


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    status: tuple[str, ...] = ()
    status_rewrites: dict[str, int] = field(default_factory=dict)
    service: str = ""
    query: str = ""
    error_request_headers: tuple[str, ...] | None = None
    """None, and none at all: all of them."""


def build(options: Options, context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: There is no service, or a status is none.
    """
    if not options.service:
        raise BuildError("service: must not be empty; name the service that has the pages")
    if bad := _CONTROL(options.query):
        raise BuildError(f"query: it holds {bad[0]!r}, which no URL can; write %{ord(bad[0]):02X}")
    pages = _Pages(options, context.service(options.service))
    # Interim answers are none, and after 101 there is no answer to replace (Traefik).
    caught = statuses("status", options.status) - _INTERIM
    if not context.as_traefik:
        caught = frozenset(status for status in caught if pages.seen(status) not in _BODILESS)

    def errors(handler: Handler) -> Handler:
        async def handle(request: Request) -> Response:
            try:
                response = await handler(request)
            except (ClientDisconnected, BrokenOff):
                raise
            except ExchangeError as error:
                if error.status not in caught or pages in request.exchange.fetching:
                    raise
                request.exchange.error = str(error)
                complaints.not_answered(request.exchange, error)
                return await pages.fetch(request, error.status)
            if response.status not in caught or response.tunnel is not None:
                return response
            if pages in request.exchange.fetching:
                return response
            response.close()
            return await pages.fetch(request, response.status)

        return handle

    return errors


_INTERIM = frozenset(range(100, 200))
_BODILESS = frozenset((204, 304))
"""No page can be seen with these."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]").search


class _Pages:
    """The pages of one middleware."""

    def __init__(self, options: Options, service: Handler) -> None:
        self._query = options.query
        self._service = service
        self._rewrites = _rewrites(options.status_rewrites)
        names = options.error_request_headers
        self._wanted = {name.lower().encode() for name in names} if names else None

    def seen(self, original: int) -> int:
        """Return the status that the client is to see."""
        return self._rewrites.get(original, original)

    async def fetch(self, request: Request, original: int) -> Response:
        """Return the page for ``original``, with the status the client is to see."""
        status = self.seen(original)
        try:
            path, query = _target(self._query, request, status, original)
        except BadEscape:
            return http_error(status, reason(status))
        headers = request.headers
        if self._wanted is not None:
            headers = Headers([pair for pair in headers if pair[0].lower() in self._wanted])
        # The client's address is no part of this request.
        peer = changed_peer(request.peer, appends_forwarded_for=False)
        asking = request.evolve(
            peer=peer,
            method="GET",
            path=path,
            query=query,
            target=path if query is None else f"{path}?{query}",
            headers=headers,
            body=EMPTY,
            expects_continue=False,
            upgrade="",
        )
        exchange = request.exchange
        outer, exchange.fetching = exchange.fetching, (*exchange.fetching, self)
        try:
            response = await self._service(asking)
        except ExchangeError as error:
            complaints.not_answered(exchange, error)
            return failure(error, status)
        finally:
            exchange.fetching = outer
        if status in _BODILESS:
            exchange.status = status  # The access log has it even if no client does.
            await _break_off_content(response)
        response.status = status
        return response


async def _break_off_content(response: Response) -> None:
    """Look at a page for a status that can have none, which is fetched for Traefik's sake.

    Raises:
        BrokenOff: It has content.
    """
    try:
        has_content = response.body.length or await response.body.read()
    except BaseException:
        response.close()
        raise
    if has_content:
        response.close()
        raise BrokenOff("errors: the page has content, and its status can have none")


def _rewrites(options: Mapping[str, int]) -> dict[int, int]:
    """Return what statuses become; where ranges overlap the narrowest counts."""
    ranges = []
    for text, status in options.items():
        if not 200 <= status <= 599:
            raise BuildError(f"statusRewrites.{text}: {status} is not a status such as 404")
        ranges.append((statuses(f"statusRewrites.{text}", (text,)), status))
    rewrites: dict[int, int] = {}
    for originals, status in sorted(ranges, key=lambda each: -len(each[0])):
        rewrites.update(dict.fromkeys(originals, status))
    return rewrites


def _target(template: str, request: Request, status: int, original: int) -> tuple[str, str | None]:
    """Return path and query of the page.

    Raises:
        BadEscape: The path is none.
    """
    if not template:
        return "/", None
    query = "" if request.query is None else f"?{request.query}"
    url = f"{request.scheme}://{request.authority}{request.path}{query}"
    text = "/" + template.removeprefix("/")
    text = text.replace("{status}", str(status)).replace("{originalStatus}", str(original))
    text = text.replace("{url}", quote_plus(url.encode("utf-8", "surrogateescape")))
    path, mark, query = text.partition("#")[0].partition("?")
    return escaped_path(path), query.replace(" ", "%20") if mark else None
