"""What makes certificates, put together."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edgerouter.acme.keys import facts_of
from edgerouter.acme.storage import Storage
from edgerouter.config.static import StaticConfiguration
from edgerouter.control.certificates.service import Certificates
from edgerouter.control.publisher import Publisher
from edgerouter.control.tls.source import Demand
from edgerouter.provider import ProviderUnavailable
from tests.support.certificates import make_certificate
from tests.support.data_plane import until


def make(tmp_path: Path, resolvers: dict[str, Any], **own: Any) -> Certificates:
    for acme in resolvers.values():
        acme.setdefault("storage", str(tmp_path / "acme.json"))
        acme.setdefault("caServer", "https://127.0.0.1:9/nobody")
    configuration = StaticConfiguration.model_validate(
        {
            "entryPoints": {"web": {"address": ":80"}},
            "certificatesResolvers": {name: {"acme": acme} for name, acme in resolvers.items()},
            "edgerouter": {"internalCA": {"storage": str(tmp_path / "ca")}, **own},
        }
    )
    return Certificates(configuration, Publisher())


@asynccontextmanager
async def running(made: Certificates) -> AsyncIterator[None]:
    """Run the ACME resolvers; their storages have been opened."""
    assert made.acme is not None
    task = asyncio.create_task(made.acme.run())
    async with asyncio.timeout(10):
        await made.loaded()
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


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
        (
            {"tlsChallenge": {}, "certificatesDuration": 0},
            "certificatesResolvers.bad.acme.certificatesDuration is 0; write the hours",
        ),
        (
            {"tlsChallenge": {"delay": "-2s"}},
            "certificatesResolvers.bad.acme.tlsChallenge.delay is -2 s; write a time that is not",
        ),
        (
            {"tlsChallenge": {}, "clientTimeout": -1},
            "certificatesResolvers.bad.acme.clientTimeout is -1 s",
        ),
        (
            {"httpChallenge": {}},
            "bad.acme.httpChallenge.entryPoint is missing; name the entry point that the",
        ),
        (
            {"httpChallenge": {"entryPoint": "wep"}},
            'bad.acme.httpChallenge.entryPoint: there is no entry point "wep"; did you mean "web"?',
        ),
    ],
)
async def test_a_resolver_that_cannot_be_used_leaves_the_others(
    tmp_path: Path, acme: dict[str, Any], reason: str
) -> None:
    made = make(tmp_path, {"bad": acme, "good": {"tlsChallenge": {}}})
    async with running(made):
        (plan,) = made.inventory.plans()
        assert (plan["resolver"], plan["state"]) == ("bad", "failing")
        assert reason in plan["reason"]
        assert made.acme is not None
        assert list(made.acme.manager.resolvers) == ["good"]


def test_routers_of_a_resolver_that_cannot_be_used_say_so(tmp_path: Path) -> None:
    made = make(tmp_path, {"bad": {}, "good": {"tlsChallenge": {}}})
    assert made.acme is not None
    refusal = made.acme.refusal(Demand("bad", "a.org", (), ("a@docker",)))
    assert (
        'the certificate resolver "bad" cannot be used: certificatesResolvers.bad.acme' in refusal
    )
    assert made.acme.refusal(Demand("good", "a.org")) == ""
    assert made.acme.refusal(Demand("bad", "localhost")) == "", "it is the internal CA's"


async def test_nothing_is_ordered_while_an_acme_json_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgerouter.control.certificates.acme.REOPEN", 0.01)
    good = json.dumps({"le": {"Account": None, "Certificates": [entry("a.org")]}})
    (tmp_path / "acme.json").write_text(good[:-20])
    made = make(tmp_path, {"le": {"tlsChallenge": {}}})
    assert made.acme is not None
    changed = asyncio.Event()
    made.acme.on_change(changed.set)
    async with running(made):
        made.acme.demand([Demand("le", "a.org", (), ("a@docker",))])
        (plan,) = made.inventory.plans()
        assert (plan["resolver"], plan["state"]) == ("le", "failing")
        assert "acme.json is no JSON" in plan["reason"]
        assert "repair the file or empty it" in plan["reason"]
        assert made.acme.certificates() == []
        assert "certificatesResolvers.le" in {each.key for each in made.inventory.problems()}

        changed.clear()  # It was set for the routers that say so.
        (tmp_path / "acme.json").write_text(good)
        async with asyncio.timeout(10):
            await changed.wait()
        assert [each.names for each in made.acme.certificates()] == [("a.org",)]
        assert "acme.json" not in str(made.inventory.plans())
        assert "certificatesResolvers.le" not in {each.key for each in made.inventory.problems()}


async def test_an_acme_json_is_taken_over_once(tmp_path: Path) -> None:
    certificates = [entry("a.org")]
    path = tmp_path / "acme.json"
    path.write_text(json.dumps({"le": {"Certificates": certificates}}))
    for _ in range(2):
        made = make(tmp_path, {"le": {"tlsChallenge": {}}})
        async with running(made):
            assert made.acme is not None
            assert [each.names for each in made.acme.certificates()] == [("a.org",)]
        path.write_text(json.dumps({"le": {"Certificates": [*certificates, entry("b.org")]}}))


async def test_the_certificate_that_is_wanted_comes_first_in_the_next_snapshot(
    tmp_path: Path,
) -> None:
    for resolver, days in (("old", 90), ("new", 30)):
        storage = Storage(tmp_path / "acme.json.d", resolver)
        storage.open()
        storage.save(["a.org"], make_certificate(["a.org"], days=days), "")
    made = make(tmp_path, {"old": {"tlsChallenge": {}}, "new": {"tlsChallenge": {}}})
    assert made.acme is not None
    async with running(made):
        changes = 0

        def count() -> None:
            nonlocal changes
            changes += 1

        made.acme.on_change(count)
        for resolver in ("old", "new"):
            made.acme.demand([Demand(resolver, "a.org", (), ("a@docker",))])
            assert made.acme.certificates()[0].origin == f"resolver {resolver}"
        assert changes == 1, "with the first one the order was right already"


def test_making_it_reads_no_storage(tmp_path: Path) -> None:
    """It may be large or slow, and the first snapshot does not wait for ever."""
    make(tmp_path, {"le": {"tlsChallenge": {}}})
    assert list(tmp_path.iterdir()) == []


async def test_a_name_beyond_ascii_is_found(tmp_path: Path) -> None:
    name = "xn--mller-kva.example"
    storage = Storage(tmp_path / "acme.json.d", "le")
    storage.open()
    storage.save([name], make_certificate([name]), "")
    made = make(tmp_path, {"le": {"tlsChallenge": {}}})
    async with running(made):
        answer = await made.commands.answer({"command": "revoke", "name": "Müller.example"})
    assert "the CA does not answer" in answer["error"]


def entry(name: str) -> dict[str, Any]:
    issued = make_certificate([name])
    texts = {"certificate": issued.chain, "key": issued.key}
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    return {"domain": {"main": name}, **encoded}


def test_wildcards_without_dns_are_refused(tmp_path: Path) -> None:
    own = {"le": {"wildcards": ["example.com"]}}
    made = make(tmp_path, {"le": {"tlsChallenge": {}}}, certificatesResolvers=own)
    (plan,) = made.inventory.plans()
    assert "edgerouter.certificatesResolvers.le.wildcards needs dnsChallenge" in plan["reason"]


async def test_wildcards_of_every_domain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXEC_PATH", "/bin/false")
    own = {"le": {"wildcards": ["auto"]}}
    acme = {"dnsChallenge": {"provider": "exec"}}
    made = make(tmp_path, {"le": acme}, certificatesResolvers=own)
    assert made.acme is not None
    async with running(made):
        hosts = ("a.example.com", "b.example.com", "example.com", "a.example.co.uk", "a.lan")
        made.acme.demand([Demand("le", host, (), ("a@docker",)) for host in hosts])
        ordered = {each.names for each in made.acme.manager.plan.orders}
    assert ordered == {("*.example.com",), ("example.com",), ("*.example.co.uk",), ("a.lan",)}


async def test_after_a_restart_only_wanted_certificates_are_copied(tmp_path: Path) -> None:
    """Several that are still good may have the same main name, and so the same directory."""
    storage = Storage(tmp_path / "acme.json.d", "le")
    storage.open()
    now = datetime.now(UTC)
    for names, age in ((("a.org",), 10), (("a.org", "b.org"), 1), (("c.org",), 20)):
        issued = make_certificate(names, start=now - timedelta(days=age))
        storage.save(names, issued, "https://127.0.0.1:1/dir")
    acme = {"tlsChallenge": {}, "caServer": "https://127.0.0.1:1/dir"}
    made = make(tmp_path, {"le": acme}, certificatesExport={"directory": str(tmp_path / "out")})
    assert made.acme is not None
    told: list[Sequence[str]] = []

    async def tell(names: Sequence[str]) -> None:
        told.append(names)

    made.acme.tell_containers = tell
    made.acme.demand([Demand("le", "a.org", ("b.org",)), Demand("le", "c.org")])
    running = asyncio.create_task(made.acme.run())
    await until(lambda: {("a.org", "b.org"), ("c.org",)} <= set(told))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert len(told) == 2, told
    copied = facts_of((tmp_path / "out/a.org/certificate.pem").read_text())
    assert copied.names == ("a.org", "b.org")


async def test_containers_that_cannot_be_told_are_told_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("edgerouter.control.certificates.acme.TELL_AGAIN", 0.01)
    storage = Storage(tmp_path / "acme.json.d", "le")
    storage.open()
    storage.save(["a.org"], make_certificate(["a.org"]), "https://127.0.0.1:1/dir")
    told: list[Sequence[str]] = []
    refusals = [ProviderUnavailable("away")] * 3

    async def tell(names: Sequence[str]) -> None:
        if refusals:
            raise refusals.pop()
        told.append(names)

    acme = {"tlsChallenge": {}, "caServer": "https://127.0.0.1:1/dir"}
    made = make(tmp_path, {"le": acme}, certificatesExport={"directory": str(tmp_path / "out")})
    assert made.acme is not None
    made.acme.tell_containers = tell
    made.acme.demand([Demand("le", "a.org")])
    async with running(made):
        await until((tmp_path / "out/a.org/.told").exists)
    assert told == [("a.org",)]
    assert len([text for text in caplog.messages if "as soon as that is possible" in text]) == 1


@pytest.mark.parametrize(("kind", "is_said"), [("ec256", True), ("RSA1024", True), ("", False)])
def test_an_unknown_kind_of_keys_is_rsa4096_as_in_traefik(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, is_said: bool
) -> None:
    made = make(tmp_path, {"le": {"tlsChallenge": {}, "keyType": kind}})
    assert made.acme is not None
    assert made.acme.resolvers["le"].acme.key_type == "RSA4096"
    said = [record.__dict__ for record in caplog.records if "kind of keys" in record.message]
    assert len(said) == is_said
    assert "certificatesResolvers.le.acme.keyType" in str(said) or not is_said


async def test_certificates_on_demand(tmp_path: Path) -> None:
    off = make(tmp_path, {"le": {"tlsChallenge": {}}})
    assert await off.on_demand("a.org") == "there are no certificates on demand"
    unknown = make(tmp_path, {}, onDemand={"resolver": "le"})
    assert await unknown.on_demand("a.org") == "there are no certificates on demand"
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
