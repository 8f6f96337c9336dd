"""Services that edgerouter serves better: with ``edgerouter.compat=traefik`` as Traefik does."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from tests.oracle.config_compat_services import (
    COOKIES,
    HEALTH,
    MISSING,
    NAMES,
    TRANSPORTS,
    USELESS,
    Setting,
)
from tests.oracle.test_services import ask, mirrored, names, server, soon
from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.raw_http import exchange
from tests.support.recording_upstream import RecordingUpstream
from tests.support.router_process import RouterProcess
from tests.support.traefik import traefik

NOT_FOUND = "404 404 page not found"


@pytest.fixture(scope="module")
def recorder() -> Iterator[RecordingUpstream]:
    with RecordingUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def configuration(
    recorder: RecordingUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    setting = Setting(tmp_path_factory.mktemp("certificates"))
    with EchoServer(NAMES, {"secure": setting.secure()}) as echo:
        yield setting.dynamic(echo.ports, recorder.port)


@pytest.fixture(scope="module")
def theirs(
    configuration: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RouterProcess]:
    directory = tmp_path_factory.mktemp("traefik")
    with traefik(directory, ["web"], {}, configuration) as process:
        yield process


@pytest.fixture(scope="module")
def compatible(
    configuration: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RouterProcess]:
    directory = tmp_path_factory.mktemp("compatible")
    flags = {"edgerouter.workers": "1", "edgerouter.compat": "traefik"}
    with edgerouter(directory, ["web"], flags, configuration) as process:
        yield process


@pytest.fixture(params=["theirs", "compatible"])
def router(request: pytest.FixtureRequest) -> RouterProcess:
    process: RouterProcess = request.getfixturevalue(request.param)
    return process


@pytest.mark.parametrize("service", [*HEALTH, *MISSING, "broken", "half-broken"])
def test_what_disables_a_service(
    theirs: RouterProcess, compatible: RouterProcess, service: str
) -> None:
    kinds = ("main", "spare")  # Either may have its turn.
    found = [server(ask(process, service)) for process in (theirs, compatible)]
    assert {name if name not in kinds else "served" for name in found} in ({"served"}, {NOT_FOUND})


@pytest.mark.parametrize("body", [b"", b"x"])
def test_a_fallback_is_not_asked_when_the_first_refuses(router: RouterProcess, body: bytes) -> None:
    assert server(ask(router, "refused", body=body)) == "502 Bad Gateway"


@pytest.mark.parametrize("service", [*(f"cookie-{name}" for name in COOKIES), "cookie-of-services"])
def test_cookies(theirs: RouterProcess, compatible: RouterProcess, service: str) -> None:
    cookies = [ask(process, service).get("set-cookie") for process in (theirs, compatible)]
    assert cookies[0] == cookies[1] != ""


def test_p2c_knows_no_weights(router: RouterProcess) -> None:
    shares = names(router, "p2c", 60)
    assert min(shares["main"], shares["spare"]) > 10


def test_a_mirror_without_bodies(router: RouterProcess, recorder: RecordingUpstream) -> None:
    recorder.take()
    # The first names a length that the copy does not have.
    for path, body in (("/full", b"abc"), ("/empty", b"")):
        head = f"POST {path} HTTP/1.1\r\nHost: bare.test\r\nConnection: close\r\n"
        framing = f"Content-Length: {len(body)}\r\n\r\n"
        exchange(router.ports["web"], (head + framing).encode() + body)
    assert [seen.line for seen in mirrored(recorder, 1)] == ["POST /empty HTTP/1.1"]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_certificates_that_are_not_there(
    theirs: RouterProcess, compatible: RouterProcess, transport: str
) -> None:
    found = [server(ask(process, f"by-{transport}")) for process in (theirs, compatible)]
    assert found[0] == found[1]


def test_a_mistake_in_a_transport_is_none_without_tls(router: RouterProcess) -> None:
    assert server(ask(router, "plainly")) == "main"


def change(process: RouterProcess, configuration: dict[str, Any]) -> None:
    changed = copy.deepcopy(configuration)
    changed["http"]["routers"]["new"] = {"rule": "Host(`new.test`)", "service": "main"}
    process.apply(changed)


def test_a_change_forgets_what_is_down(
    router: RouterProcess, configuration: dict[str, Any]
) -> None:
    soon(lambda: server(ask(router, "sick")) == "503 no available server")
    change(router, configuration)
    assert server(ask(router, "sick")) == "502 Bad Gateway"
    soon(lambda: server(ask(router, "sick")) == "503 no available server")


# What stays different


@pytest.mark.parametrize("transport", USELESS)
def test_transports_that_reach_nobody(
    theirs: RouterProcess, compatible: RouterProcess, transport: str
) -> None:
    found = [ask(process, f"by-{transport}").status for process in (theirs, compatible)]
    assert found == [500, 404]


def test_a_service_without_servers_is_down(
    theirs: RouterProcess, compatible: RouterProcess
) -> None:
    found = [server(ask(process, "over-empty")) for process in (theirs, compatible)]
    assert found == ["503 no available server", "spare"]


def test_what_passive_checks_found_survives_a_change(
    theirs: RouterProcess, compatible: RouterProcess, configuration: dict[str, Any]
) -> None:
    found = []
    for process in (theirs, compatible):
        assert [ask(process, "failing").status for _ in range(2)] == [502, 503]
        change(process, configuration)
        found.append(ask(process, "failing").status)
    assert found == [502, 503]
