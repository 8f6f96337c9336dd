"""``edgerouter demo``: the router in front of a backend of its own, to try it without Docker.

Web and API listen on the loopback interface, on 8000 and 8080 or the next free ports. Containers'
labels are read as well, as soon as a Docker socket answers.
"""

import socket
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from edgerouter.cli.commands import run as router
from edgerouter.config.loader import StaticConfigurationError, load_static
from edgerouter.config.static.address import EntryPointAddress

NAME = "demo"
SUMMARY = "Runs the router with a backend of its own, to try it without Docker."
USAGE = "edgerouter demo [--option=value]..."

HOST = "127.0.0.1"
LOCAL = {"", HOST, "0.0.0.0", "::", "::1"}  # noqa: S104 - compared with, not bound to.
ENTRY_POINTS = {"web": "web", "api": "traefik"}
"""What the greeting calls them, and their names."""
DOCKER = "unix:///var/run/docker.sock"

ROUTES = """\
http:
  routers:
    demo:
      rule: "PathPrefix(`/`)"
      entryPoints: [web]
      service: demo
  services:
    demo:
      loadBalancer:
        servers:
          - url: "http://{host}:{port}"
"""

GREETING = """\
edgerouter demo
  open        {web}/             the demo backend, through the router
  dashboard   {api}/dashboard/
  routers     {api}/api/http/routers
  routes      {file} (edit it: changes are live)
  docker      {docker}
Stop with Ctrl-C.
"""


class Backend(BaseHTTPRequestHandler):
    """Answers with the request that it has received."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        text = f"Hello from the demo backend.\n\n{self.requestline}\n{self.headers}".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing: the router has an access log."""


def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Serve until the order to stop; the arguments are further options of the router."""
    endpoint = environ.get("DOCKER_HOST") or DOCKER
    is_absent = endpoint.startswith("unix://") and not Path(endpoint[7:]).is_socket()
    web = first_free_port(8000)
    api = first_free_port(8080, taken=web)
    with tempfile.TemporaryDirectory(prefix="edgerouter-demo-") as directory:
        server = ThreadingHTTPServer((HOST, 0), Backend)
        threading.Thread(target=server.serve_forever, name="backend", daemon=True).start()
        routes = Path(directory) / "routes.yaml"
        routes.write_text(ROUTES.format(host=HOST, port=server.server_port), encoding="utf-8")
        options = [
            f"--entryPoints.web.address={HOST}:{web}",
            f"--entryPoints.traefik.address={HOST}:{api}",
            "--api.insecure=true",
            f"--providers.file.filename={routes}",
            f"--providers.docker.endpoint={endpoint}",
        ]
        docker = f"labels are read from {endpoint}"
        if is_absent:
            docker = f"no socket at {endpoint} yet; labels are read as soon as it answers"
        if urls := entry_point_urls([*options, *argv], environ):
            sys.stdout.write(GREETING.format(**urls, file=routes, docker=docker))
            sys.stdout.flush()
        try:
            return router.run([*options, *argv], environ)
        finally:
            server.shutdown()
            server.server_close()


def entry_point_urls(argv: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return where the two entry points are to be reached; nothing if the options are wrong."""
    try:
        points = load_static(argv, environ).configuration.entry_points
    except StaticConfigurationError:
        return {}  # The router says what is wrong.
    return {name: url_of(points[point].address) for name, point in ENTRY_POINTS.items()}


def url_of(text: str) -> str:
    """Return the URL of an entry point's address on this machine."""
    address = EntryPointAddress.parse(text)
    host = "localhost" if address.host in LOCAL else address.host
    return f"http://[{host}]:{address.port}" if ":" in host else f"http://{host}:{address.port}"


def first_free_port(first: int, taken: int = 0) -> int:
    """Return the first port from ``first`` on that nobody listens on."""
    for port in range(first, first + 1000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            if port != taken:
                return port
    raise OSError(f"no free port from {first} to {first + 999}")
