"""The whole router on a real engine: a process that sees the containers of this run only."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import unavailable
from tests.support.docker.engine import RUN_LABEL, EngineUnavailable, run_script
from tests.support.edgerouter_process import edgerouter
from tests.support.router_process import RouterProcess

QUICK = {"providers.providersThrottleDuration": "100ms"}
IMAGE = "edgerouter:latest"


@pytest.fixture(scope="session")
def product_image(docker_host: str) -> str:
    """The image of the Dockerfile, built anew."""
    try:
        run_script("image.sh", IMAGE, host=docker_host, timeout=540)
    except EngineUnavailable as error:
        unavailable(error)
    return IMAGE


@pytest.fixture(scope="session")
def docker_flags(docker_host: str, run_id: str) -> dict[str, str]:
    """Flags of a router with the Docker provider; routes of what is gone do not stay for long."""
    return {
        "providers.docker": "true",
        "providers.docker.endpoint": docker_host,
        "providers.docker.constraints": f"Label(`{RUN_LABEL}`,`{run_id}`)",
        "edgerouter.workers": "2",
        "edgerouter.turnover.hold": "200ms",
    }


@pytest.fixture(scope="module")
def quick_router(
    docker_flags: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RouterProcess]:
    """One router for the tests of a module, which does not pause between configurations."""
    directory = tmp_path_factory.mktemp("router")
    with edgerouter(directory, ["web"], docker_flags | QUICK, {}) as router:
        yield router


@pytest.fixture
def router_with(docker_flags: dict[str, str], tmp_path: Path) -> Callable[..., RouterProcess]:
    """`with router_with({...flags}) as router:` starts one with the defaults otherwise."""

    def make(flags: dict[str, str] | None = None) -> RouterProcess:
        return edgerouter(tmp_path, ["web"], docker_flags | (flags or {}), {})

    return make
