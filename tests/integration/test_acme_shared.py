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


def test_routers_that_share_a_directory_answer_for_each_other(site: Site, tmp_path: Path) -> None:
    """The CA sees one of them only, and it is the other one that orders."""
    options = flags(site.pebble, site.challenge)
    options["certificatesresolvers.letsencrypt.acme.storage"] = str(tmp_path / "shared/acme.json")
    content = dynamic(a=router_of("a.example.com"))
    seen = edgerouter(tmp_path / "seen", ENTRY_POINTS, options, dynamic())
    seen.ports |= {"web": site.pebble.http_port, "websecure": site.pebble.tls_port}
    with seen, edgerouter(tmp_path / "hidden", ENTRY_POINTS, options, content) as hidden:
        assert settled(hidden) == ["valid"]
        seen.apply(content)
        site.valid("a.example.com")
    text = (tmp_path / "pebble/pebble.log").read_text()
    assert text.count("Added order") == 1
