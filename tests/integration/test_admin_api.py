"""The API: the real Traefik and edgerouter with one configuration, compared key by key."""

import io
import json
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.edgerouter_process import edgerouter
from tests.support.raw_http import exchange
from tests.support.router_process import RouterProcess
from tests.support.traefik import traefik

pytestmark = pytest.mark.oracle

SCRIPT = "edgerouter/control/dashboard/dashboard.js"

DYNAMIC: dict[str, Any] = {
    "http": {
        "routers": {
            "plain": {"rule": "Host(`a.test`)", "service": "balanced", "middlewares": ["strip"]},
            "chosen": {"rule": "Host(`b.test`)", "service": "one@file", "entryPoints": ["web"]},
            "syntax": {"rule": "Host(`c.test`)", "service": "one", "ruleSyntax": "v2"},
            "ranked": {"rule": "Host(`d.test`)", "service": "one", "priority": 5},
            "quiet": {
                "rule": "Host(`e.test`)",
                "service": "one",
                "observability": {"accessLogs": False},
            },
            "family": {"rule": "Host(`i.test`)", "service": "family"},
            "serviceless": {"rule": "Host(`f.test`)", "service": "gone", "entryPoints": ["web"]},
            "nowhere": {"rule": "Host(`g.test`)", "service": "one", "entryPoints": ["nope"]},
            "unparsed": {"rule": "Hst(`h.test`)", "service": "one"},
        },
        "services": {
            "balanced": {
                "loadBalancer": {
                    "servers": [
                        {"url": "http://127.0.0.1:9"},
                        {"url": "http://127.0.0.2:9", "weight": 3},
                        {"url": "http://127.0.0.3:9", "preservePath": True},
                    ],
                    "sticky": {"cookie": {"name": "x", "secure": True}},
                    "passHostHeader": False,
                }
            },
            "one": {"loadBalancer": {"servers": [{"url": "http://127.0.0.1:9"}]}},
            "family": {
                "weighted": {
                    "services": [{"name": "child"}, {"name": "other", "weight": 2}],
                    "sticky": {"cookie": {"secure": True}},
                }
            },
            "child": {
                "loadBalancer": {
                    "servers": [{"url": "http://127.0.0.1:9"}],
                    "sticky": {"cookie": {}},
                }
            },
            "other": {"loadBalancer": {"servers": [{"url": "http://127.0.0.1:9"}]}},
            "unused": {"loadBalancer": {"servers": [{"url": "http://127.0.0.1:9"}]}},
        },
        "middlewares": {
            "strip": {"stripPrefix": {"prefixes": ["/x", "/y"]}},
            "add": {"addPrefix": {"prefix": "/x"}},
            "secure": {"redirectScheme": {"scheme": "https", "port": "8443"}},
            "both": {"chain": {"middlewares": ["strip", "add@file"]}},
        },
    }
}

MIDDLEWARES: dict[str, dict[str, Any]] = {
    "addPrefix": {"prefix": "/x"},
    "basicAuth": {"users": ["a:$apr1$x$y"]},
    "buffering": {"maxRequestBodyBytes": 5},
    "chain": {"middlewares": ["addPrefix", "compress@file"]},
    "circuitBreaker": {"expression": "NetworkErrorRatio() > 0.30"},
    "compress": {},
    "contentType": {},
    "digestAuth": {"users": ["a:r:x"]},
    "encodedCharacters": {"allowEncodedSlash": False},
    "errors": {"status": ["500"], "service": "s", "query": "/"},
    "forwardAuth": {"address": "http://127.0.0.1:9"},
    "grpcWeb": {"allowOrigins": ["*"]},
    "headers": {"customRequestHeaders": {"A": "b"}, "stsSeconds": 5},
    "inFlightReq": {"amount": 5},
    "ipAllowList": {"sourceRange": ["127.0.0.1"], "ipStrategy": {"depth": 1}},
    "ipWhiteList": {"sourceRange": ["127.0.0.1"]},
    "passTLSClientCert": {"pem": True},
    "rateLimit": {"average": 5, "period": "1m30s"},
    "redirectRegex": {"regex": "a", "replacement": "b"},
    "redirectScheme": {"scheme": "https"},
    "replacePath": {"path": "/x"},
    "replacePathRegex": {"regex": "a", "replacement": "b"},
    "retry": {"attempts": 3},
    "stripPrefix": {"prefixes": ["/a"]},
    "stripPrefixRegex": {"regex": ["/a"]},
}
"""One of each type, called like its type; the second configuration of the tests."""

