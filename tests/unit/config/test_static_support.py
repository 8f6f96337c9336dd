"""The tables of options without effect and of options that are gone."""

import pytest

from edgerouter.config.options import OptionTree, segments_of
from edgerouter.config.static.support import (
    UNSUPPORTED,
    matching_prefix,
    removed_hint,
    unsupported,
)


@pytest.mark.parametrize("pattern", [pattern for pattern, _ in UNSUPPORTED])
def test_the_table_names_options_that_exist(pattern: str) -> None:
    OptionTree({}).resolve(segments_of(pattern.replace("*", "name")))


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("a.*.c", "a.b.c.d", "a.b.c"),
        ("a.*.c", "a.b.c", "a.b.c"),
        ("a.*.c", "a.b.d", None),
        ("a.*.c", "a.b", None),
        ("metrics", "metricsx", None),
    ],
)
def test_matching_prefix(pattern: str, path: str, expected: str | None) -> None:
    assert matching_prefix(pattern, path) == expected


def test_one_entry_for_each_group_that_has_no_effect() -> None:
    paths = [
        "entrypoints.web.http3.advertisedport",
        "entrypoints.web.http3",
        "entrypoints.tls.http3",
        "entrypoints.web.address",
        "metrics.prometheus.buckets",
        "metrics.addinternals",
    ]
    assert set(unsupported(paths)) == {"entrypoints.web.http3", "entrypoints.tls.http3", "metrics"}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("pilot.token", "Pilot has ended"),
        ("providers.docker.swarmMode", "providers.swarm"),
        ("providers.consulCatalog.endpoint.tls.caOptional", "leave it out"),
        ("tracing.jaeger.samplingType", "tracing.otlp"),
    ],
)
def test_removed(path: str, words: str) -> None:
    assert words in (removed_hint(path) or "")


def test_what_exists_is_not_removed() -> None:
    assert removed_hint("providers.docker.network") is None
