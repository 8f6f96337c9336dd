import gzip

import pytest

from edgerouter.http.body import FixedBody
from edgerouter.http.canonical import canonical
from edgerouter.http.errors import UpstreamProtocolError
from edgerouter.proxy.as_traefik import Unpacked


async def unpack(data: bytes) -> bytes:
    body, content = Unpacked(FixedBody(data)), b""
    while part := await body.read():
        content += part
    return content


async def test_gzip_is_undone_in_steps() -> None:
    content = b"hello " * 500_000
    assert await unpack(gzip.compress(content)) == content
    assert await unpack(gzip.compress(b"one") + gzip.compress(b"two")) == b"onetwo"


@pytest.mark.parametrize("data", [b"no gzip", gzip.compress(b"hello", mtime=0)[:-9]])
async def test_what_is_no_gzip_breaks_off(data: bytes) -> None:
    with pytest.raises(UpstreamProtocolError):
        await unpack(data)


def test_names_as_go_writes_them() -> None:
    names = [b"x-request-ID", b"ETAG", b"x_under_Score", b"-a--b", b"X-Forwarded-For"]
    expected = [b"X-Request-Id", b"Etag", b"X_under_score", b"-A--B", b"X-Forwarded-For"]
    assert [name for name, _ in canonical((name, b"") for name in names)] == expected
