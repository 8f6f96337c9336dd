"""encodedCharacters."""

import pytest

from edgerouter.http.errors import BadRequest
from edgerouter.middleware.base import BuildContext
from edgerouter.middleware.encoded_characters import Options, build
from tests.unit.middleware.exchange import Seen, request

CONTEXT = BuildContext("strict@file")
ESCAPES = ["%2F", "%5C", "%00", "%3B", "%25", "%3F", "%23"]


@pytest.mark.parametrize("escape", [*ESCAPES, "%2f", "%5c"])
def test_everything_is_refused_unless_allowed(escape: str) -> None:
    with pytest.raises(BadRequest, match=escape):
        build(Options(), CONTEXT)(Seen())(request(f"/a{escape}b"))


@pytest.mark.parametrize("position", range(7))
async def test_each_option_allows_its_own(position: int) -> None:
    options = Options(*(index == position for index in range(7)))
    handler = build(options, CONTEXT)(Seen())
    assert (await handler(request(f"/a{ESCAPES[position]}b"))).status == 200
    with pytest.raises(BadRequest):
        handler(request(f"/a{ESCAPES[position - 1]}b"))


async def test_other_escapes_pass() -> None:
    assert (await build(Options(), CONTEXT)(Seen())(request("/a%20b"))).status == 200


def test_nothing_to_refuse_costs_nothing() -> None:
    seen = Seen()
    assert build(Options(*[True] * 7), CONTEXT)(seen) is seen
