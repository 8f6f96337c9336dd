"""What makes certificates, put together."""

from pathlib import Path
from typing import Any

import pytest

from edgerouter.config.static import StaticConfiguration
from edgerouter.control.certificates.service import Certificates
from edgerouter.control.publisher import Publisher


def make(tmp_path: Path, resolvers: dict[str, Any], **own: Any) -> Certificates:
    for acme in resolvers.values():
        acme.setdefault("storage", str(tmp_path / "acme.json"))
    configuration = StaticConfiguration.model_validate(
        {
            "certificatesResolvers": {name: {"acme": acme} for name, acme in resolvers.items()},
            "edgerouter": {"internalCA": {"storage": str(tmp_path / "ca")}, **own},
        }
    )
    return Certificates(configuration, Publisher())


def test_without_resolvers_nothing_is_touched(tmp_path: Path) -> None:
    made = make(tmp_path, {})
    assert made.acme is None
    assert len(made.sources) == 1
    assert made.inventory.plans() == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("acme", "reason"),
    [
        ({}, "needs exactly one of httpChallenge, tlsChallenge, dnsChallenge, it has none"),
        (
            {"tlsChallenge": {}, "httpChallenge": {"entryPoint": "web"}},
            "it has httpChallenge and tlsChallenge",
        ),
        (
            {"dnsChallenge": {"provider": "cloudfare"}},
            'acme.dnsChallenge: the DNS provider "cloudfare" is not known',
        ),
        ({"tlsChallenge": {}, "storage": "/dev/null/acme"}, "acme.storage: /dev/null/acme"),
    ],
)
def test_a_resolver_that_cannot_be_used_leaves_the_others(
    tmp_path: Path, acme: dict[str, Any], reason: str
) -> None:
    made = make(tmp_path, {"bad": acme, "good": {"tlsChallenge": {}}})
    (plan,) = made.inventory.plans()
    assert (plan["resolver"], plan["state"]) == ("bad", "failing")
    assert reason in plan["reason"]
    assert made.acme is not None
    assert list(made.acme.manager.resolvers) == ["good"]


async def test_certificates_on_demand(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    off = make(tmp_path, {"le": {"tlsChallenge": {}}})
    assert await off.on_demand("a.org") == "there are no certificates on demand"
    unknown = make(tmp_path, {}, onDemand={"resolver": "le"})
    assert await unknown.on_demand("a.org") == "there are no certificates on demand"
    assert "the resolver is not there" in caplog.text
    on = make(tmp_path, {"le": {"tlsChallenge": {}}}, onDemand={"resolver": "le"})
    assert await on.on_demand("a.org") == "it is none of edgerouter.onDemand.hosts"


async def test_the_internal_ca_certifies_on_demand_and_uses_are_noted_if_allowed(
    tmp_path: Path,
) -> None:
    made = make(
        tmp_path,
        {},
        certificatesResolvers={"intern": {"internal": {}}},
        onDemand={"resolver": "intern", "hosts": ["*.lan"]},
    )
    (source,) = made.sources

    def snapshot() -> None:
        source.challenges()
        source.demand([])

    source.on_change(snapshot)
    assert await made.on_demand("new.lan") == ""
    assert [each.names for each in source.certificates()] == [("new.lan",)]
    used: list[str] = []
    made._note_use = used.append
    await made.used_on_demand("new.lan")
    await made.used_on_demand("other.org")
    assert used == ["new.lan"]
