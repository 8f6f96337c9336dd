"""Labels and files that are not quite right: with ``edgerouter.compat=traefik`` as in Traefik."""

import asyncio
import copy
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.oracle.config_services import servers
from tests.oracle.test_services import ask, server, soon
from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.fake_docker import FakeDocker, container_data
from tests.support.router_process import RouterProcess
from tests.support.traefik import traefik

LABELS: dict[str, dict[str, str]] = {
    "plain": {},
    "parents": {"routers.NAME.parentrefs": "other"},
    "parents-alone": {"routers.more.parentrefs": "other"},
    "weighted-too": {"services.NAME.weighted.services[0].name": "x"},
    "weighted-wrong": {"services.NAME.weighted.foo": "x"},
    "weighted": {"services.w.weighted.services[0].name": "x", "routers.NAME.service": "NAME"},
    "failover": {"services.f.failover.service": "x", "routers.NAME.service": "NAME"},
    "transports": {"serverstransports.t.servername": "x"},
    "at-router": {"routers.x@y.rule": "Host(`nobody.test`)", "routers.x@y.service": "NAME"},
    "at-service": {
        "services.a@b.loadbalancer.server.port": "80",
        "routers.NAME.service": "a@b",
    },
    "at-middleware": {
        "middlewares.m@z.addprefix.prefix": "/x",
        "routers.NAME.middlewares": "m@z",
    },
    "at-middleware-unused": {"middlewares.u@z.addprefix.prefix": "/x"},
    "gap": {"middlewares.g.addprefix.prefix": "/x", "routers.NAME.middlewares": "g,,g"},
    "gap-last": {"middlewares.l.addprefix.prefix": "/x", "routers.NAME.middlewares": "l,"},
    "gap-alone": {"routers.NAME.middlewares": ","},
    "gap-none": {"routers.NAME.middlewares": ""},
    "gap-entrypoint": {"routers.NAME.entrypoints": "web,,web"},
    "gap-chain": {"middlewares.c.chain.middlewares": "l,", "routers.NAME.middlewares": "c"},
    "gap-range": {
        "middlewares.i.ipallowlist.sourcerange": "127.0.0.1,",
        "routers.NAME.middlewares": "i",
    },
    "named": {"routers.NAME.entrypoints.foo": "other"},
    "switch": {"routers.NAME.tls": "foo"},
    "switch-beside": {"routers.NAME.tls": "foo", "routers.NAME.tls.options": "default"},
    "choice": {"routers.NAME.observability.traceverbosity": "foo"},
    "router-alone": {"routers.NAME": "x"},
    "service-alone": {"services.NAME": "x"},
    "no-type": {"middlewares.n": "x", "routers.NAME.middlewares": "n"},
    "two-types": {
        "middlewares.t.addprefix.prefix": "/a",
        "middlewares.t.stripprefix.prefixes": "/b",
        "routers.NAME.middlewares": "t",
    },
    "wrong-type": {"middlewares.o.foo.bar": "x"},
    "wrong-option": {"middlewares.p.addprefix.foo": "x"},
    "no-number": {"routers.NAME.priority": "x"},
}
"""Below ``traefik.http.``, beside what makes a router; each is a container."""

STATES: dict[str, dict[str, Any]] = {
    **{status: {"Status": status} for status in ("created", "restarting", "paused", "exited")},
    **{health: {"Health": {"Status": health}} for health in ("healthy", "unhealthy", "starting")},
    "kept": {"Status": "exited"},
}
"""What containers with labels that are right are doing; the last one has ``allowNonRunning``."""


def labels_of(name: str, port: int) -> dict[str, str]:
    written = {
        f"routers.{name}.rule": f"Host(`{name}.test`)",
        f"services.{name}.loadbalancer.server.port": str(port),
    } | {key.replace("NAME", name): value for key, value in LABELS.get(name, {}).items()}
    values = {key: name if value == "NAME" else value for key, value in written.items()}
    allowed = {"traefik.docker.allownonrunning": "true"} if name == "kept" else {}
    return {f"traefik.http.{key}": value for key, value in values.items()} | allowed


@contextmanager
def docker(path: Path, port: int) -> Iterator[str]:
    """Run an engine with the containers in a thread; give its endpoint."""
    daemon = FakeDocker(path / "docker.sock")
    for name in (*LABELS, *STATES):
        inspection = container_data(name, "127.0.0.1", **labels_of(name, port))
        inspection["State"] |= STATES.get(name, {})
        daemon.add(inspection)
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with daemon.serving():
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait(5)
    try:
        yield daemon.endpoint
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(5)
        loop.close()


@pytest.fixture(scope="module")
def echo() -> Iterator[EchoServer]:
    with EchoServer(["main"]) as running:
        yield running


