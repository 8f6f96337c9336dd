"""redirectRegex."""

from typing import Any

import pytest

from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.redirect_regex import Options, build
from edgerouter.middleware.urls import BadURL
from tests.unit.middleware.exchange import Seen, request

OLD = Options("^http://([^/]+)/old/(.*)", "https://$1/new/${2}")


@pytest.mark.parametrize(
    ("options", "sent", "status", "location"),
    [
        (OLD, {"path": "/old/x", "query": "y=z"}, 302, b"https://example.com/new/x?y=z"),
        (OLD, {"path": "/old/x", "authority": "foo:81"}, 302, b"https://foo:81/new/x"),
        (OLD, {"path": "/old/", "method": "HEAD"}, 307, b"https://example.com/new/"),
        (Options("$", "x", permanent=True), {"path": "/a"}, 301, b"http://example.com/ax"),
    ],
)
async def test_redirections(options: Options, sent: Any, status: int, location: bytes) -> None:
    seen = Seen()
    response = await build(options, BuildContext("m"))(seen)(request(**sent))
    assert (response.status, response.headers.first(b"location")) == (status, location)
    assert seen.request is None


@pytest.mark.parametrize("options", [Options("nowhere", "x"), Options("^(.*)$", "$1")])
async def test_other_urls_go_on(options: Options) -> None:
    seen = Seen()
    response = await build(options, BuildContext("m"))(seen)(request("/a"))
    assert response.status == 200
    assert seen.request is not None


async def test_a_replacement_that_makes_no_url_fails() -> None:
    with pytest.raises(BadURL):
        await build(Options(".*", "http://a b/"), BuildContext("m"))(Seen())(request())


def test_a_replacement_that_can_make_no_url_is_refused() -> None:
    with pytest.raises(BuildError, match="replacement: holds a control character"):
        build(Options(".*", "http://a/\r\nX: y"), BuildContext("m"))


def test_groups_that_there_are_not_are_told() -> None:
    doubts: list[str] = []
    options = Options("(?P<name>a)(b)", "$1 ${2} $name ${3} $2x $$9")
    build(options, BuildContext("m", warn=doubts.append))
    assert doubts == [
        f"replacement: {reference} is no group of the expression, so it stays empty"
        for reference in ("${3}", "$2x")
    ]


def test_a_bad_expression_is_refused() -> None:
    with pytest.raises(BuildError, match="regex: bad regular expression"):
        build(Options("(", ""), BuildContext("m"))
