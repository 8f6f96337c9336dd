"""What ``ipAllowList`` and its deprecated name ``ipWhiteList`` do."""

from collections.abc import Awaitable, Sequence

from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Request, Response
from edgerouter.middleware.addresses import address_set
from edgerouter.middleware.answer import answer, status_text
from edgerouter.middleware.base import BuildError
from edgerouter.middleware.source_criterion import IPStrategy, client_address


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

    def reject(request: Request, address: str) -> Response:
        request.exchange.error = f"the address {address!r} is in no range that may pass"
        return answer(status, phrase)

    def ip_allow_list(handler: Handler) -> Handler:
        def handle(request: Request) -> Awaitable[Response]:
            address = source(request)
            return handler(request) if address in allowed else reject(request, address)

        return handle

    return ip_allow_list
