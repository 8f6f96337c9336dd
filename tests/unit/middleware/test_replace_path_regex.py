"""replacePathRegex."""

import pytest

from edgerouter.http.errors import BadRequest
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.replace_path_regex import Options, build
from edgerouter.middleware.urls import BadEscape
from tests.unit.middleware.exchange import Seen, request


@pytest.mark.parametrize(
    ("options", "path", "expected"),
    [
        (Options("^/api/(.*)", "/v1/$1"), "/api/x%2Fy", "/v1/x%2Fy"),
        (Options(" ^/api/(.*) ", " /v1/$1 "), "/api/x", "/v1/x"),
        (Options("a", "b"), "/aaa", "/bbb"),
        (Options("^/api/(.*)", ""), "/api/x", "/"),
    ],
)
async def test_a_match_is_replaced(options: Options, path: str, expected: str) -> None:
    seen = Seen()
    await build(options, BuildContext("m"))(seen)(request(path))
    assert seen.request is not None
    assert seen.request.path == expected
    assert seen.request.headers.first(b"x-replaced-path") == path.encode()


async def test_without_a_match_nothing_changes() -> None:
    seen = Seen()
    sent = request("/other")
    await build(Options("^/api", "/v1"), BuildContext("m"))(seen)(sent)
    assert seen.request is sent


async def test_what_would_not_be_a_normal_path_is_refused() -> None:
    middleware = build(Options("^/api", "/v1/.."), BuildContext("m"))
    with pytest.raises(BadRequest):
        await middleware(Seen())(request("/api/x"))


async def test_a_bad_escape_is_answered() -> None:
    with pytest.raises(BadEscape) as refused:
        await build(Options("^/api", "/%zz"), BuildContext("m"))(Seen())(request("/api"))
    assert (refused.value.status, refused.value.page) == (500, 'invalid URL escape "%zz"\n')


def test_a_bad_expression_is_refused() -> None:
    with pytest.raises(BuildError, match="regex: bad regular expression"):
        build(Options("(", ""), BuildContext("m"))


def test_groups_that_there_are_not_are_told() -> None:
    doubts: list[str] = []
    build(Options("^/a", "/$1"), BuildContext("m", warn=doubts.append))
    assert doubts == ["replacement: $1 is no group of the expression, so it stays empty"]
