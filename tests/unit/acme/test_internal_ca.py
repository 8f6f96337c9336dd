"""The internal CA."""

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from edgerouter.acme.internal_ca import InternalCA, Leaf

NOW = datetime.now(UTC)


def verify(leaf: Leaf, root: str, name: str, at: datetime = NOW) -> list[x509.Certificate]:
    store = Store(x509.load_pem_x509_certificates(root.encode()))
    end, *others = x509.load_pem_x509_certificates(leaf.chain.encode())
    verifier = PolicyBuilder().store(store).time(at).build_server_verifier(x509.DNSName(name))
    return verifier.verify(end, others)


def test_leaves_are_good_for_clients_that_trust_the_root(tmp_path: Path) -> None:
    ca = InternalCA(tmp_path / "ca")
    leaf = ca.issue(["a.localhost", "*.b.localhost", "127.0.0.1"], NOW)
    chain = verify(leaf, ca.root(), "a.localhost")
    assert len(chain) == 3
    verify(leaf, ca.root(), "x.b.localhost")
    with pytest.raises(x509.verification.VerificationError):
        verify(leaf, ca.root(), "c.localhost")
    assert leaf.not_after - NOW == timedelta(days=7)
    assert leaf.renewal - NOW == timedelta(days=3.5)
    root = chain[-1]
    assert timedelta(days=3650) < root.not_valid_after_utc - root.not_valid_before_utc
    ssl.create_default_context(cadata=ca.root())


def test_the_root_stays_over_restarts_and_is_private(tmp_path: Path) -> None:
    root = InternalCA(tmp_path / "ca").root()
    again = InternalCA(tmp_path / "ca")
    assert again.root() == root
    verify(again.issue(["a.localhost"], NOW), root, "a.localhost")
    for file in (tmp_path / "ca").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_the_intermediate_is_replaced_before_leaves_would_outlive_it(tmp_path: Path) -> None:
    ca = InternalCA(tmp_path / "ca")
    first = ca.issue(["a.localhost"], NOW)
    later = NOW + timedelta(days=360)
    second = ca.issue(["a.localhost"], later)
    verify(second, ca.root(), "a.localhost", later)
    assert second.not_after - later == timedelta(days=7)
    assert first.chain.split("-----END")[1] != second.chain.split("-----END")[1]


def test_damaged_files_are_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    directory = tmp_path / "ca"
    old = InternalCA(directory).root()
    (directory / "root.key").write_text("damaged")
    ca = InternalCA(directory)
    assert ca.root() != old
    assert (directory / "root.key.corrupt-1").read_text() == "damaged"
    assert "made anew" in caplog.text
    verify(ca.issue(["a.localhost"], NOW), ca.root(), "a.localhost")


def test_without_a_place_it_lives_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    ca = InternalCA(tmp_path / "file/ca")
    verify(ca.issue(["a.localhost"], NOW), ca.root(), "a.localhost")
    assert "ends with this process" in caplog.text
