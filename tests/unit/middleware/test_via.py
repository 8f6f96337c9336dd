"""via."""

import pytest

from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.via import Options, build
from tests.unit.middleware.exchange import request


async def vias(options: Options) -> list[list[bytes]]:
    seen: list[Request] = []

    async def server(asked: Request) -> Response:
        seen.append(asked)
        return Response(200, Headers([(b"via", b"1.1 inner"), (b"Via", b"2 more")]))

    sent = request(headers=[(b"Via", b"1.0 client")])
    sent.version = (1, 0)
    response = await build(options, BuildContext("via@file"))(server)(sent)
    return [seen[0].headers.all(b"via"), response.headers.all(b"via")]


async def test_the_router_is_the_last_hop() -> None:
    assert await vias(Options()) == [
        [b"1.0 client, 1.0 edgerouter"],
        [b"1.1 inner, 2 more, 1.1 edgerouter"],
    ]


async def test_options() -> None:
    assert await vias(Options("gate", in_response=False)) == [
        [b"1.0 client, 1.0 gate"],
        [b"1.1 inner", b"2 more"],
    ]
    assert (await vias(Options(in_request=False)))[0] == [b"1.0 client"]
    with pytest.raises(BuildError, match="name"):
        build(Options("a b"), BuildContext("via@file"))
