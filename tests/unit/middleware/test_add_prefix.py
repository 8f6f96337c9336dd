"""addPrefix."""

import pytest

from edgerouter.middleware.add_prefix import Options, build
from edgerouter.middleware.base import BuildContext, BuildError
from tests.unit.middleware.exchange import Seen, request


@pytest.mark.parametrize(
    ("prefix", "path", "expected"),
    [
        ("/foo", "/bar", "/foo/bar"),
        ("/foo", "/", "/foo/"),
        ("foo", "/bar", "/foo/bar"),
        ("/foo", "/a%2Fb", "/foo/a%2Fb"),
        ("/f o", "/bar", "/f%20o/bar"),
        ("/f o", "/a%2Fb", "/f%20o/a/b"),
        ("/(x)", "/bar", "/%28x%29/bar"),
        ("/(x)", "/b'r", "/(x)/b'r"),
        ("/é%", "/b%20c", "/%C3%A9%25/b%20c"),
    ],
)
async def test_prefix(prefix: str, path: str, expected: str) -> None:
    seen = Seen()
    await build(Options(prefix), BuildContext("m"))(seen)(request(path, query="q=1"))
    assert seen.request is not None
    assert (seen.request.path, seen.request.query) == (expected, "q=1")


def test_an_empty_prefix_is_refused() -> None:
    with pytest.raises(BuildError, match="prefix"):
        build(Options(""), BuildContext("m"))
