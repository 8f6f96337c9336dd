import pytest

from edgerouter.http.body import FixedBody
from edgerouter.http.headers import Headers
from edgerouter.http.message import Response
from edgerouter.proxy.downstream.writer import interim_head, response_head


def endless() -> FixedBody:
    """Return a body whose length only its end will tell."""
    body = FixedBody(b"")
    body.length = None
    return body


def head(
    status: int = 200,
    body: FixedBody | None = None,
    *,
    method: str = "GET",
    version: tuple[int, int] = (1, 1),
    keep_alive: bool = True,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> list[bytes]:
    response = Response(status, Headers(headers), body or FixedBody(b"abc"))
    data = response_head(response, method, version, keep_alive=keep_alive)
    assert data.endswith(b"\r\n\r\n")
    return data[:-4].split(b"\r\n")


def test_lines() -> None:
    pairs = ((b"A", b"1"), (b"a", b""))
    assert head(headers=pairs) == [b"HTTP/1.1 200 OK", b"A: 1", b"a: ", b"Content-Length: 3"]


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (404, b"HTTP/1.1 404 Not Found"),
        (499, b"HTTP/1.1 499 Client Closed Request"),
        (599, b"HTTP/1.1 599 "),
    ],
)
def test_status_line(status: int, line: bytes) -> None:
    assert head(status)[0] == line


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("body", [FixedBody(b""), FixedBody(b"hello"), endless()])
def test_statuses_without_body_have_no_framing(status: int, body: FixedBody) -> None:
    assert len(head(status, body)) == 1


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (103, b"HTTP/1.1 103 Early Hints"),
        (199, b"HTTP/1.1 199 "),  # RFC 9112, section 4: the space stays.
    ],
)
def test_interim_head(status: int, line: bytes) -> None:
    assert interim_head(status, [(b"Link", b"</a>")]) == line + b"\r\nLink: </a>\r\n\r\n"


def test_an_empty_body_has_a_length() -> None:
    assert head(body=FixedBody(b""))[1:] == [b"Content-Length: 0"]


def test_unknown_length() -> None:
    assert head(body=endless())[1:] == [b"Transfer-Encoding: chunked"]
    assert head(body=endless(), method="HEAD")[1:] == []
    assert head(body=endless(), version=(1, 0), keep_alive=False)[1:] == [b"Connection: close"]


def test_persistence_is_said_where_it_is_not_the_rule() -> None:
    assert head(keep_alive=False)[-1] == b"Connection: close"
    assert head(version=(1, 0))[-1] == b"Connection: keep-alive"
    assert head()[-1] == b"Content-Length: 3"
