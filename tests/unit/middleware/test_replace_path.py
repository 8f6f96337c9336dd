"""replacePath."""

import pytest

from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.replace_path import Options, build
from tests.unit.middleware.exchange import Seen, request


@pytest.mark.parametrize(
    ("path", "expected"), [("/x", "/x"), ("", "/"), ("/a b", "/a%20b"), ("/a%2Fb", "/a%2Fb")]
)
async def test_the_path_is_replaced(path: str, expected: str) -> None:
    seen = Seen()
    sent = request("/old%20one", query="a=b")
    await build(Options(path), BuildContext("m"))(seen)(sent)
    assert seen.request is not None
    assert (seen.request.path, seen.request.query) == (expected, "a=b")
    assert seen.request.headers.all(b"x-replaced-path") == [b"/old%20one"]


@pytest.mark.parametrize(("path", "reason"), [("/%zz", "%25"), ("x", "slash")])
def test_what_is_no_path_is_refused(path: str, reason: str) -> None:
    with pytest.raises(BuildError, match=reason):
        build(Options(path), BuildContext("m"))
