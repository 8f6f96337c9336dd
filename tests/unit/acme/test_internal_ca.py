"""The internal CA."""

import ssl
import stat
from concurrent.futures import ThreadPoolExecutor
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


def test_one_intermediate_serves_to_the_end_of_the_root(tmp_path: Path) -> None:
    """However long leaves are to live, and whatever is left of the root."""
    ca = InternalCA(tmp_path / "ca", timedelta(days=3000))
    chains = {ca.issue(["a.localhost"], NOW).chain.partition("-----END")[2] for _ in range(3)}
    assert len(chains) == 1
    leaf = ca.issue(["a.localhost"], NOW)
    verify(leaf, ca.root(NOW), "a.localhost", NOW + timedelta(days=2999))


def test_the_root_is_replaced_before_it_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "ca"
    old = InternalCA(directory).root(NOW)
    later = NOW + timedelta(days=3652 - 365 + 1)
    ca = InternalCA(directory)
    assert ca.root(later) == old
    assert "ends soon" in caplog.text
    later = NOW + timedelta(days=3652 - 180 + 1)
    leaf = ca.issue(["a.localhost"], later)
    new = ca.root(later)
    assert new != old
    assert "clients have to trust the new one" in caplog.text
    verify(leaf, new, "a.localhost", later)
    assert InternalCA(directory).root(later) == new
    (kept,) = directory.glob("root.ended-*.pem")
    assert kept.read_text() == old


@pytest.mark.parametrize("gone", [("root.key",), ("root.pem",), ("root.key", "root.pem")])
def test_a_lost_root_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, gone: tuple[str, ...]
) -> None:
    directory = tmp_path / "ca"
    first = InternalCA(directory)
    first.issue(["a.localhost"], NOW)
    old = first.root()
    assert not caplog.records
    for name in gone:
        (directory / name).unlink()
    ca = InternalCA(directory)
    verify(ca.issue(["a.localhost"], NOW), ca.root(), "a.localhost")
    assert ca.root() != old
    (record,) = (each for each in caplog.records if each.levelname == "ERROR")
    assert "root of the internal CA is lost" in record.message
    assert "put root.pem and root.key back" in str(record.__dict__)


def test_routers_with_one_directory_have_one_ca(tmp_path: Path) -> None:
    authorities = [InternalCA(tmp_path / "ca") for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        leaves = list(pool.map(lambda ca: ca.issue(["a.localhost"], NOW), authorities))
    assert len({leaf.chain.partition("-----END")[2] for leaf in leaves}) == 1
    assert len({ca.root() for ca in authorities}) == 1
    assert not [path for path in (tmp_path / "ca").iterdir() if "corrupt" in path.name]


def test_damaged_files_are_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    directory = tmp_path / "ca"
    old = InternalCA(directory).root()
    (directory / "root.key").write_text("damaged")
    ca = InternalCA(directory)
    assert ca.root() != old
    assert (directory / "root.key.corrupt-1").read_text() == "damaged"
    assert "made anew" in caplog.text
    assert "clients do not trust it yet" in caplog.text
    verify(ca.issue(["a.localhost"], NOW), ca.root(), "a.localhost")


def test_without_a_place_it_lives_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    ca = InternalCA(tmp_path / "file/ca")
    verify(ca.issue(["a.localhost"], NOW), ca.root(), "a.localhost")
    assert "ends with this process" in caplog.text
