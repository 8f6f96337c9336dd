"""The tree of options: resolving names and listing them."""

from pathlib import Path

import pytest

from edgerouter.config.options import OptionTree, ProviderNotLoaded, UnknownOption, segments_of
from tests.support.plugin import installed

TREE = OptionTree({})


@pytest.mark.parametrize(
    ("given", "path", "kind"),
    [
        ("LOG.LEVEL", "log.level", "scalar"),
        ("api", "api", "section"),
        ("entrypoints.webSecure.address", "entryPoints.webSecure.address", "scalar"),
        (
            "entrypoints.a.http.tls.domains[1].SANS",
            "entryPoints.a.http.tls.domains[1].sans",
            "list",
        ),
        ("accesslog.fields.headers.names.User-Agent", None, "scalar"),
        (
            "tracing.resourceattributes.service.name",
            "tracing.resourceAttributes.service.name",
            None,
        ),
        ("providers.consul.tls.ca", "providers.consul.tls.ca", "anything"),
        ("entrypoints.a.http.middlewares[1]", "entryPoints.a.http.middlewares[1]", "scalar"),
        ("global.checknewversion", "global.checkNewVersion", "switch"),
    ],
)
def test_resolve(given: str, path: str | None, kind: str | None) -> None:
    segments, option = TREE.resolve(segments_of(given))
    if path is not None:
        assert ".".join(str(segment) for segment in segments) == path
    if kind is not None:
        assert option.kind == kind


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("lgo.level", 'unknown option "lgo"; did you mean "log"?'),
        ("providers.dokcer", 'unknown option "dokcer"; did you mean "docker"?'),
        ("providers.enabled", 'unknown option "enabled"'),
        ("log.level.x", '"log.level" takes a value and has no option "x"'),
        ("entrypoints.a.http.tls.domains.main", "write domains[0]"),
        ("log[0].level", '"log" is not a list; leave [0] out'),
        ("log..level", "is not the name of an option"),
        ("", "is not the name of an option"),
    ],
)
def test_unknown(given: str, words: str) -> None:
    with pytest.raises(UnknownOption) as caught:
        TREE.resolve(segments_of(given))
    assert words in str(caught.value)


def test_a_provider_is_loaded_when_it_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tree = OptionTree(installed(monkeypatch, tmp_path))
    segments, option = tree.resolve(segments_of("providers.DOCKER.exposedbydefault"))
    assert str(segments[-1]) == "exposedByDefault"
    assert option.kind == "switch"
    paths = dict(tree.walk())
    assert paths["providers.docker"].allow_empty
    assert paths["providers.docker.network"].description == "Which."


def test_a_provider_that_cannot_be_imported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tree = OptionTree(installed(monkeypatch, tmp_path, source="import no_such_module_at_all"))
    with pytest.raises(ProviderNotLoaded, match="no_such_module_at_all"):
        tree.resolve(segments_of("providers.docker.network"))
    assert "cannot be loaded" in dict(tree.walk())["providers.docker"].description


def test_walk_lists_every_option_once_with_words() -> None:
    options = list(TREE.walk())
    paths = [path for path, _ in options]
    assert len(paths) == len(set(paths))
    assert all(option.description for _, option in options)
    assert {"entryPoints.<name>.http.tls.domains[0].main", "metrics.statsD"} <= set(paths)
