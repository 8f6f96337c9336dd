"""The root ``edgerouter`` of files."""

from edgerouter.config.labels import decode_mapping

FILE = {
    "http": {
        "routers": {
            "app": {"rule": "Host(`a.test`)", "service": "s", "middlewares": ["gzip"]},
            "other": {"rule": "Host(`b.test`)", "service": "s"},
        },
        "services": {"s": {"loadBalancer": {"servers": [{"url": "http://a:1"}]}}},
        "middlewares": {"gzip": {"compress": {}}},
    },
    "edgerouter": {
        "HTTP": {
            "routers": {"app": {"Middlewares": ["gzip", "id"]}},
            "middlewares": {"id": {"requestId": {}}, "App": {"via": {}}},
        }
    },
}


def test_it_is_laid_over_the_rest_option_by_option() -> None:
    configuration, diagnostics = decode_mapping(FILE, "f.yml", "file")
    assert diagnostics == []
    http = configuration.http
    assert http.routers["app"].middlewares == ["gzip", "id"]
    assert http.routers["app"].rule == "Host(`a.test`)"
    assert http.routers["other"].middlewares == []
    assert {name: each.type for name, each in http.middlewares.items()} == {
        "gzip": "compress",
        "id": "requestId",
        "App": "via",
    }
    assert configuration.keys["http.middlewares.gzip"] == "http.middlewares.gzip"


def test_mistakes_are_told_where_they_stand() -> None:
    content = {**FILE, "edgerouter": {"http": {"routers": {"app": {"rul": "x", "priority": "y"}}}}}
    _, diagnostics = decode_mapping(content, "f.yml", "file")
    assert [found.key for found in diagnostics] == [
        "edgerouter.http.routers.app.rul",
        "edgerouter.http.routers.app.priority",
    ]


def test_it_may_be_all_there_is() -> None:
    configuration, diagnostics = decode_mapping(
        {"edgerouter": {"http": {"middlewares": {"id": {"requestId": {}}}}}}, "f.yml", "file"
    )
    assert diagnostics == []
    assert configuration.keys["http.middlewares.id"] == "edgerouter.http.middlewares.id"


def test_something_else_is_a_mistake() -> None:
    _, diagnostics = decode_mapping({"edgerouter": "x"}, "f.yml", "file")
    assert [found.key for found in diagnostics] == ["edgerouter"]
