"""The example of docs/rules.md for routers below routers, with servers and an access log."""

import http.server
import json
import re
import threading
from pathlib import Path
from typing import Any

import yaml

from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.raw_http import exchange

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


class Authorisation(http.server.BaseHTTPRequestHandler):
    """Knows the role of everybody: it is what they say as their name."""

    def do_GET(self) -> None:
        name = self.headers.get("X-Name")
        self.send_response(200 if name else 403)
        self.send_header("X-User-Role", name or "")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stay silent."""


def documented(ports: dict[str, int]) -> dict[str, Any]:
    """Return the example with the addresses of ``ports`` for its servers."""
    (text,) = re.findall(r"```yaml\n(http:.*?parentRefs.*?)```", PAGE.read_text(), re.DOTALL)
    assert set(re.findall(r"http://(\w+):\d+", text)) == set(ports)
    content: dict[str, Any] = yaml.safe_load(
        re.sub(r"http://(\w+):\d+", lambda found: f"http://127.0.0.1:{ports[found[1]]}", text)
    )
    return content


def test_who_a_client_is_decides(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    flags = {"accesslog.filepath": str(log), "accesslog.format": "json"}
    auth = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Authorisation)
    threading.Thread(target=auth.serve_forever, daemon=True).start()
    try:
        with EchoServer(["admin", "user"]) as echo:
            example = documented({**echo.ports, "auth": auth.server_port})
            with edgerouter(tmp_path, ["web"], flags, example) as process:
                port = process.ports["web"]
                answers = [ask(port, *lines) for lines in (["X-Name: admin"], ["X-Name: me"])]
                assert [json.loads(answer.body)["server"] for answer in answers] == [
                    "admin",
                    "user",
                ]
                forged = ask(port, "X-Name: me", "X-User-Role: admin")
                assert json.loads(forged.body)["server"] == "user"
                assert ask(port, "X-User-Role: admin").status == 403
    finally:
        auth.shutdown()
        auth.server_close()
    records = [json.loads(line) for line in log.read_text().splitlines()]
    ways = [record.get("RouterName", "") for record in records]
    assert [way for way in ways if way.startswith("api@file")] == [
        "api@file -> api-admin@file",
        "api@file -> api-user@file",
        "api@file -> api-user@file",
        "api@file",
    ]


def ask(port: int, *lines: str) -> Any:
    head = ["GET / HTTP/1.1", "Host: api.example.com", *lines, "Connection: close", "", ""]
    (answer,) = exchange(port, "\r\n".join(head).encode())
    return answer
