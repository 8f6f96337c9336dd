"""Fixtures for all tests: the Docker Engine and what runs on it, hypothesis profiles.

A test that asks for a Docker fixture is marked `docker`. Without an engine it is skipped with the
reason; under CI (`CI=true`) it fails, so that a green run never hides a missing engine.
"""

import os
import uuid
from collections.abc import Callable, Iterator
from typing import NoReturn

import docker
import hypothesis
import pytest
from docker.models.containers import Container
from docker.models.networks import Network

from tests.support.docker.engine import (
    WHOAMI_IMAGE,
    Engine,
    EngineUnavailable,
    Fleet,
    run_script,
    sweep,
)

hypothesis.settings.register_profile("fast", max_examples=50, deadline=None)
hypothesis.settings.register_profile("deep", max_examples=2000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in the same hook.
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that need an engine, and say which tests run one after the other (pytest-xdist).

    All that share the engine do, as some restart it; and those of one module, for its fixtures.
    """
    for item in items:
        group = str(item.path)
        if "docker_engine" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.docker)
            group = "docker"
        item.add_marker(pytest.mark.xdist_group(group))


def unavailable(reason: object) -> NoReturn:
    """Skip the test, or fail it under CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI has no Docker Engine for this test: {reason}")
    pytest.skip(f"no Docker Engine: {reason}")


@pytest.fixture(scope="session")
def docker_engine() -> Engine:
    """The private engine, running; it is left running for the next session."""
    engine = Engine()
    try:
        engine.start()
    except EngineUnavailable as error:
        unavailable(error)
    return engine


@pytest.fixture(scope="session")
def docker_host(docker_engine: Engine) -> str:
    """The engine's address, as in DOCKER_HOST."""
    return docker_engine.host


@pytest.fixture(scope="session")
def run_id() -> str:
    """A short identifier of this session, part of all names on the engine."""
    return uuid.uuid4().hex[:8]


@pytest.fixture(scope="session")
def docker_client(docker_host: str, run_id: str) -> Iterator[docker.DockerClient]:
    client = docker.DockerClient(base_url=docker_host, version="auto")
    yield client
    sweep(client, run_id)
    client.close()


@pytest.fixture(scope="session")
def whoami_image(docker_host: str) -> str:
    """A backend image that answers with the request it got (tests/support/docker/whoami)."""
    try:
        run_script("whoami-image.sh", WHOAMI_IMAGE, host=docker_host)
    except EngineUnavailable as error:
        unavailable(error)
    return WHOAMI_IMAGE


@pytest.fixture
def fleet(docker_client: docker.DockerClient, whoami_image: str, run_id: str) -> Iterator[Fleet]:
    """The containers and networks of one test, removed afterwards."""
    del whoami_image  # Needed to be there, not to be named.
    fleet = Fleet(docker_client, run_id)
    yield fleet
    fleet.close()


@pytest.fixture
def run_container(fleet: Fleet) -> Callable[..., Container]:
    """`run_container(labels=..., network=..., health=..., name=...)`, see `Fleet.run_container`."""
    return fleet.run_container


@pytest.fixture
def network(fleet: Fleet) -> Callable[..., Network]:
    """`network(name=..., internal=True)`, see `Fleet.network`."""
    return fleet.network


@pytest.fixture
def restart_daemon(docker_engine: Engine) -> Iterator[Callable[..., None]]:
    """`restart_daemon(kill=False)`; whatever the test does, the engine runs afterwards."""
    if not docker_engine.private:
        pytest.skip("the engine belongs to the user and must not be restarted")
    yield docker_engine.restart
    docker_engine.start()
