"""The storage in Traefik's single file."""

import base64
import json
import os
import shutil
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edgerouter.acme.connection import Account
from edgerouter.acme.files import read_json, write_json
from edgerouter.acme.importer import import_resolver, read_file
from edgerouter.acme.single_file import OUR_KEY, SingleFile
from edgerouter.acme.storage import Storage
from tests.support.certificates import make_certificate

NAMES = ("a.org", "b.org")
CA = "https://ca.example/dir"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "acme.json"
    path.touch(0o600)
    return path


@pytest.fixture
def storage(tmp_path: Path, file: Path) -> Storage:
    made = Storage(tmp_path / "acme.json.d", "Le")
    made.open()
    return made


def content(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def test_everything_comes_back_in_a_new_container(
    tmp_path: Path, file: Path, storage: Storage
) -> None:
    now = datetime.now(UTC)
    stored = storage.save(NAMES, make_certificate(NAMES), CA)
    storage.note_use(NAMES, now - timedelta(days=3))
    storage.save_account(Account.new(CA, "me@example.com"))
    write_json(storage.directory / "ledger.json", {"orders": ["ö"]})
    (storage.directory / "empty").touch(0o600)
    (storage.directory / "challenges/answers").mkdir(parents=True)
    (storage.directory / "challenges/answers/1").write_text("secret of now")
    inode = file.stat().st_ino
    SingleFile(file, file.with_name("acme.json.d"), ["Le"]).save()
    assert file.stat().st_ino == inode, "it is a mount point"
    assert "secret of now" not in file.read_text()
    kept = sorted(path.relative_to(tmp_path) for path in storage.directory.rglob("*.*"))

    shutil.rmtree(tmp_path / "acme.json.d")
    SingleFile(file, file.with_name("acme.json.d"), ["Le"]).restore()
    again = Storage(tmp_path / "acme.json.d", "Le")
    again.open()
    assert again.load(NAMES) == stored
    assert again.load_account(CA) == Account(**json.loads(_account(again)))
    assert read_json(again.directory / "ledger.json") == {"orders": ["ö"]}
    assert (again.directory / "empty").exists()
    used = again.last_use(NAMES)
    assert used is not None
    assert abs(now - timedelta(days=3) - used) < timedelta(seconds=1)
    found = sorted(path.relative_to(tmp_path) for path in again.directory.rglob("*.*"))
    assert [path for path in kept if path.name != ".lock"] == [
        path for path in found if path.name != ".lock"
    ]
    for path in (tmp_path / "acme.json.d").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def _account(storage: Storage) -> str:
    (path,) = (storage.directory / "accounts").glob("*.json")
    return path.read_text()


def test_a_container_that_was_only_restarted_knows_better(
    tmp_path: Path, file: Path, storage: Storage
) -> None:
    storage.save(NAMES, make_certificate(NAMES), CA)
    single = SingleFile(file, file.with_name("acme.json.d"), ["Le"])
    single.save()
    newer = storage.save(NAMES, make_certificate(NAMES), CA)
    SingleFile(file, file.with_name("acme.json.d"), ["Le"]).restore()
    assert storage.load(NAMES) == newer


def test_traefik_finds_its_own_format_and_what_it_has_of_others(
    file: Path, storage: Storage
) -> None:
    account = {"Email": "me@example.com", "PrivateKey": "x"}
    file.write_text(
        json.dumps({"Le": {"Account": account, "Certificates": None}, "other": {"Account": None}})
    )
    file.chmod(0o644)
    issued = make_certificate(NAMES)
    storage.save(NAMES, issued, CA)
    storage.save(("*.c.org",), make_certificate(["*.c.org"]), CA)
    SingleFile(file, file.with_name("acme.json.d"), ["Le"]).save()
    written = content(file)
    assert written["other"] == {"Account": None}
    assert written["Le"]["Account"] == account
    wildcard, certificate = written["Le"]["Certificates"]
    assert wildcard["domain"] == {"main": "*.c.org"}
    assert certificate == {
        "domain": {"main": "a.org", "sans": ["b.org"]},
        "certificate": base64.b64encode(issued.chain.encode()).decode(),
        "key": base64.b64encode(issued.key.encode()).decode(),
        "Store": "default",
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_traefik_has_written_meanwhile_is_taken(
    tmp_path: Path, file: Path, storage: Storage
) -> None:
    storage.save(NAMES, make_certificate(NAMES, days=5), CA)
    SingleFile(file, file.with_name("acme.json.d"), ["Le"]).save()
    traefiks = content(file) | {OUR_KEY: {"Account": None, "Certificates": None}}
    newer = make_certificate(NAMES, days=90)
    (entry,) = traefiks["Le"]["Certificates"]
    entry["certificate"] = base64.b64encode(newer.chain.encode()).decode()
    entry["key"] = base64.b64encode(newer.key.encode()).decode()
    file.write_text(json.dumps(traefiks))

    shutil.rmtree(tmp_path / "acme.json.d")
    SingleFile(file, file.with_name("acme.json.d"), ["Le"]).restore()
    storage.open()
    import_resolver(read_file(file), storage, CA)
    held = storage.load(NAMES)
    assert held is not None
    assert held.chain == newer.chain


def test_it_is_written_when_something_has_changed(file: Path, storage: Storage) -> None:
    single = SingleFile(file, file.with_name("acme.json.d"), ["Le"])
    single.save()
    before = file.stat().st_mtime_ns
    os.utime(file, ns=(before - 10**9, before - 10**9))
    single.save()
    assert file.stat().st_mtime_ns == before - 10**9
    stored = storage.save(NAMES, make_certificate(NAMES), CA)
    single.save()
    assert len(content(file)["Le"]["Certificates"]) == 1
    assert storage.remove(stored, stored.facts.not_after + timedelta(days=1))
    single.save()
    assert content(file)["Le"]["Certificates"] == []
    write_json(storage.directory / "ledger.json", {"orders": []})
    single.save()
    assert "ledger.json" in file.read_text()


@pytest.mark.parametrize("text", ['{"Le": {', "[1]"])
def test_a_damaged_file_of_traefik_is_left_alone(file: Path, text: str) -> None:
    """Its certificates are nowhere else; who repairs it has them."""
    file.write_text(text)
    single = SingleFile(file, file.with_name("acme.json.d"), ["Le"])
    with pytest.raises(OSError, match=r"is damaged .* repair the file or empty it"):
        single.restore()
    Storage(file.with_name("acme.json.d"), "Le").open()
    with pytest.raises(OSError, match="is damaged"):
        single.save()
    assert file.read_text() == text


@pytest.mark.parametrize("text", [f'{{"{OUR_KEY}": {{', f'["{OUR_KEY}"]'])
def test_a_damaged_file_is_begun_anew(
    tmp_path: Path, file: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    file.write_text(text)
    SingleFile(file, file.with_name("acme.json.d"), ["Le"]).restore()
    assert content(file) == {}
    assert (tmp_path / "acme.json.d/acme.json.corrupt").read_text() == text
    (record,) = caplog.records
    assert "damaged" in record.message


@pytest.mark.parametrize(
    "ours",
    [
        "x",
        {"files": ["x"]},
        {"files": {"le/x.json": "x"}},
        {"files": {"../outside": {"text": "x", "time": 1}}},
        {"files": {"/outside": {"text": "x", "time": 1}}},
    ],
)
def test_what_cannot_be_understood_leaves_the_certificates(
    tmp_path: Path, file: Path, caplog: pytest.LogCaptureFixture, ours: Any
) -> None:
    file.write_text(json.dumps({OUR_KEY: ours, "Le": {"Account": None}}))
    SingleFile(file, file.with_name("acme.json.d"), ["Le"]).restore()
    assert "cannot be understood" in caplog.text
    assert content(file)["Le"] == {"Account": None}
    assert [path.name for path in tmp_path.iterdir()] == ["acme.json"]
