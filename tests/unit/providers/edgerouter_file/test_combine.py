from edgerouter.config.labels import decode_mapping
from edgerouter_file.combine import combine


def test_the_first_definition_counts_and_the_second_is_reported() -> None:
    first, _ = decode_mapping(
        {"http": {"routers": {"a": {"rule": "Host(`1`)"}}}, "tls": {"certificates": [CERT]}},
        "1.yml",
        "file",
    )
    second, _ = decode_mapping(
        {
            "http": {
                "routers": {"a": {"rule": "Host(`2`)"}, "b": {"rule": "Host(`b`)"}},
                "services": {"a": {"loadBalancer": {"servers": []}}},
            },
            "tls": {"certificates": [CERT, {"certFile": "2"}], "options": {"default": {}}},
        },
        "2.yml",
        "file",
    )
    configuration, diagnostics = combine([first, second], provider="file")
    assert {n: r.rule for n, r in configuration.http.routers.items()} == {
        "a": "Host(`1`)",
        "b": "Host(`b`)",
    }
    assert set(configuration.http.services) == {"a"}
    assert [c.cert_file for c in configuration.tls.certificates] == ["1", "2"]
    assert configuration.sources["tls.certificates[1]"] == "2.yml"
    assert configuration.sources["http.routers.a"] == "1.yml"
    assert set(configuration.tls.options) == {"default"}
    assert [str(d) for d in diagnostics] == [
        "2.yml, http.routers.a: already configured in 1.yml, skipped here; use another name"
    ]


CERT = {"certFile": "1", "keyFile": "1"}


def test_errors_go_with_their_element() -> None:
    broken, _ = decode_mapping({"http": {"routers": {"a": {"rul": "x"}}}}, "1.yml", "file")
    configuration, _ = combine([broken], provider="file")
    assert "http.routers.a" in configuration.errors


def test_nothing() -> None:
    configuration, diagnostics = combine([], provider="file")
    assert configuration.http.routers == {}
    assert diagnostics == []
