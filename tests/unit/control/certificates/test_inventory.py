"""What the API shows of certificates."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from edgerouter.acme.keys import facts_of
from edgerouter.acme.manager import Managed
from edgerouter.acme.plan import Wish
from edgerouter.acme.storage import Stored
from edgerouter.control.certificates.inventory import Inventory, described, planned
from edgerouter.control.tls.source import Demand
from tests.support.certificates import make_certificate

# A certificate and what Traefik 3.7.15 shows of it at /api/certificates.
CHAIN = """-----BEGIN CERTIFICATE-----
MIIB0zCCAXqgAwIBAgIUekYkDu4txo+vWmeGkQdCcI+Ky6YwCgYIKoZIzj0EAwIw
JjEWMBQGA1UEAwwNYS5leGFtcGxlLmNvbTEMMAoGA1UECgwDT3JnMB4XDTI2MTEy
NDAzMjMzOVoXDTI2MTIyNDAzMjMzOVowJjEWMBQGA1UEAwwNYS5leGFtcGxlLmNv
bTEMMAoGA1UECgwDT3JnMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEK8+l48bH
jn0yu3TU2QVGUc3HEL0sS5m4QzlFshtt1oAth0LOCHnvEpRbEYsKuEJuu7grEydq
YbdPseAEerm5h6OBhTCBgjAdBgNVHQ4EFgQUndQDg5LzW/5s0RPSlM3YcRct7how
HwYDVR0jBBgwFoAUndQDg5LzW/5s0RPSlM3YcRct7howDwYDVR0TAQH/BAUwAwEB
/zAvBgNVHREEKDAmgg1hLmV4YW1wbGUuY29tgg8qLmIuZXhhbXBsZS5jb22HBAoA
AAEwCgYIKoZIzj0EAwIDRwAwRAIgacrswwocF5y7Ry9vM9NivwgSg58kyanVv7pJ
MbJdO40CIBDPBWvSujllmxrwe8GWloyR7vOS2nATK+aO+GlWXu7l
-----END CERTIFICATE-----
"""
SHOWN = {
    "name": "5277fec58d2cda58eba2cbb334db00e4085120b128e98f80b738429a6b571784",
    "sans": ["*.b.example.com", "10.0.0.1", "a.example.com"],
    "notAfter": "2026-12-24T03:23:39Z",
    "notBefore": "2026-11-24T03:23:39Z",
    "serialNumber": "698061067327246189494810796811562316809512864678",
    "commonName": "a.example.com",
    "issuerOrg": "Org",
    "issuerCN": "a.example.com",
    "organization": "Org",
    "version": "v3",
    "keyType": "ECDSA",
    "keySize": 256,
    "signatureAlgorithm": "ECDSA-SHA256",
    "certFingerprint": "5277fec58d2cda58eba2cbb334db00e4085120b128e98f80b738429a6b571784",
    "publicKeyFingerprint": "f2c008d70c61debc161471b5fe12c44f75331ca6ef8949c967229ddff20c30f8",
}


def test_as_traefik_shows_it() -> None:
    found = described(CHAIN)
    assert found == SHOWN


def served(*, as_traefik: bool = False, **options: float) -> Inventory:
    start = datetime.now(UTC) - timedelta(days=options.pop("age", 0))
    issued = make_certificate(["a.org"], start=start, days=options["days"])
    inventory = Inventory(None, {}, as_traefik=as_traefik)
    inventory.served = [{"certificate": issued.chain, "origin": "/certs/a.pem"}]
    return inventory


@pytest.mark.parametrize(
    ("age", "days", "status"),
    [
        (1, 90, "enabled"),
        (61, 90, "warning"),
        (59, 90, "enabled"),
        (340, 365, "warning"),
        (1, 7, "enabled"),
        (5, 7, "warning"),
        (8, 7, "expired"),
    ],
)
def test_status(age: float, days: float, status: str) -> None:
    (item,) = served(age=age, days=days).items()
    assert item["status"] == status
    assert item["edgerouter"] == {"origin": "/certs/a.pem"}


def test_status_as_traefik() -> None:
    (item,) = served(as_traefik=True, age=1, days=7).items()
    assert item["status"] == "warning"


def test_what_is_wrong_with_files() -> None:
    inventory = served(days=90)
    inventory.served = [{**inventory.served[0], "reason": "the file is gone"}]
    (item,) = inventory.items()
    assert item["status"] == "enabled"
    assert item["edgerouter"] == {
        "origin": "/certs/a.pem",
        "state": "failing",
        "reason": "the file is gone",
    }


def test_one_by_its_fingerprint() -> None:
    inventory = served(days=90)
    (item,) = inventory.items()
    assert inventory.item(item["name"]) == item
    assert inventory.item("other") is None


def test_what_cannot_be_read_is_left_out() -> None:
    inventory = Inventory(None, {})
    inventory.served = [{"certificate": "x", "origin": "x"}]
    assert inventory.items() == []


def test_what_a_resolver_refuses() -> None:
    inventory = Inventory(None, {})
    inventory.refused = [(Demand("le", "*.a.org", ("a.org",), ("a@file",)), "why")]
    assert inventory.plans() == [
        {
            "resolver": "le",
            "names": ["*.a.org", "a.org"],
            "routers": ["a@file"],
            "state": "failing",
            "reason": "why",
        }
    ]


def test_a_plan_tells_that_its_certificate_is_revoked() -> None:
    issued = make_certificate(["a.org"])
    facts = facts_of(issued.chain)
    managed = Managed(Wish("le", ("a.org",)))
    assert "revoked" not in planned(managed)
    managed.stored = Stored("le", ("a.org",), issued.chain, issued.key, facts)
    assert "revoked" not in planned(managed)
    managed.stored = replace(managed.stored, revoked=True)
    assert planned(managed)["revoked"] is True


def test_resolvers_that_cannot_be_used() -> None:
    assert Inventory(None, {"le": "why"}).plans() == [
        {"resolver": "le", "names": [], "state": "failing", "reason": "why"}
    ]
