"""Environment variables: where one name ends and the next begins."""

from pathlib import Path

import pytest

from edgerouter.config.environment import parse_environment
from edgerouter.config.options import OptionTree
from tests.support.plugin import installed

TREE = OptionTree({})


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("TRAEFIK_LOG_LEVEL", {"log": {"level": "x"}}),
        ("EDGEROUTER_LOG_LEVEL", {"log": {"level": "x"}}),
        ("EDGEROUTER_WORKERS", {"edgerouter": {"workers": "x"}}),
        ("EDGEROUTER_EDGEROUTER_WORKERS", {"edgerouter": {"workers": "x"}}),
        ("TRAEFIK_EDGEROUTER_WORKERS", {"edgerouter": {"workers": "x"}}),
        ("EDGEROUTER_RUNTIMEDIR", {"edgerouter": {"runtimeDir": "x"}}),
        ("TRAEFIK_API", {"api": "x"}),
        ("TRAEFIK_ENTRYPOINTS_WEB_ADDRESS", {"entryPoints": {"web": {"address": "x"}}}),
        ("TRAEFIK_ENTRYPOINTS_MY_WEB_ADDRESS", {"entryPoints": {"my_web": {"address": "x"}}}),
        ("TRAEFIK_ENTRYPOINTS_HTTP_ADDRESS", {"entryPoints": {"http": {"address": "x"}}}),
        (
            "TRAEFIK_ENTRYPOINTS_HTTP_HTTP_SANITIZEPATH",
            {"entryPoints": {"http": {"http": {"sanitizePath": "x"}}}},
        ),
        (
            "TRAEFIK_ENTRYPOINTS_A_HTTP_TLS_DOMAINS_0_MAIN",
            {"entryPoints": {"a": {"http": {"tls": {"domains": [{"main": "x"}]}}}}},
        ),
        (
            "TRAEFIK_ENTRYPOINTS_A_HTTP_TLS_DOMAINS[0]_MAIN",
            {"entryPoints": {"a": {"http": {"tls": {"domains": [{"main": "x"}]}}}}},
        ),
        (
            "TRAEFIK_ACCESSLOG_FIELDS_NAMES_CLIENT_HOST",
            {"accessLog": {"fields": {"names": {"client_host": "x"}}}},
        ),
        ("TRAEFIK_PROVIDERS_REDIS_DB", {"providers": {"redis": {"db": "x"}}}),
    ],
)
def test_names(variable: str, expected: dict[str, object]) -> None:
    environment = parse_environment({variable: "x", "HOME": "/"}, TREE)
    assert environment.problems == []
    assert environment.options.values == expected


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("TRAEFIK_LGO_LEVEL", 'unknown option "lgo"; did you mean "log"?'),
        ("TRAEFIK_LOG_LEVL", 'unknown option "levl"; did you mean "level"?'),
        ("EDGEROUTER_WORKES", 'unknown option "workes"; did you mean "workers"?'),
        ("EDGEROUTER_LGO_LEVEL", 'did you mean "log"?'),
        ("TRAEFIK_WORKERS", 'unknown option "workers"'),
        ("TRAEFIK_ENTRYPOINTS_WEB_ADRESS", 'unknown option "adress"; did you mean "address"?'),
        ("TRAEFIK_LOG_LEVEL_X", "takes a value"),
        ("TRAEFIK_ENTRYPOINTS_A_HTTP_TLS_DOMAINS_MAIN", "list of groups"),
        ("TRAEFIK_LOG[0]_LEVEL", "not a list"),
        ("TRAEFIK_", '"" is not the name of an option'),
        ("TRAEFIK_LOG__LEVEL", '"" is not the name of an option'),
    ],
)
def test_unknown(variable: str, words: str) -> None:
    ((origin, _, message),) = parse_environment({variable: "x"}, TREE).problems
    assert (origin.source, origin.key) == ("environment", variable)
    assert words in message


def test_an_option_of_an_installed_provider(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tree = OptionTree(installed(monkeypatch, tmp_path))
    environment = parse_environment({"TRAEFIK_PROVIDERS_DOCKER_EXPOSEDBYDEFAULT": "false"}, tree)
    assert environment.options.values == {"providers": {"docker": {"exposedByDefault": "false"}}}


def test_our_prefix_is_stronger() -> None:
    both = {"TRAEFIK_LOG_LEVEL": "INFO", "EDGEROUTER_LOG_LEVEL": "DEBUG"}
    assert parse_environment(both, TREE).options.values == {"log": {"level": "DEBUG"}}


@pytest.mark.parametrize("prefix", ["TRAEFIK", "EDGEROUTER"])
def test_config_file(prefix: str) -> None:
    assert parse_environment({f"{prefix}_CONFIGFILE": "a.yml"}, TREE).config_file == "a.yml"


def test_variables_of_a_neighbouring_container_or_service_are_left_alone() -> None:
    links = {
        "TRAEFIK_NAME": "/web/traefik",
        "TRAEFIK_PORT": "tcp://10.0.0.2:80",
        "TRAEFIK_PORT_80_TCP": "tcp://10.0.0.2:80",
        "TRAEFIK_PORT_80_TCP_ADDR": "10.0.0.2",
        "EDGEROUTER_SERVICE_HOST": "10.0.0.2",
        "EDGEROUTER_SERVICE_PORT_HTTP": "80",
        "TRAEFIK_ENV_PATH": "/bin",
    }
    environment = parse_environment(links, TREE)
    assert (environment.problems, environment.options.values) == ([], {})
