"""Flags: every way of writing them, and what is refused."""

import pytest

from edgerouter.config.flags import parse_flags
from edgerouter.config.options import OptionTree

TREE = OptionTree({})
WEB = "entryPoints.web"


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--log.level=DEBUG"], {"log": {"level": "DEBUG"}}),
        (["-log.level=DEBUG"], {"log": {"level": "DEBUG"}}),
        (["--LOG.Level", "DEBUG"], {"log": {"level": "DEBUG"}}),
        (["--log.filepath="], {"log": {"filePath": ""}}),
        (["--log.filepath=a=b"], {"log": {"filePath": "a=b"}}),
        (["--api"], {"api": "true"}),
        (["--api=false"], {"api": "false"}),
        (["--api.insecure"], {"api": {"insecure": "true"}}),
        (["--api.insecure", "false"], {"api": {"insecure": "false"}}),
        (["--api", "--api.debug"], {"api": {"": "true", "debug": "true"}}),
        (["--api.debug", "--api"], {"api": {"": "true", "debug": "true"}}),
        (["--ping", "--api"], {"ping": "true", "api": "true"}),
        (["--log.maxage", "-1"], {"log": {"maxAge": "-1"}}),
        (["--log.level=a", "--log.level=b"], {"log": {"level": "b"}}),
        (
            [f"--{WEB}.http.middlewares=a@file,b@file", f"--{WEB}.http.middlewares=c@file"],
            {"entryPoints": {"web": {"http": {"middlewares": "a@file,b@file,c@file"}}}},
        ),
        (
            [f"--{WEB}.http.tls.domains[1].main=b", f"--{WEB}.http.tls.domains[0].main=a"],
            {
                "entryPoints": {
                    "web": {"http": {"tls": {"domains": [{"main": "a"}, {"main": "b"}]}}}
                }
            },
        ),
        (["--entrypoints.webSecure.address=:1"], {"entryPoints": {"webSecure": {"address": ":1"}}}),
        (["--providers.consul", "--ping"], {"providers": {"consul": "true"}, "ping": "true"}),
        (["--providers.consul.token", "x"], {"providers": {"consul": {"token": "x"}}}),
    ],
)
def test_values(argv: list[str], expected: dict[str, object]) -> None:
    flags = parse_flags(argv, TREE)
    assert flags.problems == []
    assert flags.options.values == expected


@pytest.mark.parametrize(
    ("argv", "key", "words"),
    [
        (["--lgo.level=x"], "--lgo.level", 'did you mean "log"?'),
        (["--lgo.level", "x"], "--lgo.level", 'did you mean "log"?'),
        (["--log.level"], "--log.level", "needs a value (text)"),
        (["--log.level", "--api"], "--log.level", "needs a value (text)"),
        (["--log.maxsize"], "--log.maxsize", "needs a value (int)"),
        (["web"], "web", "unexpected argument"),
        (["--"], "--", "unexpected argument"),
        (["--api", "yes"], "yes", "unexpected argument"),
        (["--configfile"], "--configfile", "needs the path of a file"),
    ],
)
def test_problems(argv: list[str], key: str, words: str) -> None:
    ((origin, _, message),) = parse_flags(argv, TREE).problems
    assert origin.key == key
    assert origin.source == "command line"
    assert words in message


@pytest.mark.parametrize("argv", [["--configFile=a.yml"], ["--configfile", "a.yml"]])
def test_config_file(argv: list[str]) -> None:
    flags = parse_flags(argv, TREE)
    assert flags.config_file == "a.yml"
    assert flags.options.values == {}
