"""stripPrefixRegex."""

import pytest

from edgerouter.http.errors import BadRequest
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.strip_prefix_regex import Options, build
from tests.unit.middleware.exchange import Seen, request

OPTIONS = Options(("^/a/[0-9]+", " /b/[a-z ]+ ", "x*"))


@pytest.mark.parametrize(
    ("path", "expected", "announced"),
    [
        ("/a/12/x", "/x", b"/a/12"),
        ("/a/12", "/", b"/a/12"),
        ("/b/c%20d/e%2Ff", "/e%2Ff", b"/b/c d"),
        ("/z/a/12/x", "/z/a/12/x", None),
        ("/x/b/c", "/x/b/c", None),
    ],
)
async def test_prefixes(path: str, expected: str, announced: bytes | None) -> None:
    seen = Seen()
    await build(OPTIONS, BuildContext("m"))(seen)(request(path))
    assert seen.request is not None
    assert seen.request.path == expected
    assert seen.request.headers.first(b"x-forwarded-prefix") == announced


async def test_what_would_not_be_a_normal_path_is_refused() -> None:
    with pytest.raises(BadRequest):
        await build(OPTIONS, BuildContext("m"))(Seen())(request("/a/1//x"))


def test_a_bad_expression_is_refused() -> None:
    with pytest.raises(BuildError, match=r"regex\[1\]: bad regular expression"):
        build(Options(("a", "(")), BuildContext("m"))
