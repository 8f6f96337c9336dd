import pytest

from edgerouter.config import document as documents
from edgerouter.config.document import DocumentError, parse_document

YAML = """\
http:
  routers:
    api:
      rule: Host(`a`)
      entryPoints: [web,
        websecure]
  services:
    api:
      loadBalancer:
        servers:
          - url: http://10.0.0.1
          - url: http://10.0.0.2
"""
TOML = """\
# comment
[http.routers.api]
  rule = "Host(`a`)"

[[http.services.api.loadBalancer.servers]]
  url = "http://10.0.0.1"
[[http.services.api.loadBalancer.servers]]
  url = "http://10.0.0.2"
[http.middlewares."a.b".addPrefix]
prefix = "/x"
"""


def test_yaml_lines() -> None:
    document = parse_document(YAML, ".yml")
    assert document.line_of("http.routers.api.rule") == 4
    assert document.line_of("http.routers.api.entryPoints[1]") == 6
    assert document.line_of("http.services.api.loadBalancer.servers[1].url") == 12
    assert document.line_of("http.services.API.loadbalancer.nothing.there") == 9
    assert document.line_of("tcp") == 0


@pytest.mark.parametrize(("text", "extension"), [(YAML, ".yml"), (TOML, ".toml")])
def test_a_byte_order_mark_is_no_content(text: str, extension: str) -> None:
    assert parse_document(f"\ufeff{text}", extension) == parse_document(text, extension)


def test_toml_lines() -> None:
    document = parse_document(TOML, ".toml")
    assert document.line_of("http.routers.api.rule") == 3
    assert document.line_of("http.services.api.loadBalancer.servers[0].url") == 6
    assert document.line_of("http.services.api.loadBalancer.servers[1].url") == 8
    assert document.values["http"]["routers"]["api"]["rule"] == "Host(`a`)"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("12", 12),
        ("012", "012"),
        ("1:30", "1:30"),
        ("2026-01-02", "2026-01-02"),
        ("1.5", 1.5),
        ("~", None),
        ("", None),
        ("'12'", "12"),
    ],
)
def test_yaml_scalars_are_those_of_version_1_2(text: str, value: object) -> None:
    assert parse_document(f"x: {text}", ".yaml").values == {"x": value}


def test_anchors_and_merges() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a\n"
    assert parse_document(text, ".yml").values == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 3},
        "c": {"x": 1, "y": 2},
    }


@pytest.mark.parametrize("text", ["", "\n# nothing\n", "---\n", "~"])
def test_empty(text: str) -> None:
    assert parse_document(text, ".yml").values == {}


@pytest.mark.parametrize(
    ("text", "extension", "line", "message"),
    [
        ("a: [1\nb: 2\n", ".yml", 2, "not valid YAML"),
        ("a: 1\nb: 2\na: 3\n", ".yml", 3, '"a" stands twice'),
        ("- a\n", ".yml", 1, "expected options by name"),
        ("text", ".yml", 1, "expected options by name"),
        ("a: 1\n? [x]\n: 2\n", ".yml", 2, "a name must be a text"),
        ("a: &a\n  b: *a\n", ".yml", 1, "alias"),
        ("a: 1\n---\nb: 2\n", ".yml", 2, "another document"),
        ("a: \x00\n", ".yml", 0, "not valid YAML"),
        ("a: !!python/object:os.system {}\n", ".yml", 1, "could not determine a constructor"),
        ("a = 1\nb = \n", ".toml", 2, "not valid TOML"),
        ("a = 1\na = 2\n", ".toml", 2, "not valid TOML"),
    ],
)
def test_mistakes_have_a_line(text: str, extension: str, line: int, message: str) -> None:
    with pytest.raises(DocumentError) as error:
        parse_document(text, extension)
    assert message in str(error.value)
    assert error.value.line == line


@pytest.mark.parametrize("extension", [".yml", ".toml"])
def test_what_is_nested_too_deeply(extension: str) -> None:
    nested = "[" * 10_000 + "]" * 10_000
    text = f"a: {nested}" if extension == ".yml" else f"a = {nested}"
    with pytest.raises(DocumentError, match="nested too deeply"):
        parse_document(text, extension)


@pytest.mark.parametrize(
    "text",
    [
        YAML,
        "a: &x {b: 1, c: [yes, 012, ~]}\nd: {<<: *x, c: 2}\ne: *x\n",
        "# first\na: |\n  two\n  lines\nb: >-\n  one\n  line\n\n'c d': \"\\u00e9\" # last\n",
        "é: ü\r\nlist:\r\n- 1.5\r\n- - x\r\n  - y\r\n",
        "",
        "---\n...\n",
    ],
    ids=["routers", "anchors", "texts", "unicode", "empty", "nothing"],
)
@pytest.mark.parametrize("folds_case", [False, True])
def test_both_readers_of_yaml_read_the_same(text: str, folds_case: bool) -> None:
    fast, slow = (
        documents._read(kind, text, folds_case=folds_case)
        for kind in (documents._FastLoader, documents._Loader)
    )
    assert fast == slow


def test_text_that_is_no_unicode() -> None:
    with pytest.raises(DocumentError, match="not valid YAML"):
        parse_document("a: \ud800", ".yml")
