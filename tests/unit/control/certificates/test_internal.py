"""The internal CA as a source of certificates."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edgerouter.config.static import StaticConfiguration
from edgerouter.control.certificates import internal
from edgerouter.control.certificates.internal import DEFAULT_NAMES, InternalSource
from edgerouter.control.tls.source import Demand
from edgerouter.tls.names import ascii_name, is_local


class Bench:
    def __init__(self, tmp_path: Path, **own: Any) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.changes = 0
        internal = {"storage": str(tmp_path / "ca"), **own.pop("internalCA", {})}
        resolvers = {"le": {"acme": {"tlsChallenge": {}}}}
        configuration = StaticConfiguration.model_validate(
            {"edgerouter": {"internalCA": internal, **own}, "certificatesResolvers": resolvers}
        )
        self.source = InternalSource(configuration, lambda: self.now)
        self.source.on_change(self.count)

    def count(self) -> None:
        self.changes += 1

    async def names(self, *demands: Demand) -> list[tuple[str, ...]]:
        self.source.demand(demands)
        await self.source.look()
        return [each.names for each in self.source.certificates()]


async def test_who_gets_one(tmp_path: Path) -> None:
    bench = Bench(tmp_path, certificatesResolvers={"intern": {"internal": {}}})
    assert await bench.names() == []
    assert bench.source.default() is None, "nobody uses TLS"
    found = await bench.names(
        Demand("", "a.example.com", ("b.example.com",)),
        Demand("intern", "c.example.com"),
        Demand("le", "d.example.com"),
        Demand("le", "e.localhost"),
        Demand("unknown", "f.example.com"),
    )
    assert found == [("a.example.com", "b.example.com"), ("c.example.com",), ("e.localhost",)]
    default = bench.source.default()
    assert default is not None
    assert default.names == DEFAULT_NAMES


@pytest.mark.parametrize("own", [{"compat": "traefik"}, {"internalCA": {"enabled": False}}])
async def test_switched_off_it_is_for_its_own_resolvers_only(
    tmp_path: Path, own: dict[str, Any]
) -> None:
    bench = Bench(tmp_path, certificatesResolvers={"intern": {"internal": {}}}, **own)
    found = await bench.names(
        Demand("", "a.example.com"), Demand("intern", "b.example.com"), Demand("le", "c.localhost")
    )
    assert found == [("b.example.com",)]
    assert bench.source.default() is None


async def test_renewed_at_half_of_the_lifetime_and_forgotten(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    demand = Demand("", "a.example.com")
    await bench.names(demand)
    (first,) = bench.source.certificates()
    bench.now += timedelta(days=3)
    await bench.names(demand)
    assert bench.source.certificates() == [first]
    assert bench.changes == 1
    bench.now += timedelta(days=1)
    await bench.names(demand)
    (second,) = bench.source.certificates()
    assert second.chain_pem != first.chain_pem
    assert await bench.names() == []
    assert bench.changes == 3


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("localhost", True),
        ("a.b.localhost", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("notlocalhost", False),
        ("localhost.example.com", False),
    ],
)
def test_local_names(name: str, local: bool) -> None:
    assert is_local(name) is local


def test_names_in_other_scripts() -> None:
    assert ascii_name("bücher.example") == "xn--bcher-kva.example"
    assert ascii_name("*.bücher.example") == "*.xn--bcher-kva.example"
    assert ascii_name("*.a.example") == "*.a.example"
    assert ascii_name("ä" * 80) == "ä" * 80


async def test_names_on_demand_stay_while_they_are_used(tmp_path: Path) -> None:
    bench = Bench(tmp_path, certificatesResolvers={"intern": {"internal": {}}})

    def snapshot() -> None:
        bench.source.challenges()
        bench.source.demand([])

    bench.source.on_change(snapshot)
    assert await bench.source.obtain("new.lan") == ""
    assert await bench.names() == [("new.lan",)]
    bench.now += timedelta(days=29)
    bench.source.used("new.lan")
    bench.source.used("other.lan")
    bench.now += timedelta(days=29)
    assert await bench.names() == [("new.lan",)]
    bench.now += timedelta(days=2)
    assert await bench.names() == []


async def test_names_on_demand_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wildcards allow any number; the one that was used last goes last."""
    monkeypatch.setattr(internal, "MAX_ON_DEMAND", 3)
    bench = Bench(tmp_path, certificatesResolvers={"intern": {"internal": {}}})

    def snapshot() -> None:
        bench.source.challenges()
        bench.source.demand([])

    bench.source.on_change(snapshot)
    for number in range(3):
        await bench.source.obtain(f"n{number}.lan")
        bench.now += timedelta(seconds=1)
    bench.source.used("n0.lan")
    bench.now += timedelta(seconds=1)
    await bench.source.obtain("n3.lan")
    await bench.source.obtain("n3.lan")
    assert await bench.names() == [("n0.lan",), ("n2.lan",), ("n3.lan",)]


async def test_the_root_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.names(Demand("", "a.example.com"))
    answer = await bench.source.root({})
    assert answer["root"] == (tmp_path / "ca/root.pem").read_text()
    assert answer["storage"] == str(tmp_path / "ca")
    off = Bench(tmp_path, internalCA={"enabled": False})
    assert "the internal CA is off" in (await off.source.root({}))["error"]
