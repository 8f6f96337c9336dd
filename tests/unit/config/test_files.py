"""The configuration file: where it is found and how YAML and TOML are read."""

from pathlib import Path

import pytest

from edgerouter.config.files import FileProblem, find_file, read_file, search_paths
from edgerouter.config.raw import Origin


def read(folder: Path, text: str, name: str = "a.yml") -> dict[str, object]:
    path = folder / name
    path.write_text(text)
    return read_file(path)[0].values


def test_search_order() -> None:
    paths = [str(path) for path in search_paths({"HOME": "/h", "XDG_CONFIG_HOME": "/x"})]
    assert paths[::3] == [
        "/etc/edgerouter/edgerouter.toml",
        "/x/edgerouter.toml",
        "/h/.config/edgerouter.toml",
        "edgerouter.toml",
        "/etc/traefik/traefik.toml",
        "/x/traefik.toml",
        "/h/.config/traefik.toml",
        "traefik.toml",
    ]
    assert paths[:3] == [f"/etc/edgerouter/edgerouter.{end}" for end in ("toml", "yaml", "yml")]


def test_the_first_file_that_exists(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    (tmp_path / ".config").mkdir()
    traefik = tmp_path / ".config" / "traefik.yml"
    traefik.write_text("")
    assert find_file(environ) == (traefik, {})
    ours = tmp_path / ".config" / "edgerouter.yaml"
    ours.write_text("")
    assert find_file(environ) == (ours, {})


def test_folders_that_do_not_let_us_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one of another user; root may look everywhere, but not below too long a name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "edgerouter.yml").write_text("")
    home = f"/{'x' * 300}"
    found, closed = find_file({"HOME": home})
    assert found == Path("edgerouter.yml")
    assert closed == {Path(home) / ".config": "File name too long"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("# nothing", {}),
        ("a: on\nb: yes\nc: true", {"a": "on", "b": "yes", "c": True}),
        ("a: 12:30\nb: 2024-01-01\nc: :80", {"a": "12:30", "b": "2024-01-01", "c": ":80"}),
        ("a: 010\nb: 10\nc: -1\nd: 1.5", {"a": "010", "b": 10, "c": -1, "d": 1.5}),
        ("80: x\ntrue: y", {"80": "x", "true": "y"}),
        ("a: &x {b: 1}\nc: {<<: *x, b: 2}", {"a": {"b": 1}, "c": {"b": 2}}),
        ("a: {}\nb: []", {"a": {}, "b": []}),
    ],
)
def test_yaml(tmp_path: Path, text: str, expected: dict[str, object]) -> None:
    assert read(tmp_path, text) == expected


def test_toml(tmp_path: Path) -> None:
    text = '[entryPoints.web]\naddress = ":80"\n[log]\nmaxSize = 3\n'
    expected = {"entryPoints": {"web": {"address": ":80"}}, "log": {"maxSize": 3}}
    assert read(tmp_path, text, "a.toml") == expected


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.yml", "a: 1\nb: [", "not valid YAML: line 2"),
        ("a.yml", "log: {level: a, LEVEL: b}", 'line 1, column 17: "LEVEL" stands twice'),
        ("a.yml", "- a", "must hold options by name"),
        ("a.yml", "a: !!python/name:os.system x", "not valid YAML"),
        ("a.yml", "a: 1\n---\nb: 2", "not valid YAML"),
        ("a.toml", "a = ", "not valid TOML"),
        ("a.toml", "a = 1\na = 2", "not valid TOML"),
        ("a.json", "{}", "use .yml, .yaml or .toml"),
    ],
)
def test_broken_files(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(FileProblem) as caught:
        read(tmp_path, text, name)
    assert words in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="No such file"):
        read_file(tmp_path / "none.yml")
    (tmp_path / "b.yml").write_bytes(b"a: \xff")
    with pytest.raises(FileProblem, match="not UTF-8"):
        read_file(tmp_path / "b.yml")


def test_origins_and_empty_options(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text("api:\nentryPoints: {Web: {http: {tls: {domains: [{main: a}]}}}}")
    raw, empty = read_file(path)
    assert empty == ["api"]
    found = raw.origin_of("entrypoints.web.http.tls.domains[0].main")
    assert found == Origin(str(path), "entryPoints.Web.http.tls.domains[0].main")
