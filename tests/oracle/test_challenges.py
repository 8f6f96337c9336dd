"""The path of HTTP-01 challenges on edgerouter and on the real Traefik: the same routers."""

from pathlib import Path
from typing import Any

from tests.oracle.setup import loadbalancer
from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.raw_http import exchange
from tests.support.router_process import RouterProcess
from tests.support.traefik import traefik

CHALLENGE = "/.well-known/acme-challenge/"
PATHS = ("token", "", "a/b")
NOBODY = "https://127.0.0.1:1/directory"
"""A CA that does not answer."""


def configuration(url: str) -> dict[str, Any]:
    points = ["web", "passed", "other"]
    longer = {"rule": f"PathPrefix(`{CHALLENGE}own`)", "service": "s", "entryPoints": points}
    everything = {"rule": "PathPrefix(`/`)", "service": "s", "entryPoints": points}
    return {
        "http": {
            "routers": {"everything": everything, "longer": longer},
            "services": {"s": loadbalancer(url)},
        }
    }


def flags() -> dict[str, str]:
    found = {"entrypoints.passed.allowacmebypass": "true"}
    for name, entry_point in (("first", "web"), ("second", "passed")):
        resolver = f"certificatesresolvers.{name}.acme"
        found |= {
            f"{resolver}.email": "me@example.com",
            f"{resolver}.storage": f"{{directory}}/{name}.json",
            f"{resolver}.caserver": NOBODY,
            f"{resolver}.httpchallenge.entrypoint": entry_point,
        }
    return found


def routers(router: RouterProcess) -> list[dict[str, Any]]:
    found = router.get("/api/http/routers?search=acme")
    return [{name: each.get(name) for name in KEYS} for each in found]


KEYS = ("name", "rule", "ruleSyntax", "priorityStr", "entryPoints", "service", "status", "using")


def answers(router: RouterProcess) -> dict[str, tuple[int, str, bytes]]:
    found = {}
    for name in ("web", "passed", "other"):
        for path in (*PATHS, "own/token"):
            request = f"GET {CHALLENGE}{path} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
            answer = exchange(router.ports[name], request.encode())[0]
            text = answer.body if answer.status == 404 else b""
            found[f"{name} {path}"] = (answer.status, answer.get("content-type"), text)
    return found


def test_unknown_tokens_are_answered_as_by_traefik(echo: EchoServer, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{echo.ports['api']}"
    points = ["web", "passed", "other"]
    found = {}
    for name, make in {"traefik": traefik, "edgerouter": edgerouter}.items():
        with make(tmp_path / name, points, flags(), configuration(url)) as router:
            found[name] = (routers(router), answers(router))
    assert found["edgerouter"] == found["traefik"]
    statuses = {name: answer[0] for name, answer in found["edgerouter"][1].items()}
    assert {statuses[f"{each} {path}"] for each in ("web", "passed") for path in PATHS} == {404}
    assert (statuses["web own/token"], statuses["passed own/token"]) == (404, 200)
    assert statuses["other token"] == 200
