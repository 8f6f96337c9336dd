"""What the redirecting middlewares have in common."""

from http import HTTPStatus

from edgerouter.http.body import FixedBody
from edgerouter.http.date import http_date
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response


def client_query(request: Request) -> str:
    """Return the query with its ``?``; semicolons are still those of the client."""
    if request.query is None:
        return ""
    written = request.target.partition("?")[2]
    return f"?{written if written.replace(';', '&') == request.query else request.query}"


def redirection(request: Request, location: str, *, permanent: bool) -> Response:
    """Return the redirection Traefik gives: only GET may become another method."""
    if request.method == "GET":
        status = HTTPStatus.MOVED_PERMANENTLY if permanent else HTTPStatus.FOUND
    else:
        status = HTTPStatus.PERMANENT_REDIRECT if permanent else HTTPStatus.TEMPORARY_REDIRECT
    target = location.encode("utf-8", "surrogateescape")
    headers = Headers([(b"Location", target), (b"Date", http_date())])
    return Response(status.value, headers, FixedBody(status.phrase.encode()))