@pytest.fixture(scope="module")
def flags(echo: EchoServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with docker(tmp_path_factory.mktemp("docker"), echo.ports["main"]) as endpoint:
        yield {"providers.docker.endpoint": endpoint, "providers.providersthrottleduration": "9ms"}


@pytest.fixture(scope="module")
def theirs(
    flags: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RouterProcess]:
    directory = tmp_path_factory.mktemp("traefik")
    with traefik(directory, ["web", "other"], flags, {}) as process:
        yield process


@pytest.fixture(scope="module")
def compatible(
    flags: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RouterProcess]:
    directory = tmp_path_factory.mktemp("compatible")
    own = {"edgerouter.workers": "1", "edgerouter.compat": "traefik"}
    with edgerouter(directory, ["web", "other"], flags | own, {}) as process:
        yield process


def asked(name: str, *routers: RouterProcess) -> list[str]:
    """Return what each router answers, once it knows the containers."""
    found = []
    for process in routers:
        soon(lambda process=process: server(ask(process, "plain")) == "main")
        found.append(server(ask(process, name)))
    return found


@pytest.mark.parametrize("name", [*LABELS, *(name for name in STATES if name != "kept")])
def test_labels(theirs: RouterProcess, compatible: RouterProcess, name: str) -> None:
    expected, actual = asked(name, theirs, compatible)
    assert actual == expected


def test_a_container_that_is_kept(theirs: RouterProcess, compatible: RouterProcess) -> None:
    found = asked("kept", theirs, compatible)
    assert found == ["500 Internal Server Error", "503 no available server"]


FILES: dict[str, dict[str, Any]] = {
    "gap": {"router": {"middlewares": ["m", ""]}},
    "gap-text": {"router": {"middlewares": "m,,m"}},
    "gap-entrypoint": {"router": {"entryPoints": ["web", ""]}},
    "gap-entrypoint-text": {"router": {"entryPoints": "web,"}},
    "at-router": {"routers": {"x@y": {"rule": "Host(`x.test`)", "service": "s"}}},
    "at-middleware": {
        "router": {"middlewares": ["x@y"]},
        "middlewares": {"x@y": {"addPrefix": {"prefix": "/x"}}},
    },
    "choice": {"router": {"observability": {"traceVerbosity": "foo"}}},
    "named": {"router": {"entryPoints": {"foo": "web"}}},
    "switch": {"router": {"tls": "foo"}},
    "no-type": {"middlewares": {"x": {}}},
    "no-type-used": {"router": {"middlewares": ["x"]}, "middlewares": {"x": {}}},
    "two-types": {
        "router": {"middlewares": ["x"]},
        "middlewares": {"x": {"addPrefix": {"prefix": "/a"}, "stripPrefix": {"prefixes": "/b"}}},
    },
    "no-router": {"routers": {"x": None}},
    "no-service": {"services": {"x": None}},
}
"""What is added to the router of ``file.test``, and beside it."""


@pytest.mark.parametrize("name", FILES)
def test_files(
    theirs: RouterProcess, compatible: RouterProcess, echo: EchoServer, name: str
) -> None:
    url = f"http://127.0.0.1:{echo.ports['main']}"
    added = copy.deepcopy(FILES[name])
    router = {"rule": "Host(`file.test`)", "service": "s", **added.pop("router", {})}
    http: dict[str, Any] = {
        "routers": {"file": router},
        "services": {"s": servers(url)},
        "middlewares": {"m": {"addPrefix": {"prefix": "/m"}}},
    }
    for group, more in added.items():
        http[group] |= more
    found = []
    for process in (theirs, compatible):
        process.apply({"http": http})
        found.append(server(ask(process, "file")))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("middleware", "service"),
    [
        ({"addPrefix": {"foo": "x"}}, {}),
        ({"foo": {"x": "y"}}, {}),
        ({"inFlightReq": {"amount": "x"}}, {}),
        ({"addPrefix": {"prefix": "/x"}}, {"healthCheck": {}}),
    ],
)
def test_files_that_traefik_refuses(
    theirs: RouterProcess,
    compatible: RouterProcess,
    echo: EchoServer,
    middleware: dict[str, Any],
    service: dict[str, Any],
) -> None:
    url = f"http://127.0.0.1:{echo.ports['main']}"
    http: dict[str, Any] = {
        "routers": {"file": {"rule": "Host(`file.test`)", "service": "s"}},
        "services": {"s": servers(url)},
    }
    found = []
    for process in (theirs, compatible):
        process.apply({"http": http})
        changed = copy.deepcopy(http)
        changed["routers"]["file"]["rule"] = "Host(`changed.test`)"
        changed["services"]["s"]["loadBalancer"] |= service
        changed["middlewares"] = {"m": middleware}
        told = process.log.read_text().count("ERR")
        process.write({"http": changed})
        if process is compatible:
            soon(lambda process=process: server(ask(process, "changed")) == "main")
        else:
            soon(lambda told=told: theirs.log.read_text().count("ERR") > told)
        found.append(server(ask(process, "file")))
    assert found == ["main", "404 404 page not found"]
