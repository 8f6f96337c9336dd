"""inFlightReq: when a request is counted, and when no longer."""

import pytest

from edgerouter.http.body import FixedBody
from edgerouter.http.errors import UpstreamReset
from edgerouter.http.handler import Handler
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.in_flight_req import Options, build
from edgerouter.middleware.source_criterion import IPStrategy, SourceCriterion
from edgerouter.shared.memory import Shared
from tests.unit.middleware.exchange import request


class Tunnel:
    """A tunnel that only knows whether it has been closed."""

    def __init__(self) -> None:
        self.closed = False

    async def read(self) -> bytes:
        return b"down"

    async def write(self, data: bytes) -> None:
        pass

    def is_lost(self) -> bool:
        return False

    def write_eof(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


async def answer(_: Request) -> Response:
    return Response(200, Headers(), FixedBody(b"body"))


def limited(handler: Handler, amount: int = 1) -> Handler:
    return build(Options(amount), BuildContext("m", shared=Shared.create(1)))(handler)


async def test_a_request_counts_until_its_answer_is_closed() -> None:
    handler = limited(answer)
    first = await handler(request())
    second = await handler(request())
    assert second.status == 429
    assert await second.body.read() == b"max connections reached: 1"
    first.close()
    first.close()
    assert (await handler(request())).status == 200
    assert (await handler(request())).status == 429


async def test_a_request_counts_until_its_answer_has_been_read() -> None:
    handler = limited(answer)
    first = await handler(request())
    assert first.body.length == 4
    assert await first.body.read() == b"body"
    assert (await handler(request())).status == 429
    assert await first.body.read() == b""
    second = await handler(request())
    assert second.body.ready() == b"body"
    assert (await handler(request())).status == 200


async def test_a_failure_does_not_count() -> None:
    async def fail(_: Request) -> Response:
        raise UpstreamReset

    handler = limited(fail)
    for _ in range(3):
        with pytest.raises(UpstreamReset):
            await handler(request())


async def test_a_tunnel_counts_until_it_is_closed() -> None:
    tunnel = Tunnel()

    async def upgrade(_: Request) -> Response:
        return Response(101, Headers(), tunnel=tunnel)

    handler = limited(upgrade)
    first = await handler(request())
    assert first.tunnel is not None
    assert await first.tunnel.read() == b"down"
    assert (await handler(request())).status == 429
    first.tunnel.close()
    assert tunnel.closed
    assert (await handler(request())).status == 101


async def test_hosts_and_routers_count_apart() -> None:
    handler = limited(answer)
    assert (await handler(request())).status == 200
    assert (await handler(request(authority="other.test"))).status == 200
    elsewhere = request()
    elsewhere.exchange.router = "other@file"
    assert (await handler(elsewhere)).status == 200


@pytest.mark.parametrize("amount", [0, -1])
async def test_no_amount_lets_nobody_pass(amount: int) -> None:
    refused = await limited(answer, amount)(request())
    assert refused.status == 429
    assert await refused.body.read() == f"max connections reached: {amount}".encode()


def test_mistakes() -> None:
    with pytest.raises(BuildError, match="mutually exclusive"):
        build(Options(1, SourceCriterion(IPStrategy(), "X")), BuildContext("m"))
