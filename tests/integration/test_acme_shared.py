"""Several orders and several routers at once, with a real Pebble."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_acme_end_to_end import (
    ENTRY_POINTS,
    Site,
    dynamic,
    flags,
    router_of,
)
from tests.support.edgerouter_process import edgerouter
from tests.support.eventually import eventually
from tests.support.router_process import RouterProcess

ACME = "certificatesresolvers.letsencrypt.acme"


@pytest.fixture(params=["httpchallenge", "tlschallenge"])
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    made = Site(tmp_path, request.param)
    yield made
    made.pebble.stop()


def settled(router: RouterProcess) -> list[str]:
    """Return what has become of the certificates once nothing is under way."""

    def states() -> list[str]:
        plans = router.get("/api/edgerouter/certificates")
        return [f"{plan['state']} {plan.get('reason', '')}".strip() for plan in plans]

    def are_settled(found: list[str]) -> bool:
        return bool(found) and not any(text.startswith(("waiting", "ordering")) for text in found)

    return eventually(states, are_settled, within=40)


def test_orders_at_once_for_sets_that_overlap(site: Site) -> None:
    routers: dict[str, Any] = {
        f"r{number}": {
            **router_of("x"),
            "rule": f"Host(`shared.example.com`) || Host(`n{number}.example.com`)",
        }
        for number in range(6)
    }
    with site.router(dynamic(**routers)) as router:
        assert settled(router) == ["valid"] * 6


def shared(site: Site) -> dict[str, str]:
    storage = str(site.directory / "shared/acme.json")
    return flags(site.pebble, site.challenge) | {f"{ACME}.storage": storage}


def test_a_router_goes_on_with_the_order_of_one_that_was_killed(site: Site, tmp_path: Path) -> None:
    options = shared(site)
    delayed = options | {f"{ACME}.{site.challenge}.delay": "20s"}
    content = dynamic(a=router_of("a.example.com"))
    second = edgerouter(tmp_path / "second", ENTRY_POINTS, options, dynamic())
    second.ports |= {"web": site.pebble.http_port, "websecure": site.pebble.tls_port}
    order = tmp_path / "shared/acme.json.d/letsencrypt/certificates/a.example.com/order.json"
    with second, edgerouter(tmp_path / "first", ENTRY_POINTS, delayed, content) as first:
        eventually(order.exists, bool)
        second.apply(content)
        eventually(
            lambda: second.get("/api/edgerouter/certificates"),
            lambda plans: plans and "another process orders it" in plans[0].get("reason", ""),
        )
        first.kill()
        site.valid("a.example.com")
    assert site.pebble.count("Added order") == 1


def test_routers_that_share_a_directory_answer_for_each_other(site: Site, tmp_path: Path) -> None:
    """The CA sees one of them only, and it is the other one that orders."""
    options = shared(site)
    content = dynamic(a=router_of("a.example.com"))
    seen = edgerouter(tmp_path / "seen", ENTRY_POINTS, options, dynamic())
    seen.ports |= {"web": site.pebble.http_port, "websecure": site.pebble.tls_port}
    with seen, edgerouter(tmp_path / "hidden", ENTRY_POINTS, options, content) as hidden:
        assert settled(hidden) == ["valid"]
        seen.apply(content)
        site.valid("a.example.com")
    assert site.pebble.count("Added order") == 1
