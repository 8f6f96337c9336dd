"""bandwidth."""

import asyncio

import pytest

from edgerouter.http.headers import Headers
from edgerouter.http.message import Response
from edgerouter.middleware.bandwidth import Options, build
from edgerouter.middleware.base import BuildContext, BuildError
from tests.support.virtual_time import run
from tests.unit.middleware.bodies import Answers, Pieces, page
from tests.unit.middleware.exchange import request

Sent = list[tuple[float, int]]


async def sent_by(answer: Response, rate: str, after: str = "0") -> Sent:
    """Return when how many bytes came."""
    loop = asyncio.get_running_loop()
    response = await build(Options(rate, after), BuildContext("m"))(Answers(answer))(request())
    found = []
    while data := await response.body.read():
        found.append((loop.time(), len(data)))
    return found


@pytest.mark.parametrize(
    "answer", [page(b"x" * 5000), Response(200, Headers(), Pieces(b"x" * 5000))]
)
def test_bytes_come_at_the_rate(answer: Response) -> None:
    found = run(sent_by(answer, "1000"))
    assert sum(size for _, size in found) == 5000
    assert found[0][0] == 0.0
    assert found[-1][0] == pytest.approx(4.9, abs=0.01)
    assert max(size for _, size in found) == 100


def test_the_beginning_is_fast() -> None:
    found = run(sent_by(page(b"x" * 3072), "1k", "2k"))
    assert found[0] == (0.0, 2048)
    assert found[-1][0] == pytest.approx(0.9, abs=0.1)
    assert sum(size for _, size in found) == 3072


def test_a_slow_server_is_not_slowed_down_further() -> None:
    class Slow(Pieces):
        async def read(self) -> bytes:
            await asyncio.sleep(1)
            return await super().read()

    found = run(sent_by(Response(200, Headers(), Slow(*[b"x" * 50] * 3)), "1000"))
    assert [size for _, size in found] == [50, 50, 50]
    assert found[-1][0] == pytest.approx(3, abs=0.01)


async def test_small_answers_pass_as_they_are() -> None:
    answer = page(b"x" * 1024)
    body = answer.body
    response = await build(Options("10", "1k"), BuildContext("m"))(Answers(answer))(request())
    assert response.body is body


async def test_a_paced_body_keeps_its_length_and_is_closed() -> None:
    body = Pieces(b"x" * 10, length=10)
    answer = Response(200, Headers(), body)
    response = await build(Options("10"), BuildContext("m"))(Answers(answer))(request())
    assert (response.body.length, response.body.ready()) == (10, None)
    response.close()
    assert body.closed


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (Options(), 'rate: "" is not a size'),
        (Options("0"), "rate: must be more than 0"),
        (Options("fast"), 'rate: "fast" is not a size'),
        (Options("1k", "-1"), 'after: "-1" is not a size'),
    ],
)
def test_bad_options_are_refused(options: Options, reason: str) -> None:
    with pytest.raises(BuildError, match=reason):
        build(options, BuildContext("m"))
