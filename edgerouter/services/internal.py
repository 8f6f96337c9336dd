"""Services the router answers itself: ping, noop, and the dashboard by way of the API."""

from edgerouter.http.body import FixedBody
from edgerouter.http.date import http_date
from edgerouter.http.handler import Handler
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response

PAGE_ONLY = b"X-Edgerouter-Page-Only"
"""Tells the control plane to answer with the dashboard's files and nothing else."""


class LifeCycle:
    """Whether this process is on its way out; shared by all entry points."""

    __slots__ = ("terminating",)

    def __init__(self) -> None:
        self.terminating = False


def ping(life_cycle: LifeCycle, terminating_status: int) -> Handler:
    """Return the handler of ``/ping``: 200, or ``terminating_status`` once draining has begun."""

    async def answer(request: Request) -> Response:
        request.exchange.service = "ping@internal"
        status, text = 200, b"OK"
        if life_cycle.terminating:
            status, text = terminating_status, b"Service Unavailable"
        return _plain(status, text)

    return answer


def dashboard(api: Handler) -> Handler:
    """Return the handler of the dashboard: ``api`` without the API itself."""

    async def answer(request: Request) -> Response:
        return await api(request.evolve(headers=request.headers.replaced(PAGE_ONLY, b"1")))

    return answer


async def noop(request: Request) -> Response:
    """Answer what no middleware has answered before, as Traefik's ``noop@internal`` does."""
    request.exchange.service = "noop@internal"
    return Response(418, Headers([(b"Date", http_date())]))


def _plain(status: int, text: bytes) -> Response:
    headers = Headers([(b"Content-Type", b"text/plain; charset=utf-8"), (b"Date", http_date())])
    return Response(status, headers, FixedBody(text))
