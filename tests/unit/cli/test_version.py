"""``edgerouter version`` and its template."""

import pytest

from edgerouter import __version__
from edgerouter.build import build
from edgerouter.cli import main


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"], {}) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["Version:", __version__]
    assert [line.split(":")[0] for line in lines] == [
        "Version",
        "Python version",
        "Build",
        "OS/Arch",
    ]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--format={{.Version}}"], __version__),
        (["--format", "{{ .Version }}"], __version__),
        (["-f", "v{{.Version}}!"], f"v{__version__}!"),
        (["--format={{.Os}}"], "linux"),
        (["--format={{.Build}}"], build()),
    ],
)
def test_format(argv: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version", *argv], {}) == 0
    assert capsys.readouterr().out == f"{expected}\n"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--format={{.GoVersion}}"], "knows no .GoVersion; use {{.Version}}"),
        (["--format={{if .Version}}x{{end}}"], "knows no such a template"),
        (["--format"], "usage: edgerouter version"),
        (["--format=x", "y"], "usage: edgerouter version"),
        (["--long"], "usage: edgerouter version"),
        (["x"], "usage: edgerouter version"),
    ],
)
def test_wrong_use(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version", *argv], {}) == 2
    assert words in capsys.readouterr().err
