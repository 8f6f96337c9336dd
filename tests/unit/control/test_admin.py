"""What a comparison with Traefik cannot show: our own paths, errors of workers, failures."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic import DynamicConfiguration, HTTPConfiguration
from edgerouter.config.dynamic.http import Router, Server, ServersLoadBalancer, Service
from edgerouter.config.static import StaticConfiguration
from edgerouter.control.admin import application
from edgerouter.control.providers import Providers
from edgerouter.control.publisher import Publisher
from edgerouter.control.runtime import build_runtime
from edgerouter.control.supervisor import Supervisor
from edgerouter.control.view import View

STATIC = StaticConfiguration.model_validate(
    {"entryPoints": {"web": {"address": ":80"}}, "api": {"basePath": "/base", "dashboardName": "x"}}
)
URL = "http://10.0.0.2:80"

Client = Any


def dynamic() -> DynamicConfiguration:
    services = {"s": Service(load_balancer=ServersLoadBalancer(servers=[Server(url=URL)]))}
    return DynamicConfiguration(
        http=HTTPConfiguration(
            routers={"r": Router(rule="Host(`a`)", service="s")}, services=services
        ),
        sources={"http.routers.r": "container shop-api-1"},
        keys={"http.routers.r": "traefik.http.routers.r"},
        notes={"http.services.s": {"port": "the only exposed port"}},
    )


@pytest.fixture
async def publisher() -> Publisher:
    return Publisher()


@pytest.fixture
async def view(publisher: Publisher) -> View:
    providers = Providers({}, lambda *_: None, publisher.fence)
    warnings = (Diagnostic("warning", "an odd option", key="x"),)
    made = View(STATIC, warnings, [], providers, publisher, Supervisor(1, [], publisher, {}))
    made.runtime = build_runtime(STATIC, {"docker": dynamic()})
    return made


@pytest.fixture
async def client(view: View) -> AsyncIterator[Client]:
    async with TestClient(TestServer(application(view))) as made:
        yield made


async def get(client: Client, path: str) -> Any:
    answer = await client.get(f"/base/api/{path}")
    assert answer.status == 200
    return await answer.json()


async def test_every_path_stands_behind_the_base_path(client: Client) -> None:
    assert (await get(client, "version"))["dashboardName"] == "x"
    assert (await client.get("/api/version")).status == 404


async def test_origin_and_notes(client: Client) -> None:
    router = await get(client, "http/routers/r@docker")
    assert router["edgerouter"] == {
        "source": "container shop-api-1",
        "key": "traefik.http.routers.r",
    }
    service = await get(client, "http/services/s@docker")
    assert service["edgerouter"]["notes"] == {"port": "the only exposed port"}


async def test_a_fenced_server_is_down(client: Client, publisher: Publisher) -> None:
    assert (await get(client, "http/services/s@docker"))["serverStatus"] == {URL: "UP"}
    publisher.fence([URL])
    assert (await get(client, "http/services/s@docker"))["serverStatus"] == {URL: "DOWN"}


async def test_what_workers_cannot_build_is_disabled(client: Client, publisher: Publisher) -> None:
    publisher.errors = {"routers/r@docker": ["no such thing"]}
    router = await get(client, "http/routers/r@docker")
    assert (router["status"], router["error"]) == ("disabled", ["no such thing"])
    assert (await get(client, "overview"))["http"]["routers"]["errors"] == 1


async def test_diagnostics_of_the_start_and_of_the_configuration(client: Client) -> None:
    found = await get(client, "edgerouter/diagnostics")
    assert found[0]["message"] == "an odd option"


async def test_a_worker_that_is_not_there_yet(client: Client) -> None:
    (worker,) = await get(client, "edgerouter/workers")
    assert (worker["pid"], worker["ready"], worker["version"]) == (None, False, 0)


async def test_before_the_first_configuration_lists_are_empty(client: Client, view: View) -> None:
    view.runtime = None
    assert await get(client, "http/routers") == []
    assert await get(client, "rawdata") == {}


async def test_a_failure_is_answered_and_logged(
    client: Client, view: View, caplog: pytest.LogCaptureFixture
) -> None:
    view.runtime = "nonsense"  # type: ignore[assignment]
    answer = await client.get("/base/api/http/routers")
    assert answer.status == 500
    assert "message" in await answer.text()
    assert any(record.exc_info for record in caplog.records)


async def test_names_with_slashes_and_other_letters(client: Client) -> None:
    answer = await client.get("/base/api/http/routers/a%2Fb%20%C3%BC@docker")
    assert answer.status == 404
    assert await answer.text() == '{"message":"router not found: a/b ü@docker"}\n'
