import logging
from pathlib import Path

import pytest

from edgerouter.config.document import EXTENSIONS
from edgerouter_file.load import find_files, load_text

PATH = Path("/etc/edgerouter/dynamic.yml")
ROUTER = "http: {routers: {api: {rule: Host(`a`), service: api@docker}}}"


def test_plain_file() -> None:
    loaded = load_text(ROUTER, PATH, provider="file")
    assert loaded.is_good
    assert loaded.configuration is not None
    assert loaded.configuration.http.routers["api"].rule == "Host(`a`)"
    assert loaded.configuration.sources["http.routers.api"] == str(PATH)


def test_a_mistake_names_file_line_and_key() -> None:
    text = "http:\n  routers:\n    api:\n      rul: Host(`a`)\n"
    loaded = load_text(text, PATH, provider="file")
    assert not loaded.is_good
    assert str(loaded.diagnostics[0]).startswith(f"{PATH}:4, http.routers.api.rul: unknown option")
    assert 'did you mean "rule"' in str(loaded.diagnostics[0])


@pytest.mark.parametrize("path", [PATH, PATH.with_suffix(".toml")])
def test_a_syntax_error_is_one_diagnostic(path: Path) -> None:
    loaded = (
        load_text("a = [\n", path, provider="file")
        if path.suffix == ".toml"
        else load_text("a: [\n", path, provider="file")
    )
    assert loaded.configuration is None
    (diagnostic,) = loaded.diagnostics
    assert diagnostic.source.startswith(f"{path}:")


def test_template(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("DOMAIN", "Example.com")
    text = """\
http:
  routers:
{{ range $name := split "a,b" "," }}
    {{ $name }}:
      rule: Host(`{{ $name }}.{{ env "DOMAIN" | lower }}`)
      service: {{ normalize "my_service" }}
{{ end }}
"""
    with caplog.at_level(logging.DEBUG):
        loaded = load_text(text, PATH, provider="file", log_template=True)
    assert loaded.configuration is not None
    assert {n: r.rule for n, r in loaded.configuration.http.routers.items()} == {
        "a": "Host(`a.example.com`)",
        "b": "Host(`b.example.com`)",
    }
    assert loaded.configuration.http.routers["a"].service == "my-service"
    assert "Host(`b.example.com`)" in caplog.text


def test_a_broken_template_names_its_line() -> None:
    (diagnostic,) = load_text("a: 1\nb: {{ nothing }}\n", PATH, provider="file").diagnostics
    assert diagnostic.source == f"{PATH}:2"
    assert "the template cannot be used" in diagnostic.message


def test_files_of_a_directory(tmp_path: Path) -> None:
    for name in ("b.yml", "a/z.toml", "c.YAML", "notes.txt", "..data/b.yml", ".hidden.yml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    found = [str(path.relative_to(tmp_path)) for path in find_files(tmp_path, EXTENSIONS)]
    assert found == [".hidden.yml", "a/z.toml", "b.yml", "c.YAML"]
