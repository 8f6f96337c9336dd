"""What a comparison with Traefik cannot show: our own paths, errors of workers, failures."""

import io
import json
import tarfile
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic import DynamicConfiguration, HTTPConfiguration
from edgerouter.config.dynamic.http import Router, Server, ServersLoadBalancer, Service
from edgerouter.config.loader import load_static
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


async def test_the_dashboard_is_a_page_of_our_own_files(client: Client) -> None:
    page = await client.get("/base/dashboard/")
    assert page.status == 200
    text = await page.text()
    for name in ("dashboard.css", "dashboard.js"):
        assert f'"{name}"' in text
        asset = await client.get(f"/base/dashboard/{name}")
        assert asset.status == 200
        assert asset.content_type == {"css": "text/css", "js": "text/javascript"}[name[10:]]
        policy = asset.headers["Content-Security-Policy"]
        assert policy == page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "://" not in await asset.text()
    assert "://" not in text
    assert (await client.get("/base/dashboard/other.js")).status == 404


@pytest.mark.parametrize(
    ("path", "stripped", "location"),
    [
        ("/base/dashboard", "", "/base/dashboard/"),
        ("/base/", "", "/base/dashboard/"),
        ("/", "", "/base/dashboard/"),
        ("/", "/base/dashboard", "/base/dashboard/"),
        ("/", "/admin/", "/admin/base/dashboard/"),
        ("/", "//evil.example", "/base/dashboard/"),
        ("/", "https://evil.example/", "/base/dashboard/"),
    ],
)
async def test_places_above_lead_to_the_dashboard(
    client: Client, path: str, stripped: str, location: str
) -> None:
    headers = {"X-Forwarded-Prefix": stripped}
    answer = await client.get(path, headers=headers, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (302, location)


async def test_the_dashboard_with_its_prefix_stripped(client: Client) -> None:
    headers = {"X-Forwarded-Prefix": "/dashboard/"}
    page = await client.get("/", headers=headers, allow_redirects=False)
    assert (page.status, page.content_type) == (200, "text/html")
    assert (await client.get("/dashboard.js", headers=headers)).status == 200


async def test_there_is_no_dashboard_unless_wanted(view: View) -> None:
    without = {"api": {"basePath": "/base", "dashboard": False}}
    view.configuration = StaticConfiguration.model_validate(without)
    async with TestClient(TestServer(application(view))) as client:
        assert (await client.get("/base/dashboard/")).status == 404
        assert (await client.get("/")).status == 404


async def test_a_support_dump_holds_no_secrets(view: View) -> None:
    flags = (
        *("--entryPoints.web.address=192.0.2.7:80", "--api.basePath=/base"),
        *("--providers.docker.endpoint=tcp://user:password@engine:2375",),
        *("--certificatesResolvers.x.acme.email=me@example.com",),
        *("--certificatesResolvers.x.acme.storage=a.json",),
    )
    view.configuration = load_static(flags, {}).configuration
    async with TestClient(TestServer(application(view))) as client:
        packed = await (await client.get("/base/api/support-dump")).read()
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        files = {name: archive.extractfile(name).read() for name in archive.getnames()}  # type: ignore[union-attr]
    static = json.loads(files["static-config.json"])
    assert static["entryPoints"]["web"]["address"] == "xxxx"
    assert static["certificatesResolvers"]["x"]["acme"]["storage"] == "a.json"
    assert static["providers"]["providersThrottleDuration"] == "2s"
    assert b"password" not in files["static-config.json"]
    assert b"example.com" not in files["static-config.json"]
    assert "r@docker" in json.loads(files["runtime-config.json"])["routers"]
    found = json.loads(files["edgerouter.json"])["diagnostics"]
    assert found[0]["message"] == "an odd option"
