"""Routers whose error pages come from a service."""

from typing import Any

import pytest

from edgerouter.config.decode import decode
from edgerouter.config.labels import decode_mapping
from edgerouter.config.static import StaticConfiguration
from edgerouter.control.runtime import RuntimeConfiguration, build_runtime


def runtime(pages: dict[str, Any] | None, compat: str = "") -> RuntimeConfiguration:
    server = {"loadBalancer": {"servers": [{"url": "http://a:1"}]}}
    http = {
        "routers": {"r": {"rule": "Host(`a`)", "service": "app", "middlewares": ["m"]}},
        "middlewares": {"m": {"errors": {"status": ["500"], "service": "pages"}}},
        "services": {"app": server, **({} if pages is None else {"pages": pages})},
    }
    options = {"entryPoints": {"web": {"address": ":80"}}, "edgerouter": {"compat": compat}}
    static = decode(StaticConfiguration, options).value
    decoded, diagnostics = decode_mapping({"http": http}, "f.yml", "file")
    return build_runtime(static, {"file": decoded}, diagnostics)


def test_the_service_of_the_pages_is_used_by_the_router() -> None:
    found = runtime({"loadBalancer": {"servers": [{"url": "http://b:1"}]}}).http
    assert found.routers["r@file"].status == "enabled"
    assert found.services["pages@file"].used_by == ["r@file"]


def test_pages_that_do_not_exist_disable_the_router() -> None:
    (error,) = runtime(None).http.routers["r@file"].errors
    assert error == 'the middleware "m@file" has no pages: the service "pages@file" does not exist'


def test_pages_that_cannot_be_served_disable_the_router() -> None:
    (error,) = runtime({}).http.routers["r@file"].errors
    assert error.startswith(
        'the middleware "m@file" has no pages: the service "pages@file" is disabled: '
    )


@pytest.mark.parametrize(("compat", "status"), [("", "enabled"), ("traefik", "disabled")])
def test_pages_may_come_from_a_service_that_uses_the_middleware(compat: str, status: str) -> None:
    pages = {"loadBalancer": {"servers": [{"url": "http://b:1"}]}, "middlewares": ["m"]}
    found = runtime(pages, compat).http
    assert found.routers["r@file"].status == status
    assert found.services["pages@file"].status == status
