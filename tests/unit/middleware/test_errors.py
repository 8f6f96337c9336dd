"""errors."""

from typing import Any

import pytest

from edgerouter.http.errors import (
    BrokenOff,
    ClientDisconnected,
    ConnectFailed,
    ExchangeError,
    NoServer,
)
from edgerouter.http.handler import Handler
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.errors import Options, build
from edgerouter.observability import complaints
from tests.unit.middleware.bodies import Answers, Pieces, content, page
from tests.unit.middleware.exchange import request


def middleware(pages: Handler, handler: Handler, **options: Any) -> Handler:
    asked: list[str] = []

    def service(name: str) -> Handler:
        asked.append(name)
        return pages

    given = {"status": ("404", "500-599"), "service": "p@file", "query": "/{status}", **options}
    built = build(Options(**given), BuildContext("m", service=service))
    assert asked == ["p@file"]
    return built(handler)


async def test_the_page_replaces_the_answer() -> None:
    body = Pieces(b"sorry")
    failed = Response(500, Headers([(b"X-Lost", b"1")]), body)
    pages = Answers(page(b"the page", (b"X-Page", b"1")))
    sent = request("/x y", method="POST", query="a=b", headers=[(b"Cookie", b"c")])
    response = await middleware(pages, Answers(failed))(sent)
    assert (response.status, await content(response.body)) == (500, b"the page")
    assert response.headers == [(b"X-Page", b"1")]
    assert body.closed
    (asked,) = pages.requests
    assert (asked.method, asked.path, asked.query, asked.body.length) == ("GET", "/500", None, 0)
    assert (asked.authority, asked.headers) == ("example.com", [(b"Cookie", b"c")])
    assert not asked.peer.appends_forwarded_for
    assert sent.peer.appends_forwarded_for


@pytest.mark.parametrize("status", [200, 403, 499])
async def test_other_answers_pass(status: int) -> None:
    response = await middleware(Answers(), Answers(status))(request())
    assert response.status == status


@pytest.mark.parametrize(
    ("template", "path", "query"),
    [
        ("", "/", None),
        ("{status}.html", "/404.html", None),
        ("/p?s={status}&o={originalStatus}", "/p", "s=404&o=500"),
        ("/p?u={url}", "/p", "u=http%3A%2F%2Fexample.com%2Fx%2520y%3Fa%3Db+c"),
        ("/a b#c", "/a%20b", None),
        ("/a?b c=d e", "/a", "b%20c=d%20e"),
    ],
)
async def test_where_pages_are(template: str, path: str, query: str | None) -> None:
    pages = Answers(200)
    options = {"query": template, "status_rewrites": {"500-502": 404}}
    handler = middleware(pages, Answers(500), **options)
    response = await handler(request("/x%20y", query="a=b c"))
    assert response.status == 404
    assert (pages.requests[0].path, pages.requests[0].query) == (path, query)


async def test_failures_of_the_router_are_caught_too() -> None:
    pages = Answers(page(b"the page"))
    sent = request()
    response = await middleware(pages, Answers(ConnectFailed("no connection")))(sent)
    assert (response.status, await content(response.body)) == (502, b"the page")
    assert sent.exchange.error == "no connection"


