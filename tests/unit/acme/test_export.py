"""Copies of certificates for other programs."""

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

from edgerouter.acme.export import by_directory, export, note_told
from edgerouter.acme.keys import belong_together, facts_of
from edgerouter.acme.storage import Stored
from edgerouter.config.static.certificates import Export
from tests.support.certificates import make_certificate


def stored(*names: str, age: float = 0) -> Stored:
    issued = make_certificate(names, start=datetime.now(UTC) - timedelta(days=age))
    return Stored("le", names, issued.chain, issued.key, facts_of(issued.chain))


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_text(f'#!/bin/sh\necho "$1 $EDGEROUTER_DOMAINS" >> {tmp_path}/calls\n')
    path.chmod(0o755)
    return path


def test_both_formats_and_a_program_told_of_changes(tmp_path: Path, program: Path) -> None:
    options = Export(
        directory=str(tmp_path / "out"),
        formats=["pem", "pfx"],
        password="secret",
        command=str(program),
    )
    first = stored("a.org", "b.org")
    export(options, first)
    directory = tmp_path / "out/a.org"
    chain, key = ((directory / name).read_text() for name in ("certificate.pem", "key.pem"))
    assert (chain, key) == (first.chain, first.key)
    content = (directory / "certificate.pfx").read_bytes()
    _, leaf, _ = load_key_and_certificates(content, b"secret")
    assert leaf is not None
    assert f"{leaf.serial_number:x}" == first.facts.serial
    with pytest.raises(ValueError, match="password"):
        load_key_and_certificates(content, b"wrong")
    for file in directory.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    export(options, first)
    calls = tmp_path / "calls"
    assert calls.read_text() == f"{directory} a.org,b.org\n", "nothing has changed"
    second = stored("a.org", "b.org")
    export(options, second)
    assert len(calls.read_text().splitlines()) == 2
    assert belong_together((directory / "certificate.pem").read_text(), second.key)


def test_who_uses_a_copy_is_to_be_told_until_that_was_done(tmp_path: Path) -> None:
    options = Export(directory=str(tmp_path / "out"))
    first, second = stored("a.org"), stored("a.org")
    assert export(options, first)
    assert export(options, first), "after a restart, as if the first one had been killed"
    note_told(options, first)
    assert not export(options, first)
    assert export(options, second)


def test_a_group_may_read_the_copies(tmp_path: Path) -> None:
    options = Export(directory=str(tmp_path), formats=["pem", "pfx"])
    export(options, stored("a.org"))
    group = max(os.getgroups(), default=os.getgid())
    export(options.model_copy(update={"group": group}), stored("a.org"))
    for name, mode in {
        "": 0o750,
        "key.pem": 0o640,
        "certificate.pem": 0o640,
        "certificate.pfx": 0o640,
    }.items():
        found = (tmp_path / "a.org" / name).stat()
        assert (found.st_gid, stat.S_IMODE(found.st_mode)) == (group, mode), name


def test_the_newest_has_the_directory() -> None:
    old, new, other = stored("a.org", age=5), stored("a.org", "b.org"), stored("*.a.org", age=9)
    assert by_directory([new, old, other]) == {"a.org": new, "_.a.org": other}


def test_without_a_directory_nothing_is_written(tmp_path: Path, program: Path) -> None:
    export(Export(command=str(program)), stored("a.org"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["program"]


def test_what_fails_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    export(Export(directory=str(tmp_path / "file")), stored("a.org"))
    assert "cannot be written" in caplog.text
    caplog.clear()
    program = tmp_path / "bad"
    program.write_text("#!/bin/sh\necho broken >&2; exit 3\n")
    program.chmod(0o755)
    export(Export(directory=str(tmp_path / "out"), command=str(program)), stored("a.org"))
    (record,) = caplog.records
    assert record.__dict__["fields"]["reason"] == "broken"
