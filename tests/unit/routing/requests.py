"""Requests for tests of rules and tables."""

from edgerouter.http.headers import Headers
from edgerouter.http.message import Peer, Request


def make_request(
    host: str = "example.com",
    path: str = "/",
    *,
    query: str | None = None,
    method: str = "GET",
    headers: tuple[tuple[bytes, bytes], ...] = (),
    ip: str = "192.0.2.1",
) -> Request:
    request = Request.__new__(Request)
    request.method = method
    request.host = request.authority = host
    request.path = path
    request.query = query
    request.headers = Headers(headers)
    request.peer = Peer(ip, 4711, "web")
    return request
