"""What is kept on the disk is whole, private, and survives damage."""

import json
import os
import resource
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgerouter.acme.connection import Account
from edgerouter.acme.errors import CertificateError
from edgerouter.acme.files import locked, sweep
from edgerouter.acme.keys import new_key
from edgerouter.acme.records import Failure, Pending
from edgerouter.acme.storage import Storage, storage_directory
from tests.support.certificates import make_certificate
from tests.support.eventually import eventually
from tests.support.open_files import open_files

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


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Let no file be opened: EMFILE."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_cannot_be_read_just_now_is_not_damaged(
    storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    stored = storage.save(NAMES, make_certificate(NAMES), "")
    with no_descriptors(), pytest.raises(OSError, match="Too many open files"):
        storage.load(NAMES)
    assert storage.load(NAMES) == stored

    other = storage.save(("other.org",), make_certificate(["other.org"]), "")
    meta = storage.directory / "certificates/other.org/meta.json"
    text = meta.read_text()
    meta.unlink()
    meta.symlink_to(meta)  # ELOOP
    opened = again(storage)
    assert opened.load_changed() == [stored]
    assert "cannot be read now, it is tried again" in caplog.text
    meta.unlink()
    meta.write_text(text)
    assert other in opened.load_changed()
    assert "set aside" not in caplog.text


def test_a_certificate_that_is_replaced_while_it_is_read(storage: Storage) -> None:
    stop = threading.Event()
    storage.save(NAMES, make_certificate(NAMES), "")

    def replace_it() -> None:
        writer = again(storage)
        while not stop.is_set():
            writer.save(NAMES, make_certificate(NAMES), "")

    thread = threading.Thread(target=replace_it)
    thread.start()
    try:
        end = time.monotonic() + 1
        while time.monotonic() < end:
            assert len(again(storage).load_changed()) == 1
            assert storage.load(NAMES) is not None
    finally:
        stop.set()
        thread.join()
    assert not list(storage.directory.rglob("*.corrupt-*"))


def test_only_what_has_changed_is_read_again(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgerouter.acme.storage.SETTLED", 0)
    first = storage.save(NAMES, make_certificate(NAMES), "")
    second = storage.save(("b.org",), make_certificate(["b.org"]), "")
    reader = again(storage)
    assert reader.load_changed() == [first, second]
    assert reader.load_changed() == []
    new = storage.save(NAMES, make_certificate(NAMES), "")
    assert reader.load_changed() == [new]
    storage.mark_revoked(second)
    (revoked,) = reader.load_changed()
    assert (revoked.names, revoked.revoked) == (("b.org",), True)


def test_a_certificate_stays_revoked_until_there_is_another(storage: Storage) -> None:
    stored = storage.save(NAMES, make_certificate(NAMES), "")
    assert not stored.revoked
    storage.mark_revoked(stored)
    kept = again(storage).load(NAMES)
    assert kept is not None
    assert kept.revoked
    storage.save(NAMES, make_certificate(NAMES), "")
    kept = again(storage).load(NAMES)
    assert kept is not None
    assert not kept.revoked


def test_many_rsa_keys_are_read_in_no_time(storage: Storage) -> None:
    """Traefik's default. To check such a key for what nobody would do takes half a second each."""
    key = new_key("RSA4096")
    for number in range(100):
        name = f"n{number}.org"
        storage.save([name], make_certificate([name], key=key), "")
    begin = time.process_time()
    assert len(again(storage).load_changed()) == 100
    assert time.process_time() - begin < 2.5


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


def test_the_lock_of_a_certificate_that_was_removed_is_none(tmp_path: Path) -> None:
    """Who waited for it would else be one of two that have it."""
    path = tmp_path / ".lock"
    second: list[bool] = []

    def wait_for_it() -> None:
        with locked(path), locked(path, wait=False) as mine:
            second.append(mine)

    with locked(path):
        thread = threading.Thread(target=wait_for_it)
        thread.start()
        eventually(lambda: len(open_files(tmp_path)), lambda count: count == 2)
        path.unlink()
    thread.join(10)
    assert second == [False]


def test_damage_leaves_the_lock_and_what_is_under_way(storage: Storage) -> None:
    pending = Pending("https://ca/order/1", "key", "https://ca")
    storage.save(NAMES, make_certificate(NAMES), "")
    (directory,) = (storage.directory / "certificates").iterdir()
    (directory / "meta.json").write_text("{")
    with storage.exclusive(NAMES):
        storage.journal(NAMES).save(pending)
        assert storage.load(NAMES) is None
        with again(storage).exclusive(NAMES) as theirs:
            assert not theirs
        assert storage.journal(NAMES).load() == pending
        new = storage.save(NAMES, make_certificate(NAMES), "")
    assert again(storage).load_changed() == [new]


def test_a_damaged_one_that_another_process_is_at_stays(storage: Storage) -> None:
    storage.save(NAMES, make_certificate(NAMES), "")
    (directory,) = (storage.directory / "certificates").iterdir()
    (directory / "meta.json").write_text("{")
    with storage.exclusive(NAMES):
        assert again(storage).load_changed() == []
        assert again(storage).load_beside_others(NAMES) is None
    assert (directory / "meta.json").exists()


def test_what_killed_writers_have_left_is_removed(storage: Storage) -> None:
    storage.save(NAMES, make_certificate(NAMES), "")
    (directory,) = (storage.directory / "certificates").iterdir()
    old, new = directory / ".meta.json.1.new", directory / ".meta.json.2.new"
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (time.time() - 4000, time.time() - 4000))
    again(storage).open()
    assert not old.exists()
    assert new.exists(), "somebody may be writing it"


def test_sweeping_what_goes_meanwhile(tmp_path: Path) -> None:
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            (tmp_path / ".x.new").touch()
            (tmp_path / ".x.new").unlink(missing_ok=True)

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(500):
            sweep(tmp_path)
    finally:
        stop.set()
        thread.join()


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
