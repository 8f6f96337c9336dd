"""errorPages."""

import pytest

from edgerouter.http.body import FixedBody
from edgerouter.http.errors import NoServer
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.middleware import via
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.error_pages import Options, build
from edgerouter.observability import complaints
from tests.unit.middleware.exchange import request

CONTEXT = BuildContext("pages@file")


async def answered(options: Options, status: int) -> Response:
    async def server(_: Request) -> Response:
        headers = [(b"Content-Encoding", b"br"), (b"ETag", b"x"), (b"X-Kept", b"1")]
        return Response(status, Headers(headers), FixedBody(b"the server's"))

    return await build(options, CONTEXT)(server)(request(authority="<a>.test"))


async def test_a_page_takes_the_place_of_an_answer() -> None:
    options = Options(page="{status} {reason} at {host}", content_type="text/plain")
    response = await answered(options, 503)
    assert response.status == 503
    assert response.body.ready() == b"503 Service Unavailable at &lt;a&gt;.test"
    assert response.headers.first(b"x-kept") == b"1"
    assert response.headers.all(b"content-type") == [b"text/plain"]
    assert not response.headers.has(b"content-encoding")
    assert not response.headers.has(b"etag")


async def test_other_answers_stay() -> None:
    assert (await answered(Options(), 404)).body.ready() == b"the server's"
    assert b"<h1>500 Internal" in ((await answered(Options(), 500)).body.ready() or b"")


@pytest.mark.parametrize("status", [204, 304])
async def test_answers_without_content_stay(status: int) -> None:
    response = await answered(Options(("200-599",)), status)
    assert response.headers.first(b"etag") == b"x"


async def test_pages_of_single_statuses() -> None:
    options = Options(page="any", pages={"404": "lost", "502-504": "away"})
    bodies = [(await answered(options, code)).body.ready() for code in (404, 500, 503)]
    assert bodies == [b"lost", b"any", b"away"]


async def test_the_routers_own_failures() -> None:
    async def server(_: Request) -> Response:
        raise NoServer("nobody there")

    sent = request()
    response = await build(Options(page="sorry"), CONTEXT)(server)(sent)
    assert (response.status, response.body.ready()) == (503, b"sorry")
    assert sent.exchange.error == "nobody there"
    with pytest.raises(NoServer):
        await build(Options(status=("404",)), CONTEXT)(server)(sent)


async def test_the_log_tells_what_a_page_hides(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(complaints, "_said", {})

    async def server(_: Request) -> Response:
        raise NoServer("all are down")

    sent = request()
    sent.exchange.service = "app@file"
    assert (await build(Options(), CONTEXT)(server)(sent)).status == 503
    assert [record.message for record in caplog.records] == ["No server can be asked"]


async def test_a_failure_keeps_the_headers_of_inner_middlewares() -> None:
    async def server(_: Request) -> Response:
        raise NoServer("nobody there")

    inner = via.build(via.Options(), CONTEXT)(server)
    response = await build(Options(), CONTEXT)(inner)(request())
    assert response.headers.first(b"via") == b"1.1 edgerouter"


@pytest.mark.parametrize("status", ["5xx", "", "600-500", "99", "100-199", "500-"])
def test_statuses_that_are_none(status: str) -> None:
    with pytest.raises(BuildError, match="status"):
        build(Options(status=(status,)), CONTEXT)
