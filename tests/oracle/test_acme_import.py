"""The ``acme.json`` that the real Traefik writes: everything in it is taken over."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_acme_end_to_end import ENTRY_POINTS, Site, dynamic, flags, router_of
from tests.support.eventually import eventually
from tests.support.traefik import traefik

ACME = "certificatesresolvers.letsencrypt.acme"
HOSTS = ("a.example.com", "b.example.com", "c.example.com")
ROUTERS = {
    "a": router_of("a.example.com"),
    "b": {**router_of(""), "rule": "Host(`b.example.com`) || Host(`c.example.com`)"},
}
CONTENT = dynamic(**ROUTERS)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.pebble.stop()


def serials(site: Site) -> list[str]:
    return [site.valid(host, within=40).serial for host in HOSTS]


@pytest.mark.timeout(180)
def test_nothing_is_ordered_again(site: Site) -> None:
    file = site.directory / "acme.json"
    options = {
        name: value
        for name, value in flags(site.pebble).items()
        if not name.startswith(("edgerouter.", f"{ACME}.storage"))
    }
    theirs = traefik(
        site.directory / "traefik", ENTRY_POINTS, options | {f"{ACME}.storage": str(file)}, CONTENT
    )
    theirs.ports["web"] = site.pebble.http_port
    theirs.ports["websecure"] = site.pebble.tls_port
    with theirs:
        expected = serials(site)
    orders, accounts = (site.pebble.count(text) for text in ("Added order", "accounts in memory"))
    assert orders == 2
    good = file.read_text()

    file.write_text(good[:-30])
    storage = {f"{ACME}.storage": str(file)}
    with site.router(CONTENT, storage) as ours:
        # The resolver, and what its routers want.
        plans = eventually(
            lambda: ours.get("/api/edgerouter/certificates"), lambda plans: len(plans) == 3
        )
        assert {plan["state"] for plan in plans} == {"failing"}
        assert all(f"{file} is no JSON" in plan["reason"] for plan in plans)
    assert site.pebble.count("Added order") == orders, "nothing is ordered without it"

    file.write_text(good)
    with site.router(CONTENT, storage) as ours:
        assert serials(site) == expected
        plans = eventually(
            lambda: ours.get("/api/edgerouter/certificates"),
            lambda plans: {plan["state"] for plan in plans} == {"valid"},
        )
        assert [plan["names"] for plan in plans] == [["a.example.com"], list(HOSTS[1:])]
        # One more, with the account that was taken over.
        ours.apply(dynamic(**ROUTERS, d=router_of("d.example.com")))
        site.valid("d.example.com", within=40)
    assert site.pebble.count("Added order") == orders + 1
    assert site.pebble.count("accounts in memory") == accounts