OWN = {"edgerouter"}
"""What clients of Traefik's API do not know."""

WORDS = {"error"}
"""What is said in words of our own; that something is said must be the same."""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RouterProcess, RouterProcess]]:
    folder = tmp_path_factory.mktemp("api")
    flags = {"ping": "true", "accesslog": "true", "accesslog.filepath": str(folder / "access.log")}
    oracle = traefik(folder / "traefik", ["web"], flags, DYNAMIC)
    ours = edgerouter(folder / "edgerouter", ["web"], flags, DYNAMIC)
    with oracle, ours:
        yield oracle, ours


def fetch(router: RouterProcess, path: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
    url = f"http://127.0.0.1:{router.ports['traefik']}{path}"
    request = urllib.request.Request(url, method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read().decode()


def comparable(router: RouterProcess, data: Any) -> Any:
    """Return ``data`` without words of our own and ports of this run."""
    if isinstance(data, list):
        return [comparable(router, item) for item in data]
    if isinstance(data, dict):
        return {
            key: bool(value) if key in WORDS else comparable(router, value)
            for key, value in data.items()
            if key not in OWN
        }
    if isinstance(data, str):
        for name, port in router.ports.items():
            data = data.replace(f":{port}", f":<{name}>")
    return data


@pytest.mark.parametrize(
    "path",
    [
        "/api/rawdata",
        "/api/entrypoints",
        "/api/entrypoints/web",
        "/api/http/routers",
        "/api/http/routers/plain@file",
        "/api/http/routers?sortBy=priority&direction=desc",
        "/api/http/routers?sortBy=service",
        "/api/http/routers?sortBy=rule&direction=desc",
        "/api/http/routers?status=disabled",
        "/api/http/routers?search=A.TEST",
        "/api/http/routers?serviceName=one@file",
        "/api/http/routers?middlewareName=strip@file",
        "/api/http/routers?per_page=1&page=2&search=test",
        "/api/http/services",
        "/api/http/services?sortBy=servers&direction=desc&search=file",
        "/api/http/services/balanced@file",
        "/api/http/services/unused@file",
        "/api/http/middlewares",
        "/api/http/middlewares?sortBy=type",
        "/api/tcp/routers",
        "/api/tcp/services",
        "/api/tcp/middlewares",
        "/api/udp/routers",
        "/api/udp/services",
        "/api/certificates",
    ],
)
def test_answers_are_the_same(both: tuple[RouterProcess, RouterProcess], path: str) -> None:
    answers = []
    for router in both:
        status, headers, text = fetch(router, path)
        kept = {name: headers.get(name) for name in ("Content-Type", "X-Next-Page")}
        answers.append((status, kept, comparable(router, json.loads(text))))
    assert answers[1] == answers[0]
    assert answers[0][0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/api/http/routers/none@file",
        "/api/http/services/none",
        "/api/http/middlewares/none",
        "/api/tcp/routers/none",
        "/api/udp/services/none",
        "/api/entrypoints/none",
        "/api/certificates/none",
        "/api/http/routers?page=99",
        "/api/http/routers?page=x",
        "/api/http/routers?per_page=0",
        "/api/nothing",
        "/api",
        "/api/",
    ],
)
def test_refusals_are_the_same(both: tuple[RouterProcess, RouterProcess], path: str) -> None:
    answers = []
    for router in both:
        status, headers, text = fetch(router, path)
        answers.append((status, headers["Content-Type"], text, headers["X-Content-Type-Options"]))
    assert answers[1] == answers[0]
    assert answers[0][0] >= 400


def test_options_of_middlewares_are_shown_alike(
    both: tuple[RouterProcess, RouterProcess],
) -> None:
    """Whether all of them are served or not."""
    of_types = {name: {name: options} for name, options in MIDDLEWARES.items()}
    shown = []
    for router in both:
        router.apply({"http": {"middlewares": of_types}})
        try:
            items = router.get("/api/http/middlewares")
        finally:
            router.apply(DYNAMIC)
        named = {item["name"].partition("@")[0]: item for item in items}
        shown.append({name: named[name].get(name) for name in MIDDLEWARES})
    for name in ("basicAuth", "digestAuth"):  # Traefik shows the hashes to everybody.
        assert shown[1].pop(name) == {"users": ["xxxx"]}
        del shown[0][name]
    assert shown[1] == shown[0]


@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS", "DELETE"])
def test_other_methods_are_refused_alike(
    both: tuple[RouterProcess, RouterProcess], method: str
) -> None:
    oracle, ours = (fetch(router, "/api/version", method) for router in both)
    assert (ours[0], ours[2]) == (oracle[0], oracle[2]) == (405, "")


def test_the_overview_has_the_same_shape(both: tuple[RouterProcess, RouterProcess]) -> None:
    oracle, ours = (router.get("/api/overview") for router in both)
    own = ours.pop("edgerouter")
    assert own["version"] >= 1
    assert (own["failedRebuilds"], own["fenced"]) == (0, [])
    assert ours == oracle


def test_the_version_has_traefiks_keys(both: tuple[RouterProcess, RouterProcess]) -> None:
    oracle, ours = (router.get("/api/version") for router in both)
    assert set(oracle) <= set(ours)
    assert set(ours) - set(oracle) == OWN


def test_no_header_tells_the_implementation(both: tuple[RouterProcess, RouterProcess]) -> None:
    oracle, ours = (fetch(router, "/api/overview")[1] for router in both)
    assert set(ours) - {"Connection"} == set(oracle) - {"Connection"}


def test_sources_are_shown_under_our_own_key(both: tuple[RouterProcess, RouterProcess]) -> None:
    _, ours = both
    router = ours.get("/api/http/routers/plain@file")
    assert router["edgerouter"]["source"].endswith("dynamic.yml")
    assert router["edgerouter"]["key"] == "http.routers.plain"


def test_diagnostics_name_element_and_reason(both: tuple[RouterProcess, RouterProcess]) -> None:
    _, ours = both
    found = ours.get("/api/edgerouter/diagnostics")
    reasons = {finding["element"]: finding for finding in found}
    assert "gone" in reasons["http.routers.serviceless"]["message"]
    assert reasons["http.routers.serviceless"]["severity"] == "error"
    assert reasons["http.routers.serviceless"]["provider"] == "file"
    assert "http.routers.unparsed" in reasons


def test_workers_and_providers_are_shown(both: tuple[RouterProcess, RouterProcess]) -> None:
    _, ours = both
    workers = ours.get("/api/edgerouter/workers")
    assert all(worker["ready"] and worker["version"] >= 1 for worker in workers)
    (provider,) = ours.get("/api/edgerouter/providers")
    assert (provider["name"], provider["status"]) == ("file", "running")


def members(router: RouterProcess, path: str) -> dict[str, Any]:
    """Return the files of the archive at ``path``, which all hold JSON."""
    with urllib.request.urlopen(f"http://127.0.0.1:{router.ports['traefik']}{path}") as answer:
        assert answer.headers["Content-Type"] == "application/gzip"
        assert answer.headers["Content-Disposition"] == "attachment; filename=support-dump.tar.gz"
        packed = io.BytesIO(answer.read())
    with tarfile.open(fileobj=packed) as archive:
        return {name: json.load(archive.extractfile(name) or packed) for name in archive.getnames()}


def test_a_support_dump_has_the_same_files(both: tuple[RouterProcess, RouterProcess]) -> None:
    oracle, ours = (members(router, "/api/support-dump") for router in both)
    assert set(ours) == {*oracle, "edgerouter.json"}
    dumps = [
        comparable(r, d["runtime-config.json"]) for r, d in zip(both, (oracle, ours), strict=True)
    ]
    for service in dumps[1]["services"].values():
        service.pop("serverStatus", None)
    assert dumps[1] == dumps[0]
    shown = (oracle["static-config.json"], ours["static-config.json"])
    assert shown[1]["api"] == shown[0]["api"]
    assert shown[1]["entryPoints"]["web"]["address"] == shown[0]["entryPoints"]["web"]["address"]


@pytest.mark.parametrize("path", ["/dashboard/foo", "/dashboardx", "/other"])
def test_what_is_not_the_dashboards_is_refused_alike(
    both: tuple[RouterProcess, RouterProcess], path: str
) -> None:
    oracle, ours = (fetch(router, path) for router in both)
    assert (ours[0], ours[2]) == (oracle[0], oracle[2]) == (404, "404 page not found\n")


def test_the_dashboard_is_where_traefiks_is(both: tuple[RouterProcess, RouterProcess]) -> None:
    for router in both:
        port = router.ports["traefik"]
        (head,) = exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (head.status, head.get("location")) == (301, "http://x/dashboard/")
        status, headers, text = fetch(router, "/dashboard/")
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert "<title>" in text
