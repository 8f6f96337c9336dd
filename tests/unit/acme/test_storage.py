"""What is kept on the disk is whole, private, and survives damage."""

import json
import os
import stat
from pathlib import Path

import pytest

from edgerouter.acme.connection import Account
from edgerouter.acme.errors import CertificateError
from edgerouter.acme.records import Failure, Pending
from edgerouter.acme.storage import Storage, storage_directory
from tests.support.certificates import make_certificate

NAMES = ("a.org", "b.org")


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    made = Storage(tmp_path / "acme.json.d", "le")
    made.open()
    return made


def again(storage: Storage) -> Storage:
    return Storage(storage.directory.parent, "le")


def test_where_it_is(tmp_path: Path) -> None:
    assert storage_directory("/x/acme.json") == Path("/x/acme.json.d")
    assert storage_directory("/x/certificates") == Path("/x/certificates")
    (tmp_path / "acme.json").mkdir()
    assert storage_directory(str(tmp_path / "acme.json")) == tmp_path / "acme.json"


def test_certificates_are_kept_for_nobody_else(storage: Storage) -> None:
    issued = make_certificate(NAMES)
    stored = storage.save(NAMES, issued, "https://ca")
    assert again(storage).load_changed() == [stored]
    assert again(storage).load(("b.org", "a.org")) == stored
    assert storage.load(("a.org",)) is None
    for path in storage.directory.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_a_renewal_replaces_all_files(storage: Storage) -> None:
    storage.save(NAMES, make_certificate(NAMES), "https://ca")
    new = storage.save(NAMES, make_certificate(NAMES), "https://ca")
    assert again(storage).load_changed() == [new]
    (directory,) = (storage.directory / "certificates").iterdir()
    assert len(list(directory.glob("*.pem"))) == 2


def test_a_write_that_was_cut_off_leaves_the_old_certificate(storage: Storage) -> None:
    old = storage.save(NAMES, make_certificate(NAMES), "https://ca")
    (directory,) = (storage.directory / "certificates").iterdir()
    (directory / "certificate-new.pem").write_text("half")
    assert again(storage).load_changed() == [old]


@pytest.mark.parametrize("damage", ["meta.json", "certificate", "key", "other key"])
def test_damaged_ones_are_set_aside_and_the_others_stay(
    storage: Storage, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    good = storage.save(("good.org",), make_certificate(["good.org"]), "")
    storage.save(("bad.org",), make_certificate(["bad.org"]), "")
    directory = storage.directory / "certificates/bad.org"
    meta = json.loads((directory / "meta.json").read_text())
    pems = meta["certificate"], meta["key"]
    if damage == "meta.json":
        (directory / "meta.json").write_text("{")
    elif damage == "other key":
        (directory / meta["key"]).write_text(make_certificate(["bad.org"]).key)
    else:
        (directory / meta[damage]).write_text("-----BEGIN")
    assert again(storage).load_changed() == [good]
    assert list(directory.glob("*")) == [directory / ".lock"]
    aside = storage.directory / "certificates/bad.org.corrupt-1"
    assert sorted(path.name for path in aside.iterdir()) == sorted(("meta.json", *pems))
    assert "set aside" in caplog.text
    assert again(storage).load_changed() == [good], "it is not looked at again"


def test_accounts_by_ca(storage: Storage) -> None:
    account = Account.new("https://ca/dir", "me@example.com")
    storage.save_account(account)
    assert again(storage).load_account("https://ca/dir") == account
    assert again(storage).load_account("https://ca/other") is None
    (file,) = (storage.directory / "accounts").glob("*.json")
    file.write_text('{"x": 1}')
    assert again(storage).load_account("https://ca/dir") is None
    assert not file.exists()


def test_unfinished_orders(storage: Storage) -> None:
    with storage.exclusive(NAMES):
        pending = Pending("https://ca/order/1", "key", "https://ca")
        storage.journal(NAMES).save(pending)
        assert again(storage).journal(NAMES).load() == pending
        storage.journal(NAMES).save(None)
        assert storage.journal(NAMES).load() is None


def test_failures(storage: Storage) -> None:
    with storage.exclusive(NAMES):
        failure = Failure(3, 1_800_000_000.0, "why", rehearsed=True)
        storage.failure(NAMES).save(failure)
        assert again(storage).failure(tuple(reversed(NAMES))).load() == failure
        assert storage.failure(("a.org",)).load() is None
        storage.failure(NAMES).save(None)
        assert storage.failure(NAMES).load() is None


def test_one_process_orders_a_certificate(storage: Storage) -> None:
    with storage.exclusive(NAMES) as mine, again(storage).exclusive(NAMES) as theirs:
        assert (mine, theirs) == (True, False)
    with again(storage).exclusive(NAMES) as mine:
        assert mine


def test_an_open_directory_is_closed(storage: Storage) -> None:
    storage.directory.chmod(0o755)
    again(storage).open()
    assert stat.S_IMODE(storage.directory.stat().st_mode) == 0o700


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        CertificateError, match=r"acme\.storage: .* cannot be used: .*mount a volume"
    ):
        Storage(tmp_path / "file/acme", "le").open()


@pytest.mark.parametrize("name", ["*.example.com", "../x", "ä.example", "."])
def test_names_stay_in_the_directory(storage: Storage, name: str) -> None:
    with storage.exclusive((name,)):
        pass
    (directory,) = (storage.directory / "certificates").iterdir()
    assert directory.resolve().parent == (storage.directory / "certificates").resolve()
    assert os.sep not in directory.name
