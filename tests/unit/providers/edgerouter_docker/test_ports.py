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


@asynccontextmanager
async def listening(port: int = 0) -> AsyncIterator[str]:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_port_that_answers_costs_no_time() -> None:
    async with ports() as (waiting, _), listening() as url:
        assert waiting.wants(API)
        waiting.await_(API, [url])
        assert waiting.is_unseen(API)
        await waiting.first_answers()
        assert not waiting.is_waiting(API)
        assert not waiting.wants(API)
        assert waiting.wants(replace(API, started_at="2")), "another life"


async def test_a_port_that_answers_later() -> None:
    (port,) = free_ports(1)
    async with ports() as (waiting, changed):
        waiting.await_(API, [f"http://127.0.0.1:{port}"])
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
        waiting.await_(API, [f"http://127.0.0.1:{port}"])
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
        waiting.await_(API, [url, f"http://127.0.0.1:{port}"])
        async with asyncio.timeout(5):
            await changed.wait()
        assert waiting.silence(API) == f"127.0.0.1:{port}"


async def test_who_need_not_wait() -> None:
    async with ports() as (waiting, _):
        assert not waiting.wants(replace(API, health="healthy"))
        assert not waiting.wants(replace(API, status="exited"))
        waiting.trust([API])
        assert not waiting.wants(API)
        served = replace(API, id="2")
        waiting.await_(served, [])
        assert not waiting.wants(served)
        assert not waiting.is_waiting(served)
    async with ports(limit=0) as (waiting, _):
        assert not waiting.wants(API)


async def test_a_container_that_goes_is_not_waited_for() -> None:
    (port,) = free_ports(1)
    async with ports() as (waiting, changed):
        waiting.await_(API, [f"http://127.0.0.1:{port}"])
        waiting.keep_only([replace(API, status="exited")])
        assert not waiting.is_waiting(API)
        await asyncio.sleep(0)
        assert not changed.is_set()
