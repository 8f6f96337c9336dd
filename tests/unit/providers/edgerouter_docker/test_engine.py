from pathlib import Path

import pytest

from edgerouter_docker.engine import Engine, EngineUnavailable, endpoint_of
from edgerouter_docker.options import Options


def test_docker_host_counts_when_no_endpoint_is_set() -> None:
    environment = {"DOCKER_HOST": "tcp://far:2375"}
    assert endpoint_of(Options(), environment) == "tcp://far:2375"
    assert endpoint_of(Options(), {}) == "unix:///var/run/docker.sock"
    chosen = Options(endpoint="unix:///run/mine.sock")
    assert endpoint_of(chosen, environment) == "unix:///run/mine.sock"


def test_missing_socket_says_what_to_do(tmp_path: Path) -> None:
    engine = Engine(Options(endpoint=f"unix://{tmp_path}/docker.sock"))
    with pytest.raises(EngineUnavailable) as error:
        engine.connect()
    assert "No such file or directory; is the socket mounted" in str(error.value)
    engine.close()


@pytest.mark.parametrize("endpoint", ["tcp://", "ftp://x:1", "ssh://host/path", "tcp://nowhere"])
def test_malformed_endpoints_are_named(endpoint: str) -> None:
    engine = Engine(Options(endpoint=endpoint))
    with pytest.raises(EngineUnavailable, match=endpoint):
        engine.connect()
    engine.close()


def test_unconnected_engine() -> None:
    with pytest.raises(EngineUnavailable, match="not connected"):
        Engine(Options(endpoint="unix:///x")).list()
