from dataclasses import replace

import pytest

from edgerouter_docker.draining import Draining, find
from edgerouter_docker.inventory import Container

ONE = Container("aaaa1111", "shop-web-1", started_at="1")
TWO = Container("bbbb2222", "shop-web-2", started_at="1")
OTHER = Container("cccc3333", "blog-web-1", started_at="1")


@pytest.mark.parametrize("name", ["shop-web-1", "aaaa1111", "aaaa", "aaaa11"])
def test_names_of_one(name: str) -> None:
    assert find(name, [TWO, OTHER, ONE]) is ONE


def test_the_end_of_a_name() -> None:
    assert find("web-2", [ONE, TWO, OTHER]) is TWO
    with pytest.raises(LookupError, match="web-1 may be any of blog-web-1, shop-web-1"):
        find("web-1", [ONE, TWO, OTHER])


@pytest.mark.parametrize("name", ["aaa", "eb-1", "", "web"])
def test_names_of_nobody(name: str) -> None:
    with pytest.raises(LookupError, match="no running container is called"):
        find(name, [ONE, TWO])


def test_what_does_not_run_is_not_found() -> None:
    with pytest.raises(LookupError):
        find(ONE.name, [replace(ONE, status="exited")])


def test_a_drain_ends_by_order_by_a_start_and_with_the_container() -> None:
    servers = {ONE.id: ["http://1"], TWO.id: ["http://2"]}
    for end in (None, replace(ONE, started_at="2")):
        draining = Draining()
        draining.set(ONE, is_drained=True)
        draining.note(ONE.id, replace(ONE, name="renamed"))
        draining.note(TWO.id, None)
        assert draining.urls(servers) == {"http://1"}
        assert draining.names({ONE.id: ONE, TWO.id: TWO}) == ["shop-web-1"]
        draining.note(ONE.id, end)
        assert draining.urls(servers) == frozenset()
    draining.set(ONE, is_drained=True)
    draining.set(ONE, is_drained=False)
    assert draining.urls(servers) == frozenset()
