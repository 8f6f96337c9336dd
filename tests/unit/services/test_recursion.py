import pytest

from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.services.recursion import _fnv1, deny_recursion
from tests.unit.middleware import exchange


@pytest.mark.parametrize(
    ("text", "expected"),
    [(b"", 0xCBF29CE484222325), (b"a", 0xAF63BD4C8601B7BE), (b"foobar", 0x340D8765A4DDA9C2)],
)
def test_the_hash_is_fnv_1(text: bytes, expected: int) -> None:
    """Values of the reference implementation (draft-eastlake-fnv, FNV-1, 64 bits)."""
    assert _fnv1(text) == expected


def request(*fields: tuple[bytes, bytes]) -> Request:
    return exchange.request(headers=fields)


async def test_a_request_goes_through_a_router_once() -> None:
    seen: list[Request] = []

    async def server(request: Request) -> Response:
        seen.append(request)
        return Response(200, Headers())

    guarded = deny_recursion("a@docker", server)
    assert (await guarded(request((b"x-traefik-router", b"other")))).status == 200
    [mark] = seen[0].headers.all(b"x-traefik-router")
    assert mark != b"other"
    again = request((b"X-Traefik-Router", mark))
    assert (await guarded(again)).status == 400
    assert "a@docker" in again.exchange.error
    assert (await deny_recursion("b@docker", server)(again)).status == 200
    assert len(seen) == 2
