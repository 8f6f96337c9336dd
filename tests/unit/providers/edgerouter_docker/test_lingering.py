from dataclasses import replace

import pytest

from edgerouter.config.dynamic import DynamicConfiguration
from edgerouter.config.dynamic.http import HTTPConfiguration, Router, Service
from edgerouter_docker.inventory import Container
from edgerouter_docker.lingering import GONE, Lingering, is_replaced, names_of

API = Container("1", "shop-api-1", started_at="1")
PLACE = {"com.docker.compose.project": "shop", "com.docker.compose.service": "api"}


@pytest.mark.parametrize(
    "after", [None, replace(API, status="exited"), replace(API, status="dead")]
)
def test_what_is_gone_stays_for_its_time(after: Container | None) -> None:
    lingering = Lingering(10)
    lingering.note(API, after, now=100)
    assert lingering.containers == {"1": replace(API, status=GONE)}
    assert lingering.next_deadline == 110
    assert not lingering.expire(109.9)
    assert lingering.expire(110)
    assert lingering.containers == {}
    assert lingering.next_deadline is None


def test_what_starts_again_does_not_linger() -> None:
    lingering = Lingering(10)
    lingering.note(API, replace(API, status="exited"), now=100)
    lingering.note(replace(API, status="exited"), replace(API, started_at="2"), now=101)
    assert lingering.containers == {}


def test_what_never_ran_does_not_linger() -> None:
    lingering = Lingering(10)
    lingering.note(None, replace(API, status="created"), now=100)
    lingering.note(replace(API, status="created"), None, now=101)
    assert lingering.containers == {}


def test_nothing_lingers_without_a_time() -> None:
    lingering = Lingering(0)
    lingering.note(API, None, now=100)
    assert lingering.containers == {}


def test_who_takes_a_place() -> None:
    other = Container("2", "other")
    assert not is_replaced(API, [other])
    assert not is_replaced(API, [replace(other, name=API.name, status="created")])
    assert is_replaced(API, [other, replace(other, name=API.name)])
    gone = replace(API, labels=PLACE)
    assert is_replaced(gone, [replace(other, labels=PLACE)])
    assert not is_replaced(gone, [replace(other, labels={**PLACE, next(iter(PLACE)): "blog"})])


def test_names() -> None:
    assert names_of(None) == frozenset()
    http = HTTPConfiguration(routers={"r": Router()}, services={"s": Service()})
    assert names_of(DynamicConfiguration(http=http)) == {"http.routers.r", "http.services.s"}