async def test_the_log_tells_what_a_page_hides(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(complaints, "_said", {})
    sent = request()
    sent.exchange.service = "app@file"
    await middleware(Answers(page(b"the page")), Answers(NoServer("all are down")))(sent)
    assert [record.message for record in caplog.records] == ["No server can be asked"]


@pytest.mark.parametrize("status", [100, 101, 103, 204, 304])
async def test_what_has_no_content_to_replace_passes(status: int) -> None:
    answered = Response(status, Headers([(b"X-Kept", b"1")]))
    handler = middleware(Answers(), Answers(answered), status=("100-599",))
    assert await handler(request()) is answered


async def test_a_page_without_content_replaces_no_content_in_traefik() -> None:
    pages = Answers(
        page(b"", (b"X-Page", b"1")), page(b"the page"), Response(200, Headers(), Pieces())
    )
    context = BuildContext("m", service=lambda _: pages, as_traefik=True)
    options = Options(status=("204",), service="p@file")
    handler = build(options, context)(Answers(204, 204, 204))
    response = await handler(request())
    assert (response.status, response.headers) == (204, [(b"X-Page", b"1")])
    broken = request()
    with pytest.raises(BrokenOff):
        await handler(broken)
    assert broken.exchange.status == 204
    assert (await handler(request())).status == 204


async def test_a_tunnel_passes_whatever_its_status() -> None:
    answered = Response(200, Headers())
    answered.tunnel = object()  # type: ignore[assignment]
    handler = middleware(Answers(), Answers(answered), status=("100-599",))
    assert await handler(request()) is answered


async def test_no_content_may_become_a_page_of_another_status() -> None:
    pages = Answers(page(b"gone"))
    options = {"status": ("204",), "status_rewrites": {"204": 404}}
    response = await middleware(pages, Answers(204), **options)(request())
    assert (response.status, await content(response.body)) == (404, b"gone")


@pytest.mark.parametrize("error", [ClientDisconnected("gone"), NoServer("none")])
async def test_other_failures_pass(error: ExchangeError) -> None:
    handler = middleware(Answers(), Answers(error), status=("499", "500"))
    with pytest.raises(type(error)):
        await handler(request())


async def test_no_names_are_all_names() -> None:
    pages = Answers(200)
    handler = middleware(pages, Answers(500), error_request_headers=())
    await handler(request(headers=[(b"Cookie", b"c")]))
    assert pages.requests[0].headers == [(b"Cookie", b"c")]


@pytest.mark.parametrize(("failed", "seen"), [(400, 403), (404, 410), (405, 200)])
async def test_of_ranges_that_overlap_the_narrowest_counts(failed: int, seen: int) -> None:
    rewrites = {"404": 410, "400-499": 200, "400-404": 403}
    handler = middleware(
        Answers(200), Answers(failed), status=("400-499",), status_rewrites=rewrites
    )
    assert (await handler(request())).status == seen


async def test_a_page_that_fails_leaves_the_status() -> None:
    handler = middleware(Answers(ConnectFailed("no connection")), Answers(500))
    response = await handler(request())
    assert (response.status, await content(response.body)) == (500, b"Bad Gateway")


@pytest.mark.parametrize("failing", [500, ConnectFailed("no connection")])
async def test_a_service_of_pages_may_use_the_middleware_itself(failing: Any) -> None:
    pages = Answers(failing, failing)

    async def whole(asked: Request) -> Response:
        return await handlers[1](asked)

    built = build(Options(("500-599",), {}, "p@file"), BuildContext("m", service=lambda _: whole))
    handlers = [built(Answers(503, 503)), built(pages)]
    for _ in range(2):
        assert (await handlers[0](request())).status == 503
    assert len(pages.requests) == 2


async def test_a_page_without_a_path_leaves_the_status() -> None:
    response = await middleware(Answers(), Answers(500), query="/%zz")(request())
    assert (response.status, await content(response.body)) == (500, b"Internal Server Error\n")


async def test_only_the_wanted_fields_are_sent_along() -> None:
    pages = Answers(200)
    handler = middleware(pages, Answers(500), error_request_headers=("Accept",))
    await handler(request(headers=[(b"accept", b"x"), (b"Cookie", b"c")]))
    assert pages.requests[0].headers == [(b"accept", b"x")]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"service": ""}, "service: must not be empty"),
        ({"service": "s", "status": ("x",)}, "status:"),
        ({"service": "s", "query": "/a\r\nX: y"}, r"query: it holds '\\r', .* write %0D"),
        ({"service": "s", "status_rewrites": {"x": 404}}, "statusRewrites.x:"),
        ({"service": "s", "status_rewrites": {"500": 42}}, "statusRewrites.500: 42"),
    ],
)
def test_bad_options_are_refused(options: Any, reason: str) -> None:
    with pytest.raises(BuildError, match=reason):
        build(Options(**options), BuildContext("m"))
