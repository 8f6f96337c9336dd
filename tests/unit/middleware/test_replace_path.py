"""replacePath."""

import pytest

from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.replace_path import Options, build
from edgerouter.middleware.urls import BadEscape
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


async def test_what_is_no_path_fails_every_request_in_traefik() -> None:
    doubts: list[str] = []
    context = BuildContext("m", as_traefik=True, warn=doubts.append)
    with pytest.raises(BadEscape, match="%zz"):
        await build(Options("/%zz"), context)(Seen())(request())
    seen = Seen()
    await build(Options("x y"), context)(seen)(request())
    assert seen.request is not None
    assert seen.request.path == "x%20y"
    assert [doubt.partition(":")[0] for doubt in doubts] == ["path", "path"]
