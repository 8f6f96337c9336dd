"""A provider whose containers are replaced, with a daemon that is told what to say."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from edgerouter_docker import DockerProvider
from edgerouter_docker.options import Options
from tests.support.fake_docker import FakeDocker, container_data
from tests.support.recording_context import running
from tests.support.router_process import free_ports

API = "http://10.0.0.2:80"
LABELS = {"traefik.http.routers.api.rule": "Host(`api.test`)"}


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[FakeDocker]:
    async with FakeDocker(tmp_path / "docker.sock").serving() as daemon:
        daemon.add(container_data("api", **LABELS))
        yield daemon


def provider(daemon: FakeDocker, **options: Any) -> DockerProvider:
    given = {"endpoint": daemon.endpoint, "allowEmptyServices": True, **options}
    return DockerProvider("docker", Options.model_validate(given))


def remove(daemon: FakeDocker, name: str) -> None:
    del daemon.containers[f"{name:0>64}"]
    daemon.emit("die", name)
    daemon.emit("destroy", name)


async def test_the_routers_of_a_removed_container_stay_for_a_while(daemon: FakeDocker) -> None:
    async with running(provider(daemon, hold="300ms")) as context:
        said = await context.until(lambda c: c.newest.servers("api"))
        assert said.configuration.http.services["api"].load_balancer is not None
        assert said.configuration.http.services["api"].load_balancer.hold == 0.3
        remove(daemon, "api")
        said = await context.until(lambda c: not c.newest.servers("api"))
        assert said.rules == {"api": "Host(`api.test`)"}
        await context.until(lambda c: not c.newest.rules)


async def test_a_container_of_the_same_name_takes_the_place(daemon: FakeDocker) -> None:
    async with running(provider(daemon, hold="1m")) as context:
        await context.until(lambda c: c.newest.servers("api"))
        remove(daemon, "api")
        await context.until(lambda c: not c.newest.servers("api"))
        new = container_data("new", "10.0.0.3", **{"traefik.http.routers.other.rule": "Path(`/`)"})
        daemon.add({**new, "Name": "/api"})
        daemon.emit("start", "new")
        said = await context.until(lambda c: "other" in c.newest.rules)
        assert said.rules == {"other": "Path(`/`)"}


async def test_a_definition_of_the_same_name_takes_the_place(daemon: FakeDocker) -> None:
    async with running(provider(daemon, hold="1m")) as context:
        await context.until(lambda c: c.newest.servers("api"))
        remove(daemon, "api")
        daemon.add(
            container_data("blue", "10.0.0.3", **{"traefik.http.routers.api.rule": "Path(`/new`)"})
        )
        daemon.emit("start", "blue")
        said = await context.until(lambda c: c.newest.servers("blue"))
        assert said.rules == {"api": "Path(`/new`)"}
        assert "defined differently" not in said.texts()


async def test_a_re_created_project_keeps_its_names(daemon: FakeDocker) -> None:
    """Another one with the same names, which has been there all the time, does not get them."""

    def shop(project: str, created: str, ip: str) -> dict[str, Any]:
        labels = {
            "traefik.http.routers.web.rule": f"Host(`{project}.test`)",
            "traefik.http.services.web.loadbalancer.server.port": "80",
            "com.docker.compose.project": project,
            "com.docker.compose.service": "web",
        }
        return {**container_data(f"{project}{created[-1]}", ip, **labels), "Created": created}

    daemon.add(shop("a", "2026-01-01", "10.0.1.1"), shop("b", "2026-01-02", "10.0.2.1"))
    async with running(provider(daemon, hold="1m")) as context:
        await context.until(lambda c: c.newest.servers("web") == ["http://10.0.1.1:80"])
        remove(daemon, "a1")
        said = await context.until(lambda c: not c.newest.servers("web"))
        assert said.rules["web"] == "Host(`a.test`)"
        daemon.add(shop("a", "2026-01-03", "10.0.1.3"))
        daemon.emit("start", "a3")
        said = await context.until(lambda c: c.newest.servers("web"))
        assert said.servers("web") == ["http://10.0.1.3:80"]
        assert all(p.rules["web"] == "Host(`a.test`)" for p in context.publications)


async def test_nothing_stays_without_hold(daemon: FakeDocker) -> None:
    async with running(provider(daemon)) as context:
        await context.until(lambda c: c.newest.servers("api"))
        remove(daemon, "api")
        await context.until(lambda c: not c.newest.rules)


@pytest.mark.parametrize("status", ["paused", "restarting"])
async def test_what_will_run_again_keeps_its_routers(daemon: FakeDocker, status: str) -> None:
    async with running(provider(daemon)) as context:
        await context.until(lambda c: c.newest.servers("api"))
        daemon.containers[f"{'api':0>64}"]["State"]["Status"] = status
        daemon.emit("pause", "api")
        said = await context.until(lambda c: not c.newest.servers("api"))
        assert said.rules == {"api": "Host(`api.test`)"}


def local(name: str, port: int, started: str = "1") -> dict[str, Any]:
    """A container whose server is a port of ours."""
    label = {f"traefik.http.services.{name}.loadbalancer.server.port": str(port)}
    data = container_data(name, "127.0.0.1", **label)
    return {**data, "State": {"Status": "running", "StartedAt": started}}


async def test_a_new_container_is_taken_when_its_port_answers(daemon: FakeDocker) -> None:
    (port,) = free_ports(1)
    async with running(provider(daemon, portWait="1m")) as context:
        await context.until(lambda c: c.newest.servers("api") == [API])  # It ran before us.
        daemon.add(local("late", port))
        daemon.emit("start", "late")
        said = await context.until(lambda c: "late" in c.newest.rules)
        assert said.servers("late") == [], "known, but not asked"
        notes = said.configuration.notes["http.services.late"]
        assert notes == {"absent": "container late: nothing listens on its port yet"}
        server = await asyncio.start_server(lambda _, w: w.close(), "127.0.0.1", port)
        async with server:
            said = await context.until(lambda c: c.newest.servers("late"))
        assert said.diagnostics == ()


async def test_a_port_that_answers_at_once_makes_one_publication(daemon: FakeDocker) -> None:
    server = await asyncio.start_server(lambda _, w: w.close(), "127.0.0.1", 0)
    async with server, running(provider(daemon, portWait="1m")) as context:
        await context.until(lambda c: c.newest.servers("api"))
        before = len(context.publications)
        daemon.add(local("quick", server.sockets[0].getsockname()[1]))
        daemon.emit("start", "quick")
        await context.until(lambda c: c.newest.servers("quick"))
        assert len(context.publications) == before + 1


async def test_a_silent_port_is_told(daemon: FakeDocker) -> None:
    (port,) = free_ports(1)
    async with running(provider(daemon, portWait="100ms")) as context:
        await context.until(lambda c: c.newest.servers("api"))
        daemon.add(local("wrong", port))
        daemon.emit("start", "wrong")
        said = await context.until(lambda c: c.newest.servers("wrong"))
        assert f"container wrong: nothing listens on 127.0.0.1:{port}" in said.texts()
        assert "loadbalancer.server.port" in said.texts()


def unclear(name: str, *ports: int) -> dict[str, Any]:
    """A container that exposes several ports of ours and names none."""
    data = container_data(name, "127.0.0.1")
    data["NetworkSettings"]["Ports"] = {f"{port}/tcp": None for port in ports}
    return {**data, "State": {"Status": "running", "StartedAt": "1"}}


async def test_a_new_container_is_served_by_the_port_that_answers(daemon: FakeDocker) -> None:
    silent, late = sorted(free_ports(2))
    async with running(provider(daemon, portWait="1m")) as context:
        await context.until(lambda c: c.newest.servers("api"))
        daemon.add(unclear("late", silent, late))
        daemon.emit("start", "late")
        said = await context.until(lambda c: "late" in c.newest.rules)
        assert said.servers("late") == []
        assert f"nothing answers yet on 127.0.0.1:{silent}, 127.0.0.1:{late}" in said.texts()
        server = await asyncio.start_server(lambda _, w: w.close(), "127.0.0.1", late)
        async with server:
            said = await context.until(lambda c: c.newest.servers("late"))
        assert said.servers("late") == [f"http://127.0.0.1:{late}"]
        assert f"{late} was taken" in said.texts()


async def test_a_container_that_ran_before_us_moves_to_the_port_that_answers(
    daemon: FakeDocker,
) -> None:
    silent, late = sorted(free_ports(2))
    daemon.add(unclear("old", silent, late))
    async with running(provider(daemon, portWait="1m")) as context:
        await context.until(lambda c: c.newest.servers("old") == [f"http://127.0.0.1:{silent}"])
        server = await asyncio.start_server(lambda _, w: w.close(), "127.0.0.1", late)
        async with server:
            await context.until(lambda c: c.newest.servers("old") == [f"http://127.0.0.1:{late}"])


async def test_drain_and_undrain(daemon: FakeDocker) -> None:
    docker = provider(daemon)
    with pytest.raises(LookupError, match="not been seen"):
        docker.drain("api", is_drained=True)
    async with running(docker) as context:
        await context.until(lambda c: c.newest.servers("api"))
        assert docker.drain("api", is_drained=True) == ("api", {API})
        assert context.fenced == {API}
        assert docker.drained == ["api"]
        docker.drain("api", is_drained=False)
        assert context.fenced == frozenset()
        docker.drain("api", is_drained=True)
        daemon.containers[f"{'api':0>64}"]["State"]["StartedAt"] = "2"
        daemon.emit("start", "api")
        await context.until(lambda c: not c.fenced)
        assert docker.drained == []


async def test_a_container_without_routes_cannot_be_drained(daemon: FakeDocker) -> None:
    daemon.add(container_data("db", "10.0.0.9", **{"traefik.enable": "false"}))
    docker = provider(daemon)
    async with running(docker) as context:
        await context.until(lambda c: c.newest.servers("api"))
        with pytest.raises(LookupError, match="db serves no router"):
            docker.drain("db", is_drained=True)
