"""Labels: Traefik's grammar, and a finding for every label that does not do what it says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic import DynamicConfiguration
from edgerouter.config.dynamic.http import Cookie, MiddlewareDefinition, Router, RouterTLS, Sticky
from edgerouter.config.labels import decode_labels, decode_mapping, read_labels

SOURCE = "container shop-api-1"


def read(labels: dict[str, str]) -> tuple[DynamicConfiguration, list[Diagnostic]]:
    return decode_labels(labels, source=SOURCE, provider="docker")


def good(labels: dict[str, str]) -> DynamicConfiguration:
    configuration, diagnostics = read(labels)
    assert diagnostics == []
    return configuration


def test_a_whole_container() -> None:
    configuration = good(
        {
            "traefik.enable": "true",
            "traefik.docker.network": "front",
            "traefik.http.routers.api.rule": "Host(`a.example`) && PathPrefix(`/x`)",
            "traefik.http.routers.api.entrypoints": "web, websecure",
            "traefik.http.routers.api.middlewares": "strip,auth@file",
            "traefik.http.routers.api.priority": "42",
            "traefik.http.routers.api.tls.domains[0].main": "a.example",
            "traefik.http.routers.api.tls.domains[0].sans": "b.example,c.example",
            "traefik.http.services.api.loadbalancer.server.port": "8080",
            "traefik.http.services.api.loadbalancer.sticky.cookie": "true",
            "traefik.http.services.api.loadbalancer.healthcheck.interval": "10",
            "traefik.http.middlewares.strip.stripprefix.prefixes": "/x",
            "traefik.tcp.routers.db.rule": "HostSNI(`*`)",
            "traefik.tcp.services.db.loadbalancer.server.port": "5432",
            "traefik.udp.routers.dns.entrypoints": "dns",
            "traefik.tls.stores.default.defaultgeneratedcert.resolver": "le",
            "com.docker.compose.project": "shop",
        }
    )
    router = configuration.http.routers["api"]
    assert router.entry_points == ["web", "websecure"]
    assert router.middlewares == ["strip", "auth@file"]
    assert router.priority == 42
    assert router.tls is not None
    assert router.tls.domains[0].sans == ["b.example", "c.example"]
    balancer = configuration.http.services["api"].load_balancer
    assert balancer is not None
    assert balancer.servers[0].port == "8080"
    assert balancer.sticky == Sticky(cookie=Cookie())
    assert balancer.health_check is not None
    assert balancer.health_check.interval == 10.0
    assert balancer.pass_host_header is True
    assert configuration.http.middlewares["strip"] == MiddlewareDefinition(
        type="stripprefix", options={"prefixes": "/x"}, is_text=True
    )
    assert configuration.tcp.services["db"].load_balancer is not None
    assert configuration.udp.routers["dns"].entry_points == ["dns"]
    assert configuration.tls.stores["default"].default_generated_cert is not None
    assert configuration.sources["http.routers.api"] == SOURCE
    assert configuration.keys["http.routers.api"] == "traefik.http.routers.api"
    assert configuration.errors == {}


def test_names_are_matched_without_case_and_keep_their_spelling() -> None:
    configuration = good(
        {"traefik.HTTP.Routers.MyApi.RULE": "r", "traefik.http.routers.myapi.TLS": "true"}
    )
    assert configuration.http.routers == {"MyApi": Router(rule="r", tls=RouterTLS())}


def test_our_own_root_has_the_same_grammar_and_wins() -> None:
    configuration, diagnostics = read(
        {
            "traefik.http.routers.a.rule": "old",
            "edgerouter.http.routers.a.rule": "new",
            "edgerouter.http.routers.b.rule": "b",
        }
    )
    assert {name: router.rule for name, router in configuration.http.routers.items()} == {
        "a": "new",
        "b": "b",
    }
    assert [(found.severity, found.key, found.message) for found in diagnostics] == [
        (
            "warning",
            "edgerouter.http.routers.a.rule",
            "replaces traefik.http.routers.a.rule, which says the same option again",
        )
    ]


@pytest.mark.parametrize("written", ["false", "no", "0", "off"])
def test_a_group_can_be_switched_off(written: str) -> None:
    configuration = good(
        {"traefik.http.routers.a.rule": "r", "traefik.http.routers.a.tls": written}
    )
    assert configuration.http.routers["a"].tls is None


@pytest.mark.parametrize(
    ("key", "disabled"),
    [
        ("traefik.http..routers.a.middlewares", {"http.routers.a"}),
        ("traefik.http.routers.a..middlewares", {"http.routers.a"}),
        ("traefik.http.routers..middlewares", {"http.routers.a", "http.routers.b"}),
        ("traefik.http.routers.[0].middlewares", {"http.routers.a", "http.routers.b"}),
        ("traefik.http.routers..rule", set()),
        ("traefik.http.services..loadbalancer.server.port", set()),
    ],
)
def test_a_broken_key_disables_what_it_may_belong_to(key: str, disabled: set[str]) -> None:
    rules = {f"traefik.http.routers.{name}.rule": "r" for name in "ab"}
    configuration, (finding,) = read({**rules, key: "guard"})
    assert set(configuration.errors) == disabled
    assert finding.key == key
    assert finding.element == (next(iter(disabled)) if len(disabled) == 1 else "")


@pytest.mark.parametrize(
    ("labels", "mistaken"),
    [
        ({"traefik.http.routers..rule": "r"}, "traefik.http.routers..rule"),
        ({"traefik.http..routers.a.rule": "r"}, "traefik.http..routers.a.rule"),
        ({"traefik.http.routers.a.rule.": "r"}, "traefik.http.routers.a.rule."),
        ({"traefik.http.routers.[0].rule": "r"}, "traefik.http.routers.[0].rule"),
        ({"traefik.http.routers": "r"}, "traefik.http.routers"),
        ({"traefik.http": "true"}, "traefik.http"),
        ({"traefik.tcp..routers.a.rule": "r"}, "traefik.tcp..routers.a.rule"),
        ({"Traefik.HTTP.Routers.a.rule": "r"}, "Traefik.HTTP.Routers.a.rule"),
        ({"trafik.http.routers.a.rule": "r"}, "trafik.http.routers.a.rule"),
        ({"traefik.htp.routers.a.rule": "r"}, "traefik.htp.routers.a.rule"),
        ({"traefik.http.router.a.rule": "r"}, "traefik.http.router"),
        ({"traefik.routers.a.rule": "r"}, "traefik.routers.a.rule"),
        ({"traefik.http.routers.a.rule": "r"}, ""),
        ({"traefik.http.services.router.foo": "r"}, ""),
        ({"traefik.http.middlewares.routers.foo.": "r"}, ""),
        ({"traefik.enabled": "r", "com.example.http.routers.a": "r"}, ""),
        ({"traefik.http.routers.a.rule": "r", "edgerouter.http.routers.a.rule": "r"}, ""),
    ],
)
def test_labels_that_were_to_make_a_router(labels: dict[str, str], mistaken: str) -> None:
    assert read_labels(labels, source=SOURCE, provider="docker").mistaken_router == mistaken


@pytest.mark.parametrize(
    ("key", "value", "is_refused"),
    [
        ("traefik.http.routers.a.rul", "r", True),
        ("traefik.http.routers.a.priority", "high", True),
        ("traefik.http.routers..rule", "r", True),
        ("traefik.http", "r", True),
        ("traefik.http.routers", "r", True),
        ("Traefik.http.routers.a.rule", "r", True),
        ("traefik.http.routers.a[0].rule", "r", True),
        ("traefik.http.routers.a", "r", False),
        ("traefik.http.routers.a.parentrefs", "r", False),
        ("traefik.http.routers.a.tls", "foo", False),
        ("traefik.http.routers.a.middlewares", ",", False),
        ("traefik.http.routers.a.tls.domains.main", "a", False),
        ("traefik.http.routers.a.observability.traceverbosity", "foo", False),
        ("traefik.http.routers.a@b.rule", "r", False),
        ("traefik.http.middlewares.m", "r", False),
        ("traefik.enabled", "true", False),
        ("Traefik.enable", "true", False),
    ],
)
def test_labels_for_which_traefik_drops_a_container(key: str, value: str, is_refused: bool) -> None:
    read = read_labels({key: value}, source=SOURCE, provider="docker")
    assert read.is_refused is is_refused


@pytest.mark.parametrize("written", [" true", "foo"])
def test_a_group_that_is_off_by_mistake_is_told(written: str) -> None:
    labels = {"traefik.http.routers.a.rule": "r", "traefik.http.routers.a.tls": written}
    configuration, (finding,) = read(labels)
    assert configuration.http.routers["a"].tls is None
    assert (finding.severity, finding.key) == ("warning", "traefik.http.routers.a.tls")
    assert configuration.errors == {}
    assert configuration.warnings == {"http.routers.a": [f"{finding.key}: {finding.message}"]}


@pytest.mark.parametrize(
    ("label", "value", "message", "element"),
    [
        (
            "traefik.http.routers.a.entrypoint",
            "web",
            'unknown option "entrypoint"; did you mean "entryPoints"?',
            "http.routers.a",
        ),
        (
            "traefik.http.routers.a.priority",
            "high",
            'expected an integer, got "high"',
            "http.routers.a",
        ),
        (
            "traefik.http.routers.a.rule.x",
            "r",
            'expected a single value; it has no option "x"',
            "http.routers.a",
        ),
        (
            "traefik.http.routers.a.parentrefs",
            "b",
            '"parentRefs" cannot be set by labels; use a file',
            "http.routers.a",
        ),
        (
            "traefik.http.routers.a.observability",
            "true",
            (
                "cannot be a standalone element; set one of its options: accessLogs, metrics, "
                "tracing, traceVerbosity"
            ),
            "http.routers.a",
        ),
        (
            "traefik.http.routers.a",
            "true",
            "cannot be a standalone element; set one of its options",
            "http.routers.a",
        ),
        (
            "traefik.http.routers.a@file.rule",
            "true",
            'a name must not contain "@"',
            "http.routers.a@file",
        ),
        (
            "traefik.http.services.s.weighted.services[0].name",
            "x",
            '"weighted" cannot be set by labels; use a file',
            "http.services.s",
        ),
        (
            "traefik.http.services.s.loadbalancer",
            "true",
            (
                "cannot be a standalone element; set one of its options: sticky, servers, "
                "strategy, healthCheck, passiveHealthCheck, passHostHeader, responseForwarding, "
                "serversTransport, hashHeader, maxFails, failTimeout, outlierDetection, "
                "tryDuration, hold, maxWaiting, maxConnections, maxQueue, queueTimeout, "
                "queueByPriority, slowStart"
            ),
            "http.services.s",
        ),
        (
            "traefik.http.services.s.loadbalancer.servers[0].url",
            "u",
            'unknown option "servers"; did you mean "server"?',
            "http.services.s",
        ),
        (
            "traefik.http.services.s.loadbalancer.passhostheader",
            "yes",
            'expected true or false, got "yes"',
            "http.services.s",
        ),
        (
            "traefik.http.middlewares.m",
            "true",
            "the middleware has no type; name exactly one type below it, such as stripPrefix",
            "http.middlewares.m",
        ),
        (
            "traefik.http.serverstransports.t.servername",
            "x",
            '"serversTransports" cannot be set by labels; use a file',
            "",
        ),
        (
            "traefik.http.router.a.rule",
            "x",
            'unknown option "router"; it is ignored; did you mean "routers"?',
            "",
        ),
        ("traefik.http", "x", "expected a group of options", ""),
        ("traefik.http.routers", "x", "expected names with their options below", ""),
        (
            "traefik.tls.options.o.minversion",
            "x",
            '"options" cannot be set by labels; use a file',
            "",
        ),
        (
            "traefik.tls.stores.mine.defaultgeneratedcert.resolver",
            "x",
            'the only certificate store is "default"',
            "tls.stores.mine",
        ),
        (
            "traefik.tls.stores.default.defaultcertificate.certfile",
            "x",
            '"defaultCertificate" cannot be set by labels; use a file',
            "tls.stores.default",
        ),
        (
            "traefik.tcp.services.s.loadbalancer.server.address",
            "x",
            '"address" cannot be set by labels; use a file',
            "tcp.services.s",
        ),
        ("traefik.http.routers..rule", "x", "a name between the dots is empty", ""),
        ("traefik.http.routers.[0].rule", "x", "a name between the dots starts with a bracket", ""),
    ],
)
def test_mistakes(label: str, value: str, message: str, element: str) -> None:
    configuration, (diagnostic,) = read({label: value, "traefik.http.routers.other.rule": "r"})
    assert diagnostic.severity == "error"
    assert diagnostic.message == message
    assert (diagnostic.source, diagnostic.provider) == (SOURCE, "docker")
    assert label.startswith(diagnostic.key)
    assert diagnostic.element == element
    assert bool(element) == bool(configuration.errors)
    if element:
        assert configuration.errors == {element: [f"{diagnostic.key}: {message}"]}
        assert element in configuration.sources
    assert configuration.http.routers["other"] == Router(rule="r")


def test_a_middleware_has_one_type() -> None:
    configuration, diagnostics = read(
        {
            "traefik.http.middlewares.m.addprefix.prefix": "/a",
            "traefik.http.middlewares.m.compress": "true",
        }
    )
    assert diagnostics[0].message == (
        "the middleware sets several types (addprefix, compress); "
        "name exactly one type below it, such as stripPrefix"
    )
    assert list(configuration.errors) == ["http.middlewares.m"]


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("traefik.enabled", 'the label is unknown and ignored; did you mean "traefik.enable"?'),
        (
            "traefik.htp.routers.a.rule",
            'the label is unknown and ignored; did you mean "traefik.http.routers.a.rule"?',
        ),
        (
            "traefik.docker.netwrk",
            'the label is unknown and ignored; did you mean "traefik.docker.network"?',
        ),
        ("traefik.xyz", "the label is unknown and ignored"),
        ("traefik", "the label is unknown and ignored"),
        (
            "traefik.frontend.rule",
            '"traefik.frontend" is a label of Traefik 1 and is ignored; see docs/labels.md',
        ),
        ("Traefik.http.routers.a.rule", 'the label is ignored: write "traefik" in lower case'),
        (
            "trafik.http.routers.a.rule",
            'the label is ignored; did you mean "traefik.http.routers.a.rule"?',
        ),
        ("edgeruoter.enable", 'the label is ignored; did you mean "edgerouter.enable"?'),
    ],
)
def test_labels_that_nobody_reads(label: str, message: str) -> None:
    configuration, (diagnostic,) = read({label: "x"})
    assert (diagnostic.severity, diagnostic.key, diagnostic.message) == ("warning", label, message)
    assert configuration == DynamicConfiguration()


@pytest.mark.parametrize(
    "label",
    [
        "org.example.http.x",
        "maintainer",
        "",
        ".",
        "TRAEFIK.ENABLE2",
        "caddy.tls",
        "http.routers",
        "sablier.enable",
    ],
)
def test_labels_of_others_are_left_alone(label: str) -> None:
    assert read({label: "x"}) == (DynamicConfiguration(), [])


def test_text_that_cannot_be_encoded() -> None:
    configuration, diagnostics = read(
        {
            "traefik.http.routers.a.rule": "\ud800",
            "traefik.http.routers.\ud800.rule": "x",
            "other.\ud800": "x",
        }
    )
    assert [str(found) for found in diagnostics] == [
        (
            f"{SOURCE}, traefik.http.routers.?.rule: the label is ignored: "
            "its name is not valid Unicode"
        ),
        (
            f"{SOURCE}, traefik.http.routers.a.rule: "
            "expected a single value, got text that is not valid Unicode"
        ),
    ]
    assert configuration.http.routers == {"a": Router()}


def test_a_broken_key_disables_its_element() -> None:
    configuration, diagnostics = read(
        {"traefik.http.routers.a.rule": "r", "traefik.http.routers.A..b": "x"}
    )
    assert diagnostics[0].element == "http.routers.a"
    assert configuration.errors == {
        "http.routers.a": ["traefik.http.routers.A..b: a name between the dots is empty"]
    }


PARTS = st.sampled_from(
    [
        *("http", "HTTP", "tcp", "udp", "tls", "routers", "services", "middlewares", "stores"),
        *("default", "a", "b", "A", "rule", "tls", "priority", "loadbalancer", "server", "port"),
        *("servers[0]", "url", "weighted", "stripprefix", "prefixes", "domains[0]", "main"),
        *("x[1]", "[0]", "x["),
    ]
) | st.text(max_size=3)
KEYS = st.builds(
    lambda root, parts: ".".join([root, *parts]),
    st.sampled_from(["traefik", "edgerouter", "Traefik", "other"]),
    st.lists(PARTS, max_size=7),
)
LABELS = st.dictionaries(
    KEYS,
    st.sampled_from(["", "true", "false", "1", "a,b", "10s", "Host(`a`)"]) | st.text(max_size=4),
    max_size=8,
)


@given(LABELS, st.randoms())
def test_never_raises_and_the_order_does_not_count(labels: dict[str, str], random: Any) -> None:
    configuration, diagnostics = read(labels)
    items = list(labels.items())
    random.shuffle(items)
    assert read(dict(items)) == (configuration, diagnostics)
    assert all(found.message and found.key and found.source for found in diagnostics)
    assert set(configuration.errors) <= set(configuration.sources)


NAMES = st.text("abcXYZ0-_", min_size=1, max_size=6)


@given(
    st.dictionaries(
        NAMES.map(str.lower),
        st.tuples(
            st.text("abc`()& /", min_size=1),
            st.integers(-5, 10**6),
            st.lists(NAMES, max_size=3),
            st.booleans(),
        ),
        max_size=4,
    )
)
def test_routers_survive_a_round_trip(routers: dict[str, tuple[str, int, list[str], bool]]) -> None:
    labels = {}
    expected = {}
    for name, (rule, priority, middlewares, tls) in routers.items():
        key = f"traefik.http.routers.{name}"
        labels[f"{key}.rule"] = rule
        labels[f"{key}.priority"] = str(priority)
        labels[f"{key}.middlewares"] = ",".join(middlewares)
        labels[f"{key}.tls"] = str(tls).lower()
        expected[name] = Router(
            rule=rule, priority=priority, middlewares=middlewares, tls=RouterTLS() if tls else None
        )
    assert good(labels).http.routers == expected


# Files


def from_file(raw: dict[str, Any]) -> tuple[DynamicConfiguration, list[Diagnostic]]:
    return decode_mapping(raw, "/etc/dynamic.yml", "file")


def test_a_file() -> None:
    configuration, diagnostics = from_file(
        {
            "http": {
                "routers": {"a": {"rule": "r", "tls": {}, "priority": "7"}},
                "services": {
                    "w": {"weighted": {"services": [{"name": "a", "weight": 3}, {"name": "b"}]}},
                    "l": {
                        "loadBalancer": {
                            "servers": [{"url": "http://a"}],
                            "responseForwarding": {"flushInterval": "1s"},
                        }
                    },
                },
                "serversTransports": {"t": {"rootCAs": ["a", "b"]}},
                "middlewares": {"c": {"compress": {}}, "d": {"compress": True}},
            },
            "tls": {
                "options": {"default": {"minVersion": "VersionTLS12"}},
                "certificates": [{"certFile": "c", "keyFile": "k"}],
            },
            "udp": None,
        }
    )
    assert diagnostics == []
    weighted = configuration.http.services["w"].weighted
    assert weighted is not None
    assert [(child.name, child.weight) for child in weighted.services] == [("a", 3), ("b", 1)]
    assert configuration.http.servers_transports["t"].root_cas == ["a", "b"]
    assert configuration.http.middlewares["c"].options == {}
    assert configuration.http.middlewares["d"].options == "true"
    assert configuration.tls.certificates[0].cert_file == "c"
    assert configuration.tls.options["default"].min_version == "VersionTLS12"
    assert configuration.keys["http.services.w"] == "http.services.w"


def test_a_mistake_in_a_file_disables_one_element() -> None:
    configuration, diagnostics = from_file(
        {
            "http": {
                "routers": {"a": {"rul": "r"}, "b": {"rule": "r"}, "c": "x"},
                "services": {"s": {"loadBalancer": {"servers": [{"url": "u", "port": 1}]}}},
                "middlewares": {"m": {"headers": None}, "n": {"chain": ["a"]}},
            },
            "htpp": {},
            "tcp": 3,
            "tls": {"certificates": {"a": 1}},
        }
    )
    assert {str(found) for found in diagnostics} == {
        '/etc/dynamic.yml, http.routers.a.rul: unknown option "rul"; did you mean "rule"?',
        "/etc/dynamic.yml, http.routers.c: cannot be a standalone element; set one of its options",
        (
            "/etc/dynamic.yml, http.services.s.loadBalancer.servers[0].port: "
            '"port" exists in labels only'
        ),
        (
            "/etc/dynamic.yml, http.middlewares.m: the middleware has no type; "
            "name exactly one type below it, such as stripPrefix"
        ),
        "/etc/dynamic.yml, http.middlewares.n.chain: expected a group of options, got a list",
        '/etc/dynamic.yml, htpp: unknown section "htpp"; it is ignored; did you mean "http"?',
        "/etc/dynamic.yml, tcp: expected a group of options",
        "/etc/dynamic.yml, tls.certificates: expected a list",
    }
    assert set(configuration.errors) == {
        "http.routers.a",
        "http.routers.c",
        "http.services.s",
        "http.middlewares.m",
        "http.middlewares.n",
    }
    assert configuration.http.routers["b"] == Router(rule="r")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "http",
                        "tls",
                        "routers",
                        "services",
                        "middlewares",
                        "certificates",
                        "stores",
                        "a",
                        "rule",
                        "loadBalancer",
                        "servers",
                        "chain",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=15,
    )
)
def test_no_file_raises(raw: Any) -> None:
    if isinstance(raw, dict):
        configuration, _ = from_file(raw)
        assert isinstance(configuration, DynamicConfiguration)
