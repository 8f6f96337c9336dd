"""stripPrefix."""

import pytest

from edgerouter.http.errors import BadRequest
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.strip_prefix import Options, build
from tests.unit.middleware.exchange import Seen, request


@pytest.mark.parametrize(
    ("path", "expected", "announced"),
    [
        ("/foo/bar", "/bar", b"/foo"),
        ("/foo", "/", b"/foo"),
        ("/foo/", "/", b"/foo"),
        ("/foobar", "/bar", b"/foo"),
        ("/foo%2Fbar%2Fx", "/bar/x", b"/foo"),
        ("/foo/a%2Fb", "/a%2Fb", b"/foo"),
        ("/a%20b/c", "/c", b"/a b"),
        ("/other/x", "/x", b"/other"),
        ("/fo", "/fo", None),
        ("/FOO/x", "/FOO/x", None),
        ("/x/foo", "/x/foo", None),
    ],
)
async def test_prefixes(path: str, expected: str, announced: bytes | None) -> None:
    seen = Seen()
    options = Options(("/foo", " /a b ", "/other", "/foo/bar"))
    await build(options, BuildContext("m"))(seen)(request(path))
    assert seen.request is not None
    assert seen.request.path == expected
    assert seen.request.headers.first(b"x-forwarded-prefix") == announced


async def test_an_earlier_prefix_stays_announced() -> None:
    seen = Seen()
    sent = request("/foo/bar", headers=[(b"X-Forwarded-Prefix", b"/outer")])
    await build(Options(("/foo",)), BuildContext("m"))(seen)(sent)
    assert seen.request is not None
    assert seen.request.headers.all(b"x-forwarded-prefix") == [b"/outer", b"/foo"]


@pytest.mark.parametrize("path", ["/foo../admin", "/foo./x", "/foo//x", "/foo/.."])
async def test_what_would_not_be_a_normal_path_is_refused(path: str) -> None:
    middleware = build(Options(("/foo",)), BuildContext("m"))
    with pytest.raises(BadRequest) as refused:
        await middleware(Seen())(request(path))
    assert refused.value.page == "Bad Request\n"


def test_a_prefix_that_no_field_can_hold() -> None:
    with pytest.raises(BuildError, match=r"prefixes\[1\]: the value holds a control character"):
        build(Options(("/a", "/b\r\nX: y")), BuildContext("m"))
