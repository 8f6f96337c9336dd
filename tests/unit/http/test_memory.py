"""What is remembered for texts that clients choose stays small."""

import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from edgerouter.http.canonical import canonical_name
from edgerouter.http.headers import Headers
from edgerouter.http.memory import LONGEST, remembered
from edgerouter.middleware.encodings import Negotiation
from edgerouter.middleware.source_criterion import contains, masked
from edgerouter.proxy.paths import normalise
from edgerouter.routing.matchers.query import parameters
from edgerouter.shared.memory import Shared

HUGE = 40_000
"""Characters of a text as a client may send it: heads may have a megabyte."""
TIMES = 60
MOST = 500_000
"""Bytes that may stay; all texts together have 2,400,000."""


def shared() -> Callable[[str], object]:
    buckets = Shared.create(1).buckets
    return lambda text: buckets.take(text.encode(), 1.0, 1.0, 0.0)


def negotiation() -> Callable[[str], object]:
    chosen = Negotiation(("gzip",), "").chosen
    return lambda text: chosen(Headers([(b"Accept-Encoding", text.encode())]))


REMEMBERING: dict[str, Callable[[], Callable[[str], object]]] = {
    "paths": lambda: lambda text: normalise(f"/%41{text}", sanitise=True),
    "queries": lambda: parameters,
    "keys of limits": shared,
    "addresses": lambda: lambda text: contains([], text),
    "networks": lambda: lambda text: masked(text, 64),
    "names": lambda: lambda text: canonical_name(text.encode()),
    "encodings": negotiation,
}


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("name", REMEMBERING)
def test_long_texts_do_not_stay(name: str) -> None:
    function = REMEMBERING[name]()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(TIMES):
        function(f"{number}-" + "x" * HUGE)
    assert tracemalloc.get_traced_memory()[0] - before < MOST


def test_short_texts_are_worked_out_once() -> None:
    asked = []

    @remembered(10)
    def length(text: str, more: int) -> int:
        asked.append(text)
        return len(text) + more

    assert [length("ab", 1), length("ab", 1), length("ab", 2)] == [3, 3, 4]
    assert len(asked) == 2
    long = "x" * (LONGEST + 1)
    assert [length(long, 1), length(long, 1)] == [LONGEST + 2] * 2
    assert len(asked) == 4
