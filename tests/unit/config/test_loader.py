"""All sources together: precedence, messages, warnings, providers, the compatible mode."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from edgerouter.config.loader import LoadedStatic, StaticConfigurationError, load_static
from tests.support.plugin import installed

Load = Callable[..., LoadedStatic]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Load:
    plugins = installed(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)

    def run(
        argv: Sequence[str] = (), environ: Mapping[str, str] | None = None, file: str = ""
    ) -> LoadedStatic:
        if file:
            (tmp_path / "traefik.yml").write_text(file)
        return load_static(argv, environ or {}, plugins)

    return run


def errors(load: Load, *args: object, **kwargs: object) -> list[str]:
    with pytest.raises(StaticConfigurationError) as caught:
        load(*args, **kwargs)
    assert all(diagnostic.severity == "error" for diagnostic in caught.value.diagnostics)
    return [str(diagnostic) for diagnostic in caught.value.diagnostics]


def warnings(loaded: LoadedStatic) -> list[str]:
    assert all(diagnostic.severity == "warning" for diagnostic in loaded.warnings)
    return [str(diagnostic) for diagnostic in loaded.warnings]


def test_nothing_at_all(load: Load) -> None:
    loaded = load()
    assert list(loaded.configuration.entry_points) == ["http"]
    assert (loaded.warnings, loaded.sources) == ([], ())


def test_flags_over_environment_over_file(load: Load) -> None:
    loaded = load(
        ["--LOG.FORMAT=json"],
        {"TRAEFIK_LOG_FORMAT": "common", "TRAEFIK_LOG_MAXSIZE": "2"},
        "log: {format: common, maxSize: 1, maxAge: 1}",
    )
    log = loaded.configuration.log
    assert (log.format, log.max_size, log.max_age) == ("json", 2, 1)
    assert loaded.sources == ("traefik.yml",)


def test_an_entry_point_from_three_sources(load: Load) -> None:
    loaded = load(
        ["--entrypoints.websecure.address=:3"],
        {"TRAEFIK_ENTRYPOINTS_WEBSECURE_REUSEPORT": "true"},
        "entryPoints: {webSecure: {address: ':1', asDefault: true}}",
    )
    ((name, entry_point),) = loaded.configuration.entry_points.items()
    assert name == "webSecure"
    assert entry_point.address == ":3"
    assert entry_point.reuse_port
    assert entry_point.as_default


def test_config_file_of_the_flag_and_of_the_environment(load: Load, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[log]\nlevel = 'INFO'\n")
    (tmp_path / "b.toml").write_text("[log]\nlevel = 'WARN'\n")
    environ = {"TRAEFIK_CONFIGFILE": "b.toml"}
    assert load([], environ).configuration.log.level == "WARN"
    assert load(["--configFile=a.toml"], environ).configuration.log.level == "INFO"
    assert errors(load, ["--configFile=none.yml"]) == [
        "none.yml: cannot be read: No such file or directory"
    ]


def test_a_folder_that_cannot_be_looked_into_is_told(load: Load) -> None:
    home = f"/{'x' * 300}"
    loaded = load([], {"HOME": home}, "log: {level: WARN}")
    assert loaded.configuration.log.level == "WARN"
    assert warnings(loaded) == [
        f"{home}/.config: cannot be looked into for a configuration file: File name too long"
    ]


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--api=foo", '--api: is switched off by "foo"; write true to switch it on'),
        ("--ping= true", '--ping: is switched off by " true"; write true to switch it on'),
        ("--entrypoints.web=foo", '--entryPoints.web: the group has options only; "foo" has no'),
    ],
)
def test_switches_that_are_neither_on_nor_off(load: Load, flag: str, message: str) -> None:
    loaded = load([flag, "--entrypoints.web.address=:80"])
    (warning,) = warnings(loaded)
    assert warning.lower().startswith(f"command line, {message}".lower())
    assert (loaded.configuration.api, loaded.configuration.ping) == (None, None)


@pytest.mark.parametrize(
    ("flags", "domains"),
    [
        (["[1].main=q"], [("x", ["y"]), ("q", [])]),
        (["[0].sans=s", "[2].main=n"], [("x", ["s"]), ("z", []), ("n", [])]),
    ],
)
def test_elements_of_a_list_of_groups_are_merged_by_position(
    load: Load, flags: list[str], domains: list[tuple[str, list[str]]]
) -> None:
    path = "--entrypoints.web.http.tls.domains"
    tls = "{domains: [{main: x, sans: [y]}, {main: z}]}"
    file = f"entryPoints: {{web: {{address: ':1', http: {{tls: {tls}}}}}}}"
    loaded = load([f"{path}{flag}" for flag in flags], {}, file)
    found = loaded.configuration.entry_points["web"].http.tls
    assert found is not None
    assert [(domain.main, domain.sans) for domain in found.domains] == domains


def test_the_largest_head_may_be_left_to_the_router(load: Load) -> None:
    flags = ["--entrypoints.web.address=:80", "--entrypoints.web.http.maxheaderbytes=0"]
    assert load(flags).configuration.entry_points["web"].http.max_header_bytes == 0


@pytest.mark.parametrize("names", ["docker", "Docker,FILE", "kubernetescrd,file"])
def test_precedence(load: Load, names: str) -> None:
    loaded = load([f"--providers.precedence={names}"])
    assert loaded.configuration.providers.precedence == names.split(",")


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("metrics=false", "no metrics are recorded"),
        ("tracing=false", "no traces are recorded"),
        ("traceVerbosity=detailed", "no traces are recorded"),
    ],
)
def test_what_is_not_recorded_is_told(load: Load, option: str, reason: str) -> None:
    name, _, value = option.partition("=")
    start = "--entryPoints.web.observability"
    loaded = load(["--entryPoints.web.address=:80", f"{start}.{name}={value}"])
    assert warnings(loaded) == [f"command line, {start}.{name}: is not supported yet: {reason}"]


@pytest.mark.parametrize(
    ("argv", "environ", "file", "expected"),
    [
        (
            ["--providers.precedence=dokcer,file"],
            {},
            "",
            (
                'command line, --providers.precedence: there is no provider "dokcer";'
                ' did you mean "docker"?'
            ),
        ),
        (
            ["--entrypoints.web.address=:80", "--entrypoints.web.http.maxheaderbytes=-1"],
            {},
            "",
            ("command line, --entrypoints.web.http.maxheaderbytes: expected at least 0, got -1"),
        ),
        (
            ["--entrypoints.web.address=:80", "--entrypoints.web.http.aliasheadersstrategy=x"],
            {},
            "",
            (
                "command line, --entrypoints.web.http.aliasheadersstrategy: expected one of keep,"
                ' delete, reject; got "x"'
            ),
        ),
        (
            [],
            {},
            "http: {routers: {a: {rule: 'Path(`/`)'}}}",
            (
                'traefik.yml, http: "http" is dynamic configuration: write it to a file of its own,'
                " and name that in providers.file.filename"
            ),
        ),
        (
            ["--http.routers.a.rule=x"],
            {},
            "",
            (
                'command line, --http.routers.a.rule: "http" is dynamic configuration: write it to'
                " a file of its own, and name that in providers.file.filename"
            ),
        ),
        (
            ["--entryPoints.web.adress=:80"],
            {},
            "",
            (
                'command line, --entryPoints.web.adress: unknown option "adress"; did you mean'
                ' "address"?'
            ),
        ),
        (
            ["--log.format=xml"],
            {},
            "",
            'command line, --log.format: expected one of common, json; got "xml"',
        ),
        (
            ["--log.level=loud"],
            {},
            "",
            (
                "command line, --log.level: expected one of TRACE, DEBUG, INFO, WARN, ERROR, FATAL,"
                ' PANIC; got "loud"'
            ),
        ),
        (
            [],
            {"EDGEROUTER_WORKERS": "many"},
            "",
            'environment, EDGEROUTER_WORKERS: edgerouter.workers: expected an integer, got "many"',
        ),
        (
            [],
            {"TRAEFIK_LOG_LEVL": "x"},
            "",
            'environment, TRAEFIK_LOG_LEVL: unknown option "levl"; did you mean "level"?',
        ),
        (
            [],
            {},
            "lgo: {level: INFO}",
            'traefik.yml, lgo: unknown option "lgo"; did you mean "log"?',
        ),
        (
            [],
            {},
            "entryPoints: {web: {address: ':80', http: {sanitisePath: true}}}",
            (
                "traefik.yml, entryPoints.web.http.sanitisePath: unknown option"
                ' "sanitisePath"; did you mean "sanitizePath"?'
            ),
        ),
        (
            [],
            {},
            "log: [",
            (
                "traefik.yml: is not valid YAML: line 1, column 7: expected the node content, but"
                " found '<stream end>'"
            ),
        ),
        (
            [],
            {},
            "providers: {dokcer: {}}",
            'traefik.yml, providers.dokcer: unknown option "dokcer"; did you mean "docker"?',
        ),
        (
            [],
            {},
            "providers: {docker: {netwrok: a}}",
            (
                'traefik.yml, providers.docker.netwrok: unknown option "netwrok"; did you mean'
                ' "network"?'
            ),
        ),
        (
            [],
            {},
            "providers: {docker: maybe}",
            'traefik.yml, providers.docker: expected options or true, got "maybe"',
        ),
        (
            [],
            {},
            "providers: {docker: {swarmMode: true}}",
            (
                "traefik.yml, providers.docker.swarmMode: this option of Traefik v2 does not exist"
                " any more; use providers.swarm"
            ),
        ),
        (
            ["--entrypoints.a.address=:80"],
            {"TRAEFIK_ENTRYPOINTS_B_ADDRESS": ":80"},
            "",
            (
                'command line, --entrypoints.a.address: ":80" is also the'
                ' address of the entry point "b"; give one of them another port'
            ),
        ),
        (
            ["--entrypoints.a.asdefault"],
            {},
            "",
            (
                "command line, --entrypoints.a.asdefault: entryPoints.a.address: is missing; write"
                ' [host]:port, such as ":80"'
            ),
        ),
    ],
)
def test_messages(
    load: Load, argv: list[str], environ: dict[str, str], file: str, expected: str
) -> None:
    assert errors(load, argv, environ, file) == [expected]


def test_one_start_shows_everything_that_is_wrong(load: Load) -> None:
    found = errors(load, ["--lgo=1"], {"TRAEFIK_X": "1"}, "y: 1\nlog: {maxSize: z}")
    assert len(found) == 4


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--metrics.prometheus", "--metrics.addinternals"], "metrics: is not supported yet"),
        (["--entrypoints.a.address=:1", "--entrypoints.a.http3"], "HTTP/3 is not served"),
        (["--certificatesresolvers.le.tailscale=true"], "of Tailscale are not obtained"),
        (["--providers.consul.endpoints", "a:1"], "providers.consul: this provider is not supp"),
        (
            ["--providers.swarm", "--providers.swarm.watch=false"],
            "--providers.swarm: this provider",
        ),
    ],
)
def test_an_option_we_lack_starts_with_exactly_one_warning(
    load: Load, argv: list[str], words: str
) -> None:
    (warning,) = warnings(load(argv))
    assert words in warning


@pytest.mark.parametrize(
    "argv",
    [
        ["--entrypoints.a.address=:1", "--entrypoints.a.http2.maxconcurrentstreams=250"],
        ["--core.defaultrulesyntax=v3"],
        ["--core.defaultrulesyntax=v2"],
        ["--tracing=false"],
        ["--providers.swarm=false"],
        ["--global.checknewversion", "--global.sendanonymoususage"],
    ],
)
def test_what_changes_nothing_needs_no_warning(load: Load, argv: list[str]) -> None:
    assert warnings(load(argv)) == []


@pytest.mark.parametrize("name", ["a[", "a b", "ä"])
def test_a_strange_name_in_a_file(load: Load, name: str) -> None:
    (warning,) = warnings(load(file=f"certificatesResolvers: {{'{name}': {{tailscale: {{}}}}}}"))
    assert warning.startswith("traefik.yml, certificatesResolvers.")


@pytest.mark.parametrize(
    ("file", "key", "remedy"),
    [
        ("ping:", "ping", "to switch it on write ping: {}"),
        ("providers: {docker: }", "providers.docker", "to switch it on write docker: {}"),
        ("providers: {consul: }", "providers.consul", "to switch it on write consul: {}"),
        ("log: {level: }", "log.level", "give it one or leave it out"),
        ("log:\nserversTransport: {}", "log", "to switch it on write log: {}"),
    ],
)
def test_an_empty_option_in_a_file_is_pointed_out(
    load: Load, file: str, key: str, remedy: str
) -> None:
    loaded = load(file=file)
    assert loaded.configuration.ping is None
    assert loaded.configuration.providers.enabled == {}
    assert warnings(loaded) == [f"traefik.yml, {key}: has no value and is ignored; {remedy}"]


@pytest.mark.parametrize(
    ("argv", "file", "expected"),
    [
        (["--providers.docker"], "", {"exposedByDefault": True, "network": ""}),
        (["--providers.DOCKER.exposedbydefault=false"], "", {"exposedByDefault": False}),
        ([], "providers: {docker: {}}", {"exposedByDefault": True}),
        (["--providers.docker.network=b"], "Providers: {Docker: {network: a}}", {"network": "b"}),
        (["--providers.docker"], "providers: {docker: {network: a}}", {"network": "a"}),
    ],
)
def test_options_of_a_provider(
    load: Load, argv: list[str], file: str, expected: dict[str, object]
) -> None:
    enabled = load(argv, file=file).configuration.providers.enabled
    assert list(enabled) == ["docker"]
    assert enabled["docker"].model_dump().items() >= expected.items()


@pytest.mark.parametrize(
    ("argv", "file"),
    [
        ([], ""),
        (["--providers.docker=false"], ""),
        (["--providers.docker=false"], "providers: {docker: {network: a}}"),
    ],
)
def test_a_provider_that_is_not_used(load: Load, argv: list[str], file: str) -> None:
    assert load(argv, file=file).configuration.providers.enabled == {}


def test_options_of_all_providers(load: Load) -> None:
    loaded = load(
        ["--providers.providersthrottleduration=5s", "--providers.precedence=file,docker"]
    )
    providers = loaded.configuration.providers
    assert (providers.providers_throttle_duration, providers.precedence) == (5, ["file", "docker"])


def test_a_plugin_that_is_not_named_is_not_imported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plugins = installed(monkeypatch, tmp_path, source="raise RuntimeError('imported')")
    monkeypatch.chdir(tmp_path)
    assert load_static(["--providers.file=false", "--ping"], {}, plugins).warnings == []


def test_a_plugin_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plugins = installed(monkeypatch, tmp_path, source="import no_such_module_here")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "traefik.yml").write_text("providers: {docker: {}}")
    with pytest.raises(StaticConfigurationError, match=r"no_such_module_here.*reinstall it"):
        load_static([], {}, plugins)


def test_compatible_mode_ignores_what_traefik_ignores(load: Load) -> None:
    argv, environ = ["--edgerouter.compat=traefik"], {"TRAEFIK_LGO": "1"}
    found = warnings(load(argv, environ, "lgo: 1"))
    assert [warning.split(":")[0] for warning in found] == [
        "environment, TRAEFIK_LGO",
        "traefik.yml, lgo",
    ]


@pytest.mark.parametrize(
    ("argv", "environ", "file"),
    [
        (["--lgo=1"], {}, ""),
        ([], {"EDGEROUTER_LGO": "1"}, ""),
        ([], {}, "log: {levl: INFO}"),
        ([], {}, "pilot: {token: a}"),
    ],
)
def test_compatible_mode_refuses_what_traefik_refuses(
    load: Load, argv: list[str], environ: dict[str, str], file: str
) -> None:
    assert len(errors(load, ["--edgerouter.compat=traefik", *argv], environ, file)) == 1


def test_compatible_mode_from_each_source(load: Load) -> None:
    for argv, environ in (
        (["--edgerouter.compat=traefik"], {}),
        ([], {"EDGEROUTER_COMPAT": "traefik"}),
    ):
        http = load(argv, environ).configuration.entry_points["http"]
        assert http.transport.responding_timeouts.read_timeout == 60
    http = load(file="edgerouter: {compat: traefik}").configuration.entry_points["http"]
    assert http.transport.responding_timeouts.read_timeout == 60
