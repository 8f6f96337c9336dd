"""One Traefik and one edgerouter for all cases, behind the same upstreams."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.oracle.case import Case, Normaliser, Outcome
from tests.oracle.setup import ENTRYPOINTS, dynamic, flags, upstreams
from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.router_process import RouterProcess
from tests.support.traefik import traefik


class Subject:
    """A running router and the way its answers are made comparable."""

    def __init__(self, process: RouterProcess, echo: EchoServer) -> None:
        self.process = process
        self._echo = echo
        self._normaliser = Normaliser(echo.ports, process.ports)

    def ask(self, case: Case) -> Outcome:
        """Return what is comparable: the answers, and how often servers were asked."""
        asked = self._echo.asked
        answers = case.run(self.process.ports[case.entrypoint])
        outcome = self._normaliser.outcome(answers, case.parts[0])
        if case.is_counted:
            outcome[0]["asked"] = self._echo.asked - asked
        return outcome


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.oracle)


@pytest.fixture(scope="session")
def echo() -> Iterator[EchoServer]:
    with EchoServer(upstreams()) as server:
        yield server


@pytest.fixture(scope="session")
def configuration(echo: EchoServer) -> dict[str, object]:
    return dynamic(echo.ports)


@pytest.fixture(scope="session")
def theirs(
    echo: EchoServer, configuration: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Subject]:
    """The real Traefik."""
    directory = tmp_path_factory.mktemp("traefik")
    with traefik(directory, list(ENTRYPOINTS), flags(), configuration) as process:
        yield Subject(process, echo)


@pytest.fixture(scope="session")
def ours(
    echo: EchoServer, configuration: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Subject]:
    """edgerouter."""
    directory = tmp_path_factory.mktemp("edgerouter")
    with edgerouter(directory, list(ENTRYPOINTS), flags(), configuration) as process:
        yield Subject(process, echo)
