"""A request for a middleware under test, and a handler that shows what came through."""

from collections.abc import Sequence

from edgerouter.http.body import EMPTY
from edgerouter.http.headers import Headers
from edgerouter.http.message import Exchange, Peer, Request, Response


def request(
    path: str = "/",
    *,
    method: str = "GET",
    scheme: str = "http",
    authority: str = "example.com",
    query: str | None = None,
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> Request:
    made = Request.__new__(Request)
    made.method = method
    made.scheme = scheme
    made.authority = authority
    made.host = authority.rpartition(":")[0] or authority
    made.path = path
    made.query = query
    made.target = path if query is None else f"{path}?{query}"
    made.version = (1, 1)
    made.headers = Headers(headers)
    made.upgrade = ""
    made.expects_continue = False
    made.body = EMPTY
    made.peer = Peer("192.0.2.1", 1234, "web")
    made.exchange = Exchange()
    made.inform = None
    return made


class Seen:
    """A handler that keeps the request it got."""

    def __init__(self) -> None:
        self.request: Request | None = None

    async def __call__(self, request: Request) -> Response:
        self.request = request
        return Response(200, Headers())
