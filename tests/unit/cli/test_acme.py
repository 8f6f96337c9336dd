"""``edgerouter acme import`` and ``edgerouter ca root``."""

import base64
import json
from pathlib import Path

import pytest

from edgerouter.acme.storage import Storage
from edgerouter.cli import main
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


def test_the_root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    option = f"--edgerouter.internalca.storage={tmp_path}/ca"
    assert main(["ca", "root", option], {}) == 0
    first = capsys.readouterr().out
    assert first.startswith("-----BEGIN CERTIFICATE-----")
    assert main(["ca", "root", option], {}) == 0
    assert capsys.readouterr().out == first
    assert main(["ca"], {}) == 2


def test_no_router_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    option = f"--edgerouter.runtimedir={tmp_path}"
    assert main(["cert", "ls", option], {}) == 1
    assert f"does not answer at {tmp_path}/control.sock" in capsys.readouterr().err
    assert main(["cert", "renew", option], {}) == 2
