"""Whatever is written, the loader answers with a configuration or with a list of what is wrong."""

import contextlib
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgerouter.config.loader import StaticConfigurationError, load_static
from edgerouter.config.options import OptionTree

NAMES = sorted(
    {name for path, _ in OptionTree({}).walk() for name in path.replace("[0]", "").split(".")}
)
name = st.sampled_from([*NAMES, "a", "docker", "tls[0]", "domains[0]", "domains[3]", "", "x[", "-"])
path = st.lists(name, min_size=1, max_size=6).map(".".join)
value = st.sampled_from(["", "true", "false", "1", "-1", ":80", "1s", "a,b", "x", "[]", "\x00"])
flag = st.builds("--{}{}{}".format, path, st.sampled_from(["=", " ", ""]), value)
scalar = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), value)
document = st.recursive(
    scalar,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(name, st.integers(), st.booleans()), inner, max_size=4),
    ),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "a.yml"


def load(argv: list[str], environ: dict[str, str]) -> None:
    with contextlib.suppress(StaticConfigurationError):
        load_static(argv, environ, {})


@given(st.lists(st.one_of(flag, path, value), max_size=4))
def test_flags(file: Path, argv: list[str]) -> None:
    file.write_text("")
    load([f"--configfile={file}", *argv], {})


@given(st.dictionaries(path.map(lambda text: "TRAEFIK_" + text.replace(".", "_").upper()), value))
def test_environment(file: Path, environ: dict[str, str]) -> None:
    file.write_text("")
    load([f"--configfile={file}"], environ)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(document, st.lists(flag, max_size=2))
def test_file(file: Path, values: object, argv: list[str]) -> None:
    file.write_text(yaml.safe_dump(values))
    load([f"--configfile={file}", *argv], {})


@given(st.text(max_size=40))
def test_any_text_as_a_file(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8", errors="replace")
    load([f"--configfile={file}"], {})
