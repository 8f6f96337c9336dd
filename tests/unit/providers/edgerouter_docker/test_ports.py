"""Ports of new containers, on loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

import edgerouter_docker.ports
from edgerouter_docker.inventory import Container
from edgerouter_docker.ports import Ports
from tests.support.router_process import free_ports

API = Container("1", "api", started_at="1")


@asynccontextmanager
async def ports(limit: float = 10.0) -> AsyncIterator[tuple[Ports, asyncio.Event]]:
    changed = asyncio.Event()
    made = Ports(limit, changed.set)
    try:
        yield made, changed
    finally:
        await made.close()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What answers is waited for, however busy the machine is."""
    monkeypatch.setattr(edgerouter_docker.ports, "FIRST", 5.0)


@asynccontextmanager
async def listening(port: int = 0) -> AsyncIterator[str]:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.usefixtures("patient")
async def test_a_port_that_answers_costs_no_time() -> None:
    async with ports() as (waiting, _), listening() as url:
        assert waiting.wants(API)
        waiting.look_at(API, [url])
        assert waiting.is_unseen(API)
        await waiting.first_answers()
        assert not waiting.is_waiting(API)
        assert not waiting.wants(API)
        assert waiting.wants(replace(API, started_at="2")), "another life"


async def test_a_port_that_answers_later() -> None:
    (port,) = free_ports(1)
    async with ports() as (waiting, changed):
        waiting.look_at(API, [f"http://127.0.0.1:{port}"])
        await waiting.first_answers()
        assert waiting.is_waiting(API)
        async with listening(port):
            async with asyncio.timeout(5):
                await changed.wait()
        assert not waiting.is_waiting(API)
        assert waiting.silence(API) == ""


async def test_a_silent_port_is_shown_and_taken_with_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(edgerouter_docker.ports, "UNSEEN", 0.02)
    (port,) = free_ports(1)
    async with ports(limit=0.2) as (waiting, changed):
        waiting.look_at(API, [f"http://127.0.0.1:{port}"])
        async with asyncio.timeout(5):
            await changed.wait()
            assert waiting.is_waiting(API)
            assert not waiting.is_unseen(API)
            changed.clear()
            await changed.wait()
        assert not waiting.is_waiting(API)
        assert waiting.silence(API) == f"127.0.0.1:{port}"
        waiting.keep_only([])
        assert waiting.silence(API) == ""


async def test_one_of_two_ports_is_enough_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edgerouter_docker.ports, "OTHERS", 0.05)
    (port,) = free_ports(1)
    async with ports() as (waiting, changed), listening() as url:
        waiting.look_at(API, [url, f"http://127.0.0.1:{port}"])
        async with asyncio.timeout(5):
            await changed.wait()
        assert waiting.silence(API) == f"127.0.0.1:{port}"


async def test_who_need_not_wait() -> None:
    (port,) = free_ports(1)
    urls = [f"http://127.0.0.1:{port}"]
    async with ports() as (waiting, _):
        waiting.trust([API])
        for container in (API, replace(API, id="2", health="healthy")):
            assert waiting.wants(container), "its ports may be unclear"
            waiting.look_at(container, urls)
            assert not waiting.wants(container)
            assert not waiting.is_waiting(container)
        assert not waiting.wants(replace(API, health="unhealthy"))
        assert not waiting.wants(replace(API, status="exited"))
        served = replace(API, id="3")
        waiting.look_at(served, [])
        assert not waiting.is_waiting(served)
    async with ports(limit=0) as (waiting, _):
        waiting.look_at(API, urls)
        assert not waiting.is_waiting(API)


def endpoint(url: str) -> tuple[str, int]:
    return "127.0.0.1", int(url.rpartition(":")[2])


async def test_the_first_of_several_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edgerouter_docker.ports, "OTHERS", 0.05)
    (closed,) = free_ports(1)
    async with ports() as (waiting, changed), listening() as one, listening() as two:
        question = (("127.0.0.1", closed), endpoint(one), endpoint(two))
        waiting.look_at(API, [f"http://127.0.0.1:{closed}"], frozenset({question}))
        assert waiting.is_waiting(API)
        async with asyncio.timeout(5):
            await changed.wait()
        assert waiting.answering(API) == {endpoint(one), endpoint(two)}
        assert waiting.silence(API) == "", "others answer in its place"
        assert not waiting.wants(API)


@pytest.mark.usefixtures("patient")
async def test_nobody_waits_for_others_once_the_best_answers() -> None:
    (closed,) = free_ports(1)
    async with ports() as (waiting, _), listening() as best:
        waiting.look_at(API, [best], frozenset({(endpoint(best), ("127.0.0.1", closed))}))
        await waiting.first_answers()
        assert waiting.answering(API) == {endpoint(best)}


async def test_a_container_that_ran_before_us_serves_while_it_is_asked() -> None:
    closed, late = free_ports(2)
    question = (("127.0.0.1", closed), ("127.0.0.1", late))
    async with ports() as (waiting, changed):
        waiting.trust([API])
        waiting.look_at(API, [f"http://127.0.0.1:{closed}"], frozenset({question}))
        await waiting.first_answers()
        assert not waiting.is_waiting(API)
        assert not waiting.is_unseen(API)
        async with listening(late):
            async with asyncio.timeout(5):
                await changed.wait()
        assert waiting.answering(API) == {("127.0.0.1", late)}


@pytest.mark.usefixtures("patient")
async def test_what_is_known_is_not_asked_again() -> None:
    async with ports() as (waiting, _), listening() as one, listening() as two:
        waiting.trust([API])
        known = (endpoint(one), ("127.0.0.1", 1))
        waiting.look_at(API, [], frozenset({known}))
        await waiting.first_answers()
        moved = replace(API, network_mode="other")
        assert not waiting.wants(API)
        assert waiting.wants(moved)
        waiting.look_at(moved, [], frozenset({known}))
        assert not waiting.wants(moved)
        moved = replace(API, network_mode="another")
        waiting.look_at(moved, [], frozenset({known, (endpoint(two),)}))
        await waiting.first_answers()
        assert waiting.answering(API) == {endpoint(one), endpoint(two)}
        waiting.keep_only([replace(API, started_at="2")])
        assert waiting.answering(API) == frozenset()


async def test_what_is_sought_is_told_when_it_takes_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(edgerouter_docker.ports, "UNSEEN", 0.02)
    one, two = free_ports(2)
    async with ports(limit=0.2) as (waiting, changed):
        question = (("127.0.0.1", one), ("127.0.0.1", two))
        waiting.look_at(API, [], frozenset({question}))
        assert waiting.sought(API) == ""
        async with asyncio.timeout(5):
            await changed.wait()
            assert waiting.sought(API) == f"127.0.0.1:{one}, 127.0.0.1:{two}"
            changed.clear()
            await changed.wait()
        assert waiting.sought(API) == ""
        assert waiting.answering(API) == frozenset()


async def test_a_container_that_goes_is_not_waited_for() -> None:
    (port,) = free_ports(1)
    async with ports() as (waiting, changed):
        waiting.look_at(API, [f"http://127.0.0.1:{port}"])
        waiting.keep_only([replace(API, status="exited")])
        assert not waiting.is_waiting(API)
        await asyncio.sleep(0)
        assert not changed.is_set()
