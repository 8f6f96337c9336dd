"""Traefik's acme.json."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from edgerouter.acme.errors import CertificateError
from edgerouter.acme.importer import import_resolver, read_file
from edgerouter.acme.keys import load_key, new_key
from edgerouter.acme.storage import Storage
from tests.support.certificates import make_certificate

CA = "https://acme-v02.api.letsencrypt.org/directory"


def encoded(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def entry(main: str, *sans: str, days: float = 90) -> dict[str, Any]:
    issued = make_certificate([main, *sans], days=days)
    domain: dict[str, Any] = {"main": main}
    if sans:
        domain["sans"] = list(sans)
    return {
        "domain": domain,
        "certificate": encoded(issued.chain),
        "key": encoded(issued.key),
        "Store": "default",
    }


def account(host: str) -> dict[str, Any]:
    key = new_key("RSA2048")
    der = key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return {
        "Email": "me@example.com",
        "Registration": {"body": {"status": "valid"}, "uri": f"https://{host}/acme/acct/7"},
        "PrivateKey": encoded(der),
        "KeyType": "4096",
    }


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    made = Storage(tmp_path / "acme.json.d", "le")
    made.open()
    return made


def test_certificates_and_account(storage: Storage) -> None:
    part = {
        "Account": account("acme-v02.api.letsencrypt.org"),
        "Certificates": [entry("a.org", "b.org"), entry("*.c.org")],
    }
    done = import_resolver({"le": part, "other": {}}, storage, CA)
    assert done.certificates == (("a.org", "b.org"), ("*.c.org",))
    assert (done.problems, done.has_account) == ((), True)
    assert {each.names for each in storage.load_changed()} == set(done.certificates)
    kept = storage.load_account(CA)
    assert kept is not None
    assert kept.url == "https://acme-v02.api.letsencrypt.org/acme/acct/7"
    assert load_key(kept.key).key_size == 2048


def test_names_are_kept_as_routers_want_them(storage: Storage) -> None:
    """Traefik writes them as they were configured, and its certificates have them in ASCII."""
    found = entry("xn--bcher-kva.org")
    found["domain"]["main"] = "Bücher.org"
    done = import_resolver({"le": {"Certificates": [found]}}, storage, CA)
    assert done.certificates == (("xn--bcher-kva.org",),)
    assert storage.load(["xn--bcher-kva.org"]) is not None


def test_an_account_of_another_ca_is_left(storage: Storage) -> None:
    part = {"Account": account("acme-staging-v02.api.letsencrypt.org"), "Certificates": None}
    assert not import_resolver({"le": part}, storage, CA).has_account
    assert storage.load_account(CA) is None


def test_a_bad_entry_does_not_stop_the_others(storage: Storage) -> None:
    mixed = {**entry("b.org"), "key": entry("x.org")["key"]}
    part = {"Certificates": [{"domain": {"main": "a.org"}}, mixed, entry("c.org")]}
    done = import_resolver({"le": part}, storage, CA)
    assert done.certificates == (("c.org",),)
    assert len(done.problems) == 2
    assert done.problems[1] == "b.org: the key is not the certificate's"


def test_what_lasts_longer_stays(storage: Storage) -> None:
    held = storage.save(("a.org",), make_certificate(["a.org"], days=60), CA)
    part = {"Certificates": [entry("a.org", days=30)]}
    assert import_resolver({"le": part}, storage, CA).certificates == ()
    assert storage.load(("a.org",)) == held
    part = {"Certificates": [entry("a.org", days=90)]}
    assert import_resolver({"le": part}, storage, CA).certificates == (("a.org",),)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is no JSON"),
        ("[]", "not Traefik's acme.json"),
        (json.dumps({"Account": {}, "Certificates": []}), "not Traefik's acme.json"),
    ],
)
def test_what_is_no_acme_json(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "acme.json"
    file.write_text(text)
    with pytest.raises(CertificateError, match=reason):
        read_file(file)
    with pytest.raises(CertificateError, match="No such file"):
        read_file(tmp_path / "none.json")


def test_an_empty_file_is_fine(tmp_path: Path) -> None:
    (tmp_path / "acme.json").touch()
    assert read_file(tmp_path / "acme.json") == {}
