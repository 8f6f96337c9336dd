"""``ipAllowList``: only clients of these addresses pass."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Annotated

from edgerouter.config.types import ALLOW_EMPTY
from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Request, Response
from edgerouter.middleware.addresses import address_set
from edgerouter.middleware.answer import answer, status_text
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.source_criterion import IPStrategy, client_address


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    source_range: tuple[str, ...] = ()
    ip_strategy: Annotated[IPStrategy | None, ALLOW_EMPTY] = None
    reject_status_code: int = 403
    """0 stands for 403."""


def build(options: Options, _context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: There is no range, or a range, the strategy or the status cannot work.
    """
    return allow_list(options.source_range, options.ip_strategy, options.reject_status_code or 403)


def allow_list(ranges: Sequence[str], strategy: IPStrategy | None, status: int) -> Middleware:
    """Return a middleware that answers everybody outside ``ranges`` with ``status``.

    Raises:
        BuildError: An argument cannot work.
    """
    if not ranges:
        raise BuildError("sourceRange: is empty, so nobody could pass; name addresses or networks")
    allowed = address_set(ranges, "sourceRange")
    source = client_address(strategy)
    phrase = status_text(status, "rejectStatusCode")

    async def reject(request: Request, address: str) -> Response:
        request.exchange.error = f"the address {address!r} is in no range that may pass"
        return answer(status, phrase)

    def ip_allow_list(handler: Handler) -> Handler:
        def handle(request: Request) -> Awaitable[Response]:
            address = source(request)
            return handler(request) if address in allowed else reject(request, address)

        return handle

    return ip_allow_list
