"""Statuses in options."""

import pytest

from edgerouter.http.errors import ConnectFailed, NoServer
from edgerouter.middleware.base import BuildError
from edgerouter.middleware.statuses import failure, statuses


def test_ranges() -> None:
    assert statuses("status", ("404", " 500-502 ")) == {404, 500, 501, 502}


@pytest.mark.parametrize("text", ["5xx", "", "600", "502-500", "40", "400-", "404,500"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(BuildError, match=f'^status: "{text}" is not a status'):
        statuses("status", (text,))


async def test_failures_keep_their_words() -> None:
    plain, page = failure(ConnectFailed("x"), 500), failure(NoServer("x"), 200)
    assert (plain.status, await plain.body.read()) == (500, b"Bad Gateway")
    assert (page.status, await page.body.read()) == (200, b"no available server\n")
    assert page.headers.first(b"content-type") == b"text/plain; charset=utf-8"
