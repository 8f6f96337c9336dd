"""``edgerouter ranges``."""

import http.server
import threading
from collections.abc import Iterator

import pytest

from edgerouter.cli.commands.ranges import run

ANSWERS = {
    "/v4": b"192.0.2.0/24\n198.51.100.0/24",
    "/json": b'{"addresses": ["192.0.2.0/24"], "ipv6_addresses": ["2001:db8::/32"]}',
    "/bad": b"192.0.2.0/24\n<html>",
    "/empty": b"",
}


class Lists(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = ANSWERS.get(self.path)
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), Lists) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_lists(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cloudflare", f"{url}/v4", f"{url}/json"], {}) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed == ["192.0.2.0/24", "198.51.100.0/24", "192.0.2.0/24", "2001:db8::/32"]


@pytest.mark.parametrize(
    ("path", "words"), [("/bad", "<html>"), ("/empty", "is empty"), ("/gone", "404")]
)
def test_half_a_list_is_none(
    url: str, path: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["fastly", url + path], {}) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert words in printed.err


@pytest.mark.parametrize(
    ("argv", "status"), [([], 2), (["private"], 2), (["fastly", "file:///etc/passwd"], 1)]
)
def test_wrong_use(argv: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(argv, {}) == status
    assert capsys.readouterr().out == ""
