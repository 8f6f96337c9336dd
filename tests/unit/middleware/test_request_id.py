"""requestId."""

import re

import pytest

from edgerouter.http.headers import Headers
from edgerouter.http.message import Peer, Request, Response
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.request_id import Options, build
from tests.unit.middleware.exchange import request


async def ids(options: Options, given: bytes = b"", *, trusted: bool = False) -> list[str]:
    """Return the identifier that server, client and log see."""
    seen: list[Request] = []

    async def server(asked: Request) -> Response:
        seen.append(asked)
        return Response(200, Headers([(b"x-request-id", b"the server's")]))

    sent = request(headers=[(b"x-request-id", given)] if given else [])
    sent.peer = Peer("192.0.2.1", 1, "web", trusted=trusted)
    response = await build(options, BuildContext("id@file"))(server)(sent)
    name = options.header.lower().encode()
    values = [*seen[0].headers.all(name), *response.headers.all(name)]
    return [*(value.decode() for value in values), sent.exchange.request_id]


async def test_one_identifier_for_all() -> None:
    first, second = await ids(Options()), await ids(Options())
    assert re.fullmatch("[0-9a-f]{32}", first[0])
    assert len(first) == 3
    assert len(set(first)) == 1
    assert first[0] != second[0]


@pytest.mark.parametrize(
    ("given", "trusted", "kept"),
    [
        (b"abc-1", True, True),
        (b"abc-1", False, False),
        (b"a b", True, False),
        (b"x" * 129, True, False),
    ],
)
async def test_whose_identifier_is_kept(given: bytes, trusted: bool, kept: bool) -> None:
    found = await ids(Options(), given, trusted=trusted)
    assert (found == [given.decode()] * 3) is kept
    assert len(set(found)) == 1


async def test_options() -> None:
    server, client, log = await ids(Options(in_response=False))
    assert (client, server) == ("the server's", log)
    with pytest.raises(BuildError, match="header"):
        build(Options(header="a b"), BuildContext("id@file"))
    with pytest.raises(BuildError, match="header: the router itself sets Content-Length"):
        build(Options(header="Content-Length"), BuildContext("id@file"))
