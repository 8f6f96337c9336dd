import pytest

from edgerouter.http.body import EMPTY, FixedBody
from edgerouter.http.headers import Headers
from edgerouter.http.replay import buffered
from tests.unit.services.fakes import Streamed


async def everything(body: object) -> bytes:
    parts = []
    while data := await body.read():  # type: ignore[attr-defined]
        parts.append(data)
    return b"".join(parts)


@pytest.mark.parametrize("limit", [-1, 4, 5])
async def test_what_fits_is_kept_whole(limit: int) -> None:
    body = Streamed(b"ab", b"cd")
    body.trailers = Headers([(b"X-Sum", b"1")])
    data, replacement = await buffered(body, limit)
    assert data == b"abcd"
    assert (replacement.length, replacement.trailers) == (4, body.trailers)
    assert await everything(replacement) == b"abcd"


async def test_what_is_too_long_goes_on_as_it_came() -> None:
    body = Streamed(b"ab", b"cd", b"ef")
    data, replacement = await buffered(body, 3)
    assert data is None
    assert replacement.length is None
    assert replacement.ready() is None
    assert await everything(replacement) == b"abcdef"
    replacement.close()
    assert body.closed


async def test_an_announced_length_is_believed_at_once() -> None:
    body = FixedBody(b"abcdef")
    assert await buffered(body, 3) == (None, body)


async def test_no_body() -> None:
    assert await buffered(FixedBody(b""), 0) == (b"", EMPTY)
