"""maintenance."""

import pytest

from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.maintenance import Options, build
from tests.unit.middleware.exchange import Seen, request

CONTEXT = BuildContext("closed@file")


async def test_the_page() -> None:
    seen = Seen()
    response = await build(Options(), CONTEXT)(seen)(request())
    assert seen.request is None
    assert response.status == 503
    assert response.headers.first(b"retry-after") == b"60"
    assert response.headers.first(b"content-type") == b"text/html; charset=utf-8"
    assert b"back soon" in (response.body.ready() or b"")


async def test_a_page_of_ones_own() -> None:
    options = Options(page="später", content_type="text/plain", status=500, retry_after=0.0)
    response = await build(options, CONTEXT)(Seen())(request())
    assert (response.status, response.body.ready()) == (500, "später".encode())
    assert not response.headers.has(b"retry-after")


async def test_who_passes() -> None:
    options = Options(allowed_ips=("192.0.2.0/24",))
    assert (await build(options, CONTEXT)(Seen())(request())).status == 200
    seen = Seen()
    assert build(Options(enabled=False), CONTEXT)(seen) is seen


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(allowed_ips=("x",)), "allowedIPs"),
        (Options(status=99), "status"),
        (Options(content_type="a\nb"), "contentType"),
    ],
)
def test_options_that_cannot_work(options: Options, words: str) -> None:
    with pytest.raises(BuildError, match=words):
        build(options, CONTEXT)
