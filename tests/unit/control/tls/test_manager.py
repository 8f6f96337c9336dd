"""From the dynamic configuration and the sources to the ``tls`` part of a snapshot."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import load_pem_x509_certificate

from edgerouter.config.labels import decode_mapping
from edgerouter.config.static import StaticConfiguration
from edgerouter.control.runtime import RuntimeConfiguration, build_runtime
from edgerouter.control.tls import manager as module
from edgerouter.control.tls.manager import TlsManager, covers
from edgerouter.control.tls.pair import SELF_SIGNED_NAME
from edgerouter.control.tls.source import Certificate, Challenges, Demand, KeyPair
from tests.support.data_plane import until
from tests.support.tls import Pair, make_pair

A = make_pair("a.test", "*.w.test")
B = make_pair("b.test")
C = make_pair("c.test")


class Source:
    """A source that has what a test gives it."""

    def __init__(self) -> None:
        self.pairs: list[Certificate] = []
        self.own_default: Certificate | None = None
        self.pending = Challenges()
        self.demands: list[Demand] = []
        self.reasons: dict[str, str] = {}
        """Why it refuses a name."""
        self.changed: Callable[[], None]

    def certificates(self) -> Sequence[Certificate]:
        return self.pairs

    def default(self) -> Certificate | None:
        return self.own_default

    def challenges(self) -> Challenges:
        return self.pending

    def demand(self, demands: Sequence[Demand]) -> None:
        self.demands = list(demands)

    def refusal(self, demand: Demand) -> str:
        return self.reasons.get(demand.main, "")

    def on_change(self, callback: Callable[[], None]) -> None:
        self.changed = callback


def runtime(raw: dict[str, Any], **routers: dict[str, Any]) -> RuntimeConfiguration:
    common = {"service": "s", "entryPoints": ["web"]}
    http = {
        "routers": {name: {**common, **router} for name, router in routers.items()},
        "services": {"s": {"loadBalancer": {"servers": [{"url": "http://10.0.0.1"}]}}},
    }
    decoded, found = decode_mapping({"http": http, "tls": raw}, "f.yml", "file")
    assert not found
    static = StaticConfiguration.model_validate(
        {
            "entryPoints": {"web": {"address": ":1"}},
            "certificatesResolvers": {"le": {"acme": {"email": "a@b.test", "tlsChallenge": {}}}},
        }
    )
    return build_runtime(static, {"file": decoded})


def content(pair: Pair) -> dict[str, str]:
    return {"certFile": pair.pem, "keyFile": pair.key_pem}


def certificate(pair: Pair, *names: str) -> Certificate:
    return Certificate(names, pair.pem, pair.key_pem, "source")


def section(manager: TlsManager, view: RuntimeConfiguration) -> tuple[dict[str, Any], list[str]]:
    tls, found = manager.section(view, manager.gather())
    return tls, [str(each) for each in found]


def test_nothing_configured_has_a_certificate_of_its_own() -> None:
    manager = TlsManager()
    tls, found = section(manager, runtime({}))
    assert not found
    assert tls["certificates"] == []
    assert tls["default"]["origin"] == "self-signed"
    assert section(manager, runtime({}))[0]["default"] == tls["default"]
    assert "BEGIN CERTIFICATE" in tls["default"]["certificate"]
    assert SELF_SIGNED_NAME.isupper()


def test_certificates_of_the_user_come_before_those_of_sources() -> None:
    source = Source()
    source.pairs = [certificate(B, "b.test")]
    tls, found = section(TlsManager([source]), runtime({"certificates": [content(A)]}))
    assert not found
    assert [each["names"] for each in tls["certificates"]] == [["a.test", "*.w.test"], ["b.test"]]
    assert [each["origin"] for each in tls["certificates"]] == ["the PEM text", "source"]


def test_names_are_wanted_as_certificates_have_them() -> None:
    source = Source()
    manager = TlsManager([source])
    domain = {"main": "Bücher.Test.", "sans": ["WWW.bücher.test", "bücher.test"]}
    router = {"rule": "PathPrefix(`/`)", "tls": {"certResolver": "le", "domains": [domain]}}
    stores = {"default": {"defaultGeneratedCert": {"resolver": "le", "domain": domain}}}
    view = runtime({"stores": stores}, a=router)
    assert not section(manager, view)[1]
    manager.tell()
    names = ("xn--bcher-kva.test", "www.xn--bcher-kva.test")
    assert [each.names for each in source.demands] == [names] * 2
    source.pairs = [certificate(make_pair(*names), *names)]
    assert section(manager, view)[0]["default"]["origin"] == "source"

    nothing = {"default": {"defaultGeneratedCert": {"resolver": "le", "domain": {"main": "."}}}}
    section(manager, runtime({"stores": nothing}))
    manager.tell()
    assert source.demands == []


def test_what_a_source_refuses_marks_the_routers() -> None:
    source = Source()
    source.reasons = {"*.x.test": "no wildcards here"}
    manager = TlsManager([source])
    view = runtime(
        {
            "stores": {
                "default": {
                    "defaultGeneratedCert": {"resolver": "le", "domain": {"main": "*.x.test"}}
                }
            }
        },
        good={"rule": "Host(`a.test`)", "tls": {"certResolver": "le"}},
        bad={"rule": "Host(`*.x.test`)", "tls": {"certResolver": "le"}},
    )
    _, found = section(manager, view)
    assert found == [
        "f.yml, http.routers.bad: no wildcards here",
        "tls.stores.default.defaultGeneratedCert: no wildcards here",
    ]
    routers = view.http.routers
    assert (routers["bad@file"].status, routers["bad@file"].errors) == (
        "warning",
        ["no wildcards here"],
    )
    assert routers["good@file"].status == "enabled"
    assert [demand.routers for demand, _ in manager.refused] == [("bad@file",), ()]
    manager.tell()
    assert [demand.main for demand in source.demands] == ["a.test"]

    section(manager, runtime({"certificates": [content(make_pair("*.x.test"))]}))
    assert manager.refused == [], "the user has one"


def test_which_default_counts() -> None:
    source = Source()
    manager = TlsManager([source])
    generated = {"defaultGeneratedCert": {"resolver": "le", "domain": {"main": "c.test"}}}
    view = runtime({"stores": {"default": generated}})
    assert section(manager, view)[0]["default"]["origin"] == "self-signed"
    source.own_default = certificate(B, "b.test")
    assert section(manager, view)[0]["default"]["certificate"] == B.pem
    manager.tell()
    assert source.demands == [Demand("le", "c.test", default=True)]
    source.pairs = [certificate(C, "c.test")]
    assert section(manager, view)[0]["default"]["certificate"] == C.pem
    view = runtime({"stores": {"default": {"defaultCertificate": content(A), **generated}}})
    assert section(manager, view)[0]["default"]["certificate"] == A.pem


def test_demands() -> None:
    source = Source()
    manager = TlsManager([source])
    view = runtime(
        {"certificates": [content(A)], "options": {"strict": {"sniStrict": True}}},
        plain={"rule": "Host(`plain.test`)"},
        one={"rule": "Host(`x.test`) || Host(`y.test`)", "tls": {"certResolver": "le"}},
        two={"rule": "Host(`x.test`) || Host(`y.test`)", "tls": {"certResolver": "le"}},
        none={"rule": "Host(`z.test`)", "tls": {}},
        covered={"rule": "Host(`a.test`) || Host(`q.w.test`)", "tls": {"certResolver": "le"}},
        strict={"rule": "Host(`s.test`)", "tls": {"options": "strict"}},
        named={
            "rule": "Host(`n.test`)",
            "tls": {"certResolver": "le", "domains": [{"main": "N.test", "sans": ["*.n.test"]}]},
        },
        pathless={"rule": "PathPrefix(`/`)", "tls": {"certResolver": "le"}},
    )
    section(manager, view)
    manager.tell()
    assert source.demands == [
        Demand("", "z.test", (), ("none@file",)),
        Demand("le", "n.test", ("*.n.test",), ("named@file",)),
        Demand("le", "x.test", ("y.test",), ("one@file", "two@file")),
    ]


def test_who_names_a_default_certificate_wants_it_for_all_that_have_none() -> None:
    source = Source()
    manager = TlsManager([source])
    stores = {"stores": {"default": {"defaultCertificate": content(A)}}}
    section(
        manager,
        runtime(
            stores,
            none={"rule": "Host(`z.test`)", "tls": {}},
            le={"rule": "Host(`x.test`)", "tls": {"certResolver": "le"}},
        ),
    )
    manager.tell()
    assert [each.resolver for each in source.demands] == ["le"]


def test_challenges_are_passed_on() -> None:
    source = Source()
    source.pending = Challenges({"token": "text"}, {"a.test": KeyPair(A.pem, A.key_pem)})
    tls, _ = section(TlsManager([source]), runtime({}))
    assert tls["http01"] == {"token": "text"}
    assert tls["acmeTls"]["a.test"]["certificate"] == A.pem


def test_as_traefik() -> None:
    manager = TlsManager(as_traefik=True)
    one = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    options = {"old": {"maxVersion": "VersionTLS12"}, "one": {"cipherSuites": [one]}}
    tls, found = section(manager, runtime({"options": options}))
    assert not found
    suites = {name: len(each["cipherSuites"]) for name, each in tls["options"].items()}
    assert suites == {"default": 10, "old@file": 10, "one@file": 1}
    key = load_pem_x509_certificate(tls["default"]["certificate"].encode()).public_key()
    assert isinstance(key, RSAPublicKey)
    assert key.key_size == 2048


def test_authorities_alone_demand_a_certificate() -> None:
    options = {"o": {"clientAuth": {"caFiles": [A.pem, B.pem]}}}
    tls, found = section(TlsManager(), runtime({"options": options}))
    assert not found
    assert tls["options"]["o@file"]["clientAuth"] == {
        "clientAuthType": "RequireAndVerifyClientCert",
        "authorities": f"{A.pem}\n{B.pem}",
        "errors": [],
    }


def test_what_is_wrong_with_options_is_said() -> None:
    options = {
        "o": {"clientAuth": {"caFiles": ["/nowhere/ca.pem"]}},
        "p": {"cipherSuites": ["ROT13"]},
    }
    _, found = section(TlsManager(), runtime({"options": options}))
    end = "; clients of routers with these options are refused"
    missing = "/nowhere/ca.pem does not exist; correct the path, or mount the file into the"
    assert found == [
        f"tls.options.o@file: clientAuth.caFiles: {missing} container{end}",
        f'tls.options.p@file: cipherSuites: "ROT13" is no cipher suite{end}',
    ]


def test_certificates_of_other_stores_are_not_used() -> None:
    certificates = [{**content(A), "stores": ["mine"]}, {**content(B), "stores": ["default"]}]
    tls, found = section(TlsManager(), runtime({"certificates": certificates}))
    assert [each["names"] for each in tls["certificates"]] == [["b.test"]]
    assert 'the stores mine are not used, only "default" is' in found[0]


@pytest.mark.parametrize(
    ("certificate", "key", "message"),
    [
        ("a.crt", "secret.key", "{0}/secret.key: the key is encrypted"),
        ("a.crt", "a.crt", "{0}/a.crt: holds no private key in PEM form"),
        ("a.crt", "b.key", "{0}/a.crt (key: {0}/b.key): the key does not belong to the"),
        ("a.key", "a.key", "{0}/a.key (key: {0}/a.key): holds no certificate in PEM form"),
        ("der.crt", "a.key", "{0}/der.crt is not in PEM form"),
        (".", "a.key", "{0}/. cannot be read: Is a directory"),
    ],
)
def test_bad_files(tmp_path: Path, certificate: str, key: str, message: str) -> None:
    write(tmp_path, A, "a")
    write(tmp_path, B, "b")
    (tmp_path / "der.crt").write_bytes(b"\x30\x82\xff\xfe")
    (tmp_path / "secret.key").write_text(encrypted(A))
    files = {"certFile": f"{tmp_path}/{certificate}", "keyFile": f"{tmp_path}/{key}"}
    tls, found = section(TlsManager(), runtime({"certificates": [files, content(C)]}))
    assert [each["names"] for each in tls["certificates"]] == [["c.test"]]
    assert len(found) == 1
    assert message.format(tmp_path) in found[0]
    assert found[0].endswith("; the other certificates keep serving")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("a.crt", B.pem, "{0}/a.crt (key: {0}/a.key): the key does not belong"),
        ("a.key", B.key_pem, "{0}/a.crt (key: {0}/a.key): the key does not belong"),
        ("a.crt", A.pem[:200], "{0}/a.crt (key: {0}/a.key): holds no certificate"),
        ("a.crt", "", "{0}/a.crt (key: {0}/a.key): holds no certificate"),
        ("a.key", A.key_pem[:100], "{0}/a.key: holds no private key"),
        ("a.crt", None, "{0}/a.crt does not exist"),
    ],
    ids=["other crt", "other key", "half a crt", "empty crt", "half a key", "no crt"],
)
@pytest.mark.parametrize("is_default", [False, True])
def test_files_that_are_broken_for_a_while(
    tmp_path: Path, file: str, content: str | None, message: str, is_default: bool
) -> None:
    write(tmp_path, A, "a")
    files = {"certFile": f"{tmp_path}/a.crt", "keyFile": f"{tmp_path}/a.key"}
    stores = {"stores": {"default": {"defaultCertificate": files}}}
    manager, view = TlsManager(), runtime(stores if is_default else {"certificates": [files]})

    def served() -> tuple[list[str], list[str]]:
        tls, found = section(manager, view)
        pairs = [tls["default"]] if is_default else tls["certificates"]
        assert [each["certificate"] for each in manager.shown] == [
            each["certificate"] for each in pairs
        ]
        return [each["certificate"] for each in pairs], found

    assert served() == ([A.pem], [])
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_text(content)
    for _ in range(2):
        certificates, (problem,) = served()
        assert certificates == [A.pem]
        assert message.format(tmp_path) in problem
        assert problem.endswith("; what the files held before keeps serving")
        assert manager.shown[0]["reason"] in problem
    write(tmp_path, B, "a")
    assert served() == ([B.pem], [])
    assert "reason" not in manager.shown[0]


def test_what_the_configuration_drops_is_not_kept(tmp_path: Path) -> None:
    write(tmp_path, A, "a")
    files = {"certFile": f"{tmp_path}/a.crt", "keyFile": f"{tmp_path}/a.key"}
    manager, view = TlsManager(), runtime({"certificates": [files]})
    assert section(manager, view)[0]["certificates"]
    (tmp_path / "a.crt").unlink()
    assert section(manager, view)[0]["certificates"]
    assert not section(manager, runtime({}))[0]["certificates"]
    assert not section(manager, view)[0]["certificates"]


def write(directory: Path, pair: Pair, name: str) -> None:
    (directory / f"{name}.crt").write_text(pair.pem)
    (directory / f"{name}.key").write_text(pair.key_pem)


def encrypted(pair: Pair) -> str:
    return pair.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    ).decode()


async def test_changes_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY", 0.01)
    write(tmp_path, A, "a")
    files = {"certFile": f"{tmp_path}/a.crt", "keyFile": f"{tmp_path}/a.key"}
    source = Source()
    manager = TlsManager([source])
    section(manager, runtime({"certificates": [files]}))
    calls: list[None] = []
    task = asyncio.create_task(manager.run(lambda: calls.append(None)))
    try:
        await asyncio.sleep(0.05)
        assert not calls
        source.changed()
        assert len(calls) == 1
        write(tmp_path, B, "a")
        await until(lambda: len(calls) > 1)
        assert section(manager, runtime({"certificates": [files]}))[0]["certificates"][0][
            "names"
        ] == ["b.test"]
    finally:
        task.cancel()


async def test_ticket_keys_are_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(module, "TICKET_KEY_LIFETIME", 0.0)
    manager = TlsManager()
    before = section(manager, runtime({}))[0]["ticketKey"]
    assert len(before) == 64
    calls: list[None] = []
    task = asyncio.create_task(manager.run(lambda: calls.append(None)))
    try:
        await until(lambda: calls)
        assert section(manager, runtime({}))[0]["ticketKey"] != before
    finally:
        task.cancel()


@pytest.mark.parametrize(
    ("names", "name", "expected"),
    [
        (["a.test"], "a.test", True),
        (["*.test"], "a.test", True),
        (["*.test"], "*.test", True),
        (["*.test"], "b.a.test", False),
        (["a.test"], "*.test", False),
        (["*.test"], "test", False),
    ],
)
def test_covers(names: list[str], name: str, expected: bool) -> None:
    assert covers(names, name) == expected
