"""The contestants: how each is configured and started for the same routes."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.builds import python_path
from bench.processes import LOAD_CORE, ROUTER_CORE, Running, free_port

ROOT = Path(__file__).resolve().parent.parent
SMALL = "x" * 120
LARGE = 1_000_000
JSON = json.dumps(
    [{"id": number, "name": f"item {number}", "price": number * 7 % 997} for number in range(420)]
)
"""About 20 KB, as an API answers."""


@dataclass(frozen=True, slots=True)
class Routes:
    """`count` routers with one host and one service each, all served by one upstream."""

    count: int
    upstream: int
    version: int = 0
    """A further route `/version-<number>`, so that a swap can be seen; 0: none."""
    middlewares: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Definitions by name, in the order in which the routers have them."""
    guarded: int | None = None
    """How many of the first routers have the middlewares; None: all."""
    ready: str = "/"
    """A path that is answered 200."""
    nginx_http: str = ""
    """Directives that do in nginx what the middlewares do: outside the servers,"""
    nginx_location: str = ""
    """and in the location."""

    @property
    def hosts(self) -> list[str]:
        return [host(number) for number in range(self.count)]


def host(number: int) -> str:
    return f"app-{number}.example.com"


def dynamic_yaml(routes: Routes) -> str:
    """The routes as a dynamic configuration file of Traefik, and so of edgerouter."""
    lines = ["http:", "  routers:"]
    for number in range(routes.count):
        lines.append(f"    app-{number}:")
        lines.append(f'      rule: "Host(`{host(number)}`)"')
        lines.append(f"      service: app-{number}")
        if routes.middlewares and (routes.guarded is None or number < routes.guarded):
            lines.append(f"      middlewares: {json.dumps(list(routes.middlewares))}")
    if routes.version:
        lines.append("    version:")
        lines.append(f'      rule: "Path(`/version-{routes.version}`)"')
        lines.append("      service: app-0")
    if routes.middlewares:
        lines.append(f"  middlewares: {json.dumps(routes.middlewares)}")
    lines.append("  services:")
    for number in range(routes.count):
        lines.append(f"    app-{number}:")
        lines.append("      loadBalancer:")
        lines.append(f'        servers: [{{url: "http://127.0.0.1:{routes.upstream}"}}]')
    return "\n".join(lines) + "\n"


def replace_file(path: Path, text: str) -> None:
    """Write a file so that nobody ever sees half of it."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text)
    beside.rename(path)


def _dynamic_file(directory: Path, routes: Routes) -> list[str]:
    (directory / "dynamic").mkdir(exist_ok=True)
    replace_file(directory / "dynamic" / "routes.yaml", dynamic_yaml(routes))
    return [f"--providers.file.directory={directory / 'dynamic'}", "--providers.file.watch=true"]


def traefik(directory: Path, routes: Routes | None, *flags: str) -> Running:
    """The real Traefik; without routes the flags name another provider."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("traefik"))]
    command += [f"--entrypoints.web.address=127.0.0.1:{port}", "--log.level=ERROR", *flags]
    command += _dynamic_file(directory, routes) if routes else []
    return Running("traefik", command, port, ROUTER_CORE, directory)


def edgerouter(directory: Path, routes: Routes | None, *flags: str) -> Running:
    """This project with one worker, as it has one core."""
    port = free_port()
    command = [sys.executable, "-m", "edgerouter", "--edgerouter.workers=1"]
    command += [f"--entrypoints.web.address=127.0.0.1:{port}", "--log.level=ERROR", *flags]
    command += _dynamic_file(directory, routes) if routes else []
    environment = {
        "PYTHONPATH": python_path(),
        "PYTHONDONTWRITEBYTECODE": "",  # What is installed has been compiled.
    }
    return Running("edgerouter", command, port, ROUTER_CORE, directory, environment)


NGINX_HEAD = """
worker_processes 1; daemon off; pid nginx.pid; error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off; server_names_hash_bucket_size 64; server_names_hash_max_size 65536;
  keepalive_requests 1000000000; client_body_temp_path body; proxy_temp_path proxy;
  fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
"""


def nginx(directory: Path, routes: Routes | None, *flags: str) -> Running:
    """Nginx as a reverse proxy that sends the same X-Forwarded fields as the others."""
    if routes is None or flags:
        raise ValueError("nginx reads its routes from its own file only")
    port = free_port()
    proxy = """
      proxy_pass http://upstream; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_max_temp_file_size 0;
      proxy_set_header Host $host; proxy_set_header X-Real-Ip $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host;
      proxy_set_header X-Forwarded-Port $server_port; proxy_set_header X-Forwarded-Server $hostname;
    """
    servers = [
        f"server {{ listen 127.0.0.1:{port}; server_name {name};"
        f" location / {{ include proxy.conf; {routes.nginx_location} }} }}"
        for name in routes.hosts
    ]
    head = NGINX_HEAD.format()
    pool = (
        f"upstream upstream {{ server 127.0.0.1:{routes.upstream}; keepalive 64;"
        " keepalive_requests 1000000000; }"
    )
    (directory / "proxy.conf").write_text(proxy)
    (directory / "nginx.conf").write_text("\n".join([head, routes.nginx_http, pool, *servers, "}"]))
    return Running("nginx", _nginx_command(directory), port, ROUTER_CORE, directory)


def upstream(directory: Path) -> Running:
    """The server behind all: `/` answers 120 bytes, `/json` 20 KB, `/large` one megabyte."""
    port = free_port()
    (directory / "large").write_bytes(b"x" * LARGE)
    (directory / "json").write_text(JSON)
    server = (
        f'server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{SMALL}"; }}'
        f" location = /json {{ root {directory}; default_type application/json; }}"
        f" location = /large {{ root {directory}; sendfile on; }} }} }}"
    )
    (directory / "nginx.conf").write_text(NGINX_HEAD.format() + server)
    return Running("upstream", _nginx_command(directory), port, LOAD_CORE, directory)


def _nginx_command(directory: Path) -> list[str]:
    return ["nginx", "-p", f"{directory}/", "-c", f"{directory / 'nginx.conf'}", "-e", "stderr"]


Contestant = Callable[..., Running]
CONTESTANTS: dict[str, Contestant] = {"nginx": nginx, "traefik": traefik, "edgerouter": edgerouter}
