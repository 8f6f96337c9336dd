"""``edgerouter acme import`` and ``edgerouter ca root``."""

import base64
import json
import os
import socket
from pathlib import Path

import pytest

from edgerouter.acme.internal_ca import InternalCA
from edgerouter.acme.storage import Storage
from edgerouter.cli import main, orders
from edgerouter.cli.orders import Unanswered, find_socket
from tests.support.certificates import make_certificate

OPTION = "--certificatesresolvers.le.acme"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An acme.json with a resolver that is configured and one that is not."""

    def entry(name: str) -> dict[str, object]:
        issued = make_certificate([name])
        texts = {"certificate": issued.chain, "key": issued.key}
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
        return {"domain": {"main": name}, **encoded, "Store": "default"}

    path = tmp_path / "traefik.json"
    content = {"le": {"Certificates": [entry("a.org")]}, "zero": {"Certificates": [entry("b.org")]}}
    path.write_text(json.dumps(content))
    return path


def test_import(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [f"{OPTION}.tlschallenge", f"{OPTION}.storage={tmp_path}/acme.json"]
    assert main(["acme", "import", str(file), *options], {}) == 1
    output = capsys.readouterr()
    assert output.out == "le: a.org\n"
    assert 'the resolver "zero" is not configured' in output.err
    (stored,) = Storage(tmp_path / "acme.json.d", "le").load_changed()
    assert stored.names == ("a.org",)

    other = ["--certificatesresolvers.zero.acme.tlschallenge"]
    other.append(f"--certificatesresolvers.zero.acme.storage={tmp_path}/acme.json")
    assert main(["acme", "import", str(file), *options, *other], {}) == 0
    assert capsys.readouterr().out == "zero: b.org\n", "a.org is there already"


@pytest.mark.parametrize("arguments", [[], ["import"], ["export", "x"], ["import", "--x"]])
def test_wrong_use(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["acme", *arguments], {}) == 2
    assert "usage: edgerouter acme import FILE" in capsys.readouterr().err


def test_no_such_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["acme", "import", str(tmp_path / "none")], {}) == 1
    assert "No such file" in capsys.readouterr().err


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no other router of this machine be found."""
    monkeypatch.setattr(orders, "PLACES", (str(tmp_path),))


@pytest.mark.usefixtures("alone")
def test_the_root_that_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    option = f"--edgerouter.internalca.storage={tmp_path}/ca"
    root = InternalCA(tmp_path / "ca").root()
    assert main(["ca", "root", option], {}) == 0
    assert capsys.readouterr().out == root
    assert main(["ca"], {}) == 2


@pytest.mark.usefixtures("alone")
def test_no_root_is_made_that_no_router_uses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ca", "root"], {}) == 1
    error = capsys.readouterr().err
    assert "no running router of this user was found; set --edgerouter.runtimeDir" in error
    assert "or name the directory of its CA, --edgerouter.internalCA.storage=DIRECTORY" in error
    option = f"--edgerouter.internalca.storage={tmp_path}/ca"
    assert main(["ca", "root", option], {}) == 1
    output = capsys.readouterr()
    assert f"there is no root in {tmp_path}/ca" in output.err
    assert output.out == ""
    assert not (tmp_path / "ca").exists()


@pytest.mark.usefixtures("alone")
def test_sockets_of_others_are_not_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who may write to /tmp could else answer, and have people trust a CA of his own."""

    def listen(name: str, mode: int) -> socket.socket:
        directory = tmp_path / f"edgerouter-{name}"
        directory.mkdir()
        directory.chmod(mode)
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(directory / "control.sock"))
        listening.listen()
        return listening

    listen("dead", 0o700).close()
    with listen("open", 0o777):
        (tmp_path / "edgerouter-link").symlink_to(tmp_path / "edgerouter-open")
        assert main(["cert", "ls"], {}) == 1
        assert "no running router of this user was found" in capsys.readouterr().err
        with listen("ours", 0o700):
            assert find_socket([], {}) == tmp_path / "edgerouter-ours/control.sock"
            if os.geteuid() == 0:
                os.chown(tmp_path / "edgerouter-ours", 12345, -1)
                with pytest.raises(Unanswered, match="no running router of this user"):
                    find_socket([], {})


def test_no_router_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    option = f"--edgerouter.runtimedir={tmp_path}"
    assert main(["cert", "ls", option], {}) == 1
    assert f"does not answer at {tmp_path}/control.sock" in capsys.readouterr().err
    assert main(["cert", "renew", option], {}) == 2
