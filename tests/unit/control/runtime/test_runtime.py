"""What becomes of configured elements: status, reasons, effective values, the snapshot."""

import json
from typing import Any

import pytest

from edgerouter.config.decode import decode
from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.labels import decode_labels, decode_mapping
from edgerouter.config.static import StaticConfiguration
from edgerouter.config.types import MAX_INT
from edgerouter.control.runtime import RuntimeConfiguration, build_runtime
from edgerouter.control.runtime.services import MAX_DEPTH
from edgerouter.control.runtime.snapshot import snapshot_of

SERVICE = {"loadBalancer": {"servers": [{"url": "http://10.0.0.2:80"}]}}


PEM = "-----BEGIN CERTIFICATE-----"


def static(raw: dict[str, Any] | None = None) -> StaticConfiguration:
    points = {"web": {"address": ":80"}, "two": {"address": ":81"}}
    decoded = decode(StaticConfiguration, {"entryPoints": points, **(raw or {})})
    assert decoded.problems == []
    return decoded.value


def runtime(
    http: dict[str, Any], configuration: StaticConfiguration | None = None
) -> RuntimeConfiguration:
    """Build the view of one file; ``s`` is a sound service."""
    http = {**http, "services": {"s": SERVICE, **http.get("services", {})}}
    decoded, diagnostics = decode_mapping({"http": http}, "f.yml", "file")
    return build_runtime(configuration or static(), {"file": decoded}, diagnostics)


def router(**options: Any) -> dict[str, Any]:
    return {"rule": "Host(`a`)", "service": "s", **options}


def one(
    options: dict[str, Any],
    configuration: StaticConfiguration | None = None,
    **http: Any,
) -> Any:
    return runtime({"routers": {"r": options}, **http}, configuration).http.routers["r@file"]


# Routers


def test_a_sound_router() -> None:
    info = one(router())
    assert (info.status, info.errors) == ("enabled", [])
    assert info.using == ["two", "web"]
    assert info.priority == len("Host(`a`)")
    assert (info.service, info.provider, info.source) == ("s@file", "file", "f.yml")
    assert info.key == "http.routers.r"


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ({"a": {}, "b": {}}, ["a", "b"]),
        ({"a": {"asDefault": True}, "b": {}}, ["a"]),
        ({"a": {}, "traefik": {}}, ["a"]),
        ({"a": {}, "traefik": {"asDefault": True}}, ["traefik"]),
        ({"a": {}, "b": {"address": ":53/udp"}}, ["a"]),
    ],
)
def test_entry_points_of_a_router_that_names_none(points: Any, expected: list[str]) -> None:
    full = {
        name: {"address": f":{80 + i}", **point} for i, (name, point) in enumerate(points.items())
    }
    assert one(router(), static({"entryPoints": full})).using == expected


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"entryPoints": ["wbe"]}, 'the entry point "wbe" does not exist; did you mean "web"?'),
        ({"rule": "Hos(`a`)"}, "the rule Hos(`a`) is not valid: "),
        ({"rule": "HostRegexp(`(`)"}, "the rule HostRegexp(`(`) is not valid: "),
        ({"rule": ""}, "the router has no rule; write one such as Host(`example.com`)"),
        ({"service": ""}, "the router has no service"),
        ({"service": "ss"}, 'the service "ss@file" does not exist; did you mean "s@file"?'),
        ({"service": "s@docker"}, 'the service "s@docker" does not exist; did you mean "s@file"?'),
        ({"service": "zzz"}, 'the service "zzz@file" does not exist'),
        ({"service": "rest@internal"}, 'the service "rest@internal" is not served yet'),
        ({"middlewares": ["nope"]}, 'the middleware "nope@file" does not exist'),
        ({"priority": MAX_INT - 999}, f"priority: {MAX_INT - 999} is above {MAX_INT - 1000}, "),
        ({"parentRefs": ["x"]}, 'the parent router "x@file" does not exist'),
        ({"priority": "x"}, 'http.routers.r.priority: expected an integer, got "x"'),
    ],
)
def test_reasons_to_disable_a_router(options: dict[str, Any], reason: str) -> None:
    view = runtime({"routers": {"r": router(**options), "fine": router()}})
    info = view.http.routers["r@file"]
    assert info.status == "disabled"
    assert info.errors[0].startswith(reason)
    assert any(reason.removeprefix("http.routers.r.priority: ") in str(d) for d in view.diagnostics)
    snapshot = snapshot_of(view, 1)
    assert set(snapshot["routers"]) == {"fine@file"}
    assert [(d["router"], d["reason"]) for d in snapshot["disabled"]] == [
        ("r@file", info.errors[0])
    ]


def test_a_missing_entry_point_beside_a_good_one_is_a_warning() -> None:
    info = one(router(entryPoints=["nope", "web"]))
    assert (info.status, info.using) == ("warning", ["web"])
    assert info.errors == ['the entry point "nope" does not exist']


def test_a_priority_of_its_own() -> None:
    assert one(router(priority=-3)).priority == -3
    assert one(router(priority=MAX_INT - 1000)).status == "enabled"


def test_the_length_of_a_rule_counts_bytes() -> None:
    assert one(router(rule="Path(`/é`)")).priority == 11


def test_a_mistake_that_the_provider_found_is_not_reported_twice() -> None:
    view = runtime({"routers": {"r": router(rul="x", service="gone")}})
    assert [str(found) for found in view.diagnostics] == [
        'f.yml, http.routers.r.rul: unknown option "rul"; did you mean "rule"?'
    ]


def test_precedence_follows_the_list() -> None:
    def rank(provider: str, configuration: StaticConfiguration) -> int:
        decoded, _ = decode_mapping({"http": {"routers": {"r": router()}}}, "", provider)
        return (
            build_runtime(configuration, {provider: decoded})
            .http.routers[f"r@{provider}"]
            .precedence
        )

    assert rank("docker", static()) > rank("file", static()) > rank("other", static()) == 0
    turned = static({"providers": {"precedence": ["file", "docker"]}})
    assert rank("file", turned) > rank("docker", turned)


def test_rule_syntax() -> None:
    v2 = "HeadersRegexp(`X-A`, `.*`)"
    assert one(router(rule=v2)).status == "disabled"
    assert one(router(rule=v2, ruleSyntax="v2")).status == "enabled"
    assert one(router(rule=v2), static({"core": {"defaultRuleSyntax": "v2"}})).status == "enabled"


def test_tls_options_are_qualified() -> None:
    view = runtime(
        {
            "routers": {
                "a": router(tls={"options": "o"}),
                "b": router(tls={}),
                "c": router(tls={"options": "default"}),
                "d": router(tls={"options": "o@other"}),
            }
        }
    )
    found = snapshot_of(view, 1)["routers"]
    names = [found[f"{name}@file"]["tls"]["options"] for name in "abcd"]
    assert names == ["o@file", "default", "default", "o@other"]


# Entry points that add something


def test_entry_point_middlewares_come_first_and_split_the_router() -> None:
    points = {
        "web": {"address": ":80"},
        "two": {
            "address": ":81",
            "http": {"middlewares": ["m@file", "n"], "tls": {"certResolver": "le"}},
        },
    }
    middlewares = {name: {"addPrefix": {"prefix": f"/{name}"}} for name in "mno"}
    view = runtime(
        {"routers": {"r": router(middlewares=["o"])}, "middlewares": middlewares},
        static({"entryPoints": points}),
    )
    plain, special = view.http.routers["r@file"], view.http.routers["two-r@file"]
    assert (plain.using, plain.middlewares, plain.tls) == (["web"], ["o@file"], None)
    assert special.using == ["two"]
    assert special.middlewares == ["m@file", "n@file", "o@file"]
    assert special.tls is not None
    assert special.tls.cert_resolver == "le"
    assert view.http.middlewares["o@file"].used_by == ["r@file", "two-r@file"]


def test_the_only_entry_point_keeps_the_name() -> None:
    points = {"web": {"address": ":80", "http": {"tls": {}}}}
    assert set(
        runtime({"routers": {"r": router()}}, static({"entryPoints": points})).http.routers
    ) == {"r@file"}


def test_observability_comes_from_the_entry_point_where_the_router_is_silent() -> None:
    points = {"web": {"address": ":80", "observability": {"accessLogs": False, "metrics": False}}}
    info = one(router(observability={"metrics": True}), static({"entryPoints": points}))
    assert (info.observability.access_logs, info.observability.metrics) == (False, True)
    assert info.observability.trace_verbosity == "minimal"


# Middlewares


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        (
            {"stripPrefixes": {"a": 1}},
            'unknown middleware type "stripPrefixes"; did you mean "stripPrefix"?',
        ),
        (
            {"stripPrefix": {"prefix": "/a"}},
            (
                "http.middlewares.m.stripPrefix.prefix: "
                'unknown option "prefix"; did you mean "prefixes"?'
            ),
        ),
        (
            {"stripPrefix": "true"},
            '"stripPrefix" cannot be a standalone element; set one of its options',
        ),
        (
            {"stripPrefix": {}},
            '"stripPrefix" cannot be a standalone element; set one of its options',
        ),
        (
            {"redirectScheme": {"permanent": "true"}},
            "http.middlewares.m.redirectScheme.scheme: must not be empty; write http or https",
        ),
        (
            {"forwardAuth": {"address": "http://a", "tls": {"ca": "/no/such/file"}}},
            (
                "http.middlewares.m.forwardAuth.tls.ca: /no/such/file is neither PEM text nor a "
                "readable file: No such file or directory"
            ),
        ),
        (
            {"forwardAuth": {"address": "http://a", "tls": {"cert": PEM, "key": "geheim"}}},
            (
                "http.middlewares.m.forwardAuth.tls.key: it is neither PEM text nor a "
                "readable file: No such file or directory"
            ),
        ),
        ({"compress": "false"}, 'compress is switched off by "false"; remove the middleware'),
        ({"plugin": {"x": {}}}, "plugins are not supported"),
        ({"chain": {"middlewares": ["gone"]}}, 'the middleware "gone@file" does not exist'),
    ],
)
def test_reasons_to_disable_a_middleware(definition: dict[str, Any], reason: str) -> None:
    view = runtime({"routers": {"r": router(middlewares=["m"])}, "middlewares": {"m": definition}})
    info = view.http.middlewares["m@file"]
    assert (info.status, info.errors) == ("disabled", [reason])
    assert info.used_by == ["r@file"]
    assert view.http.routers["r@file"].errors == [f'the middleware "m@file" is disabled: {reason}']
    assert snapshot_of(view, 1)["middlewares"] == {}
    found = [d for d in view.diagnostics if d.element == "http.middlewares.m"]
    assert len(found) == 1
    assert found[0].source == "f.yml"


def of_labels(labels: dict[str, str], compat: str = "") -> RuntimeConfiguration:
    """Build the view of one container, ``c``."""
    named = {f"traefik.http.{key}": value for key, value in labels.items()}
    decoded, diagnostics = decode_labels(named, source="container c", provider="docker")
    configuration = static({"edgerouter": {"compat": compat}})
    return build_runtime(configuration, {"docker": decoded}, diagnostics)


CONTAINER = {
    "routers.r.rule": "Host(`a`)",
    "routers.r.service": "s",
    "services.s.loadbalancer.server.url": "http://10.0.0.2",
}


@pytest.mark.parametrize(
    ("label", "value", "is_dropped"),
    [
        ("stripprefix.prefix", "/x", True),
        ("foo.bar", "/x", True),
        ("redirectscheme.permanent", "yes", True),
        ("addprefix", "/x", True),
        ("plugin.foo.bar", "x", False),
        ("ipallowlist.sourcerange", "nonsense", False),
        ("addprefix.prefix", "/x", False),
    ],
)
def test_options_for_which_traefik_drops_a_container(
    label: str, value: str, is_dropped: bool
) -> None:
    labels = {**CONTAINER, f"middlewares.m.{label}": value}
    assert of_labels(labels).http.routers["r@docker"].is_served
    view = of_labels(labels, compat="traefik")
    info = view.http.routers["r@docker"]
    assert info.is_served is not is_dropped
    assert ("its container is left out" in str(info.errors)) is is_dropped
    assert view.http.services["s@docker"].is_served is not is_dropped


def test_doubts_about_options_are_told_once_with_the_container() -> None:
    view = of_labels({**CONTAINER, "middlewares.m.basicauth.users": "a:b"})
    info = view.http.middlewares["m@docker"]
    assert info.status == "warning"
    (found,) = view.diagnostics
    assert (found.severity, found.source) == ("warning", "container c")
    assert found.key == "traefik.http.middlewares.m.basicauth"
    assert found.message == (
        "there is no such hash as that of 'a', who can never log in; make it with htpasswd -B"
    )


@pytest.mark.parametrize(
    "mistake",
    [
        {"services.s.loadbalancer.strategy": "foo"},
        {"routers.r.middlewares": "m", "middlewares.m.foo.bar": "x"},
        {
            "routers.r.middlewares": "c",
            "middlewares.c.chain.middlewares": "m",
            "middlewares.m.foo.bar": "x",
        },
    ],
)
def test_a_fault_is_not_told_again_of_what_it_disables(mistake: dict[str, str]) -> None:
    view = of_labels({**CONTAINER, **mistake})
    assert not view.http.routers["r@docker"].is_served
    assert view.http.routers["r@docker"].errors
    assert "http.routers.r" not in {d.element for d in view.diagnostics}


def test_a_fault_elsewhere_is_told_of_what_it_disables() -> None:
    broken = decode_mapping(
        {"http": {"services": {"s": {"loadBalancer": {"strategy": "foo"}}}}}, "a.yml", "file"
    )[0]
    other = decode_labels(
        {"traefik.http.routers.r.rule": "Path(`/`)", "traefik.http.routers.r.service": "s@file"},
        source="container c",
        provider="docker",
    )[0]
    view = build_runtime(static(), {"file": broken, "docker": other}, ())
    assert [d.source for d in view.diagnostics] == ["a.yml", "container c"]


def test_dots_in_a_header_of_a_label() -> None:
    labels = {**CONTAINER, "middlewares.m.headers.customrequestheaders.X.Foo": "a"}
    options = of_labels(labels).http.middlewares["m@docker"].options
    assert dict(options.custom_request_headers) == {"X.Foo": "a"}


def test_a_gap_in_a_chain_disables_it() -> None:
    labels = {
        **CONTAINER,
        "routers.r.middlewares": "m",
        "middlewares.m.chain.middlewares": "a,,a",
        "middlewares.a.addprefix.prefix": "/x",
    }
    view = of_labels(labels)
    assert not view.http.routers["r@docker"].is_served
    assert "an element of the list is empty" in view.http.middlewares["m@docker"].errors[0]


def test_what_is_doubtful_is_shown_and_serves() -> None:
    info = of_labels({**CONTAINER, "routers.r.tls": "foo"}).http.routers["r@docker"]
    assert info.status == "warning"
    assert info.errors == [
        'traefik.http.routers.r.tls: is switched off by "foo"; write true to switch it on'
    ]


def test_chains_are_expanded_where_they_stand() -> None:
    middlewares = {name: {"addPrefix": {"prefix": f"/{name}"}} for name in "abc"}
    middlewares["inner"] = {"chain": {"middlewares": ["b"]}}
    middlewares["outer"] = {"chain": {"middlewares": ["inner", "c@file"]}}
    info = one(router(middlewares=["a", "outer"]), middlewares=middlewares)
    assert info.middlewares == ["a@file", "b@file", "c@file"]
    assert info.status == "enabled"


def test_a_chain_that_comes_back_to_itself() -> None:
    middlewares = {"c": {"chain": {"middlewares": ["d"]}}, "d": {"chain": {"middlewares": "c"}}}
    view = runtime({"routers": {"r": router(middlewares=["c"])}, "middlewares": middlewares})
    assert view.http.middlewares["c@file"].errors == [
        "the chain of middlewares comes back to itself: c@file -> d@file -> c@file"
    ]
    assert view.http.routers["r@file"].status == "disabled"


def test_labels_and_their_containers_are_named() -> None:
    labels = {
        "traefik.http.routers.r.rule": "Host(`a`)",
        "traefik.http.middlewares.m.addprefix.prefx": "/a",
    }
    configuration, diagnostics = decode_labels(labels, source="container c", provider="docker")
    view = build_runtime(static(), {"docker": configuration}, diagnostics)
    assert [str(found) for found in view.diagnostics] == [
        (
            "container c, traefik.http.middlewares.m.addprefix.prefx: "
            'unknown option "prefx"; did you mean "prefix"?'
        ),
        "container c, traefik.http.routers.r: the router has no service",
    ]


# Services


@pytest.mark.parametrize(
    ("service", "reason"),
    [
        ({}, "the service has no kind; set loadBalancer"),
        (
            {**SERVICE, "mirroring": {"service": "s"}},
            "the service has several kinds (loadBalancer, mirroring); declare one service for each",
        ),
        (
            {"mirroring": {"service": "s", "mirrors": [{"name": "s", "percent": 101}]}},
            "mirroring.mirrors[0].percent: expected 0 to 100; got 101",
        ),
        (
            {"mirroring": {"service": "s", "mirrors": [{"name": "s", "percent": -1}]}},
            "mirroring.mirrors[0].percent: expected 0 to 100; got -1",
        ),
        (
            {"mirroring": {"mirrors": [{"name": "s"}]}},
            "mirroring.service is missing; name a service",
        ),
        ({"failover": {"service": "s"}}, "failover.fallback is missing; name a service"),
        (
            {"weighted": {"services": [{"name": "s"}, {"weight": 3}]}},
            "weighted.services[1].name is missing; name a service",
        ),
        (
            {"weighted": {"services": [], "sticky": {"cookie": {"sameSite": "laxx"}}}},
            (
                "sticky.cookie.sameSite: expected one of none, lax, strict;"
                " got 'laxx'; did you mean \"lax\"?"
            ),
        ),
        (
            {"loadBalancer": {"sticky": {"cookie": {"path": "/; Secure"}}}},
            "sticky.cookie.path: '/; Secure' is no path; write ASCII without \";\"",
        ),
        (
            {"loadBalancer": {"sticky": {"cookie": {"domain": "a.test\r\nX: y"}}}},
            "sticky.cookie.domain: 'a.test\\r\\nX: y' is no domain such as example.com",
        ),
        (
            {"loadBalancer": {"maxConnections": -1}},
            "maxConnections: expected 0 or more; got -1",
        ),
        (
            {"loadBalancer": {"slowStart": -2}},
            "slowStart: expected 0 or more; got -2",
        ),
        (
            {"loadBalancer": {"outlierDetection": {"maxEjectionPercent": 101}}},
            "outlierDetection.maxEjectionPercent: expected 0 to 100; got 101",
        ),
        (
            {"loadBalancer": {"passiveHealthCheck": {"maxFailedAttempts": -1}}},
            "passiveHealthCheck.maxFailedAttempts: expected 0 or more; got -1",
        ),
        (
            {"loadBalancer": {"healthCheck": {"status": 20}}},
            "healthCheck.status: expected 100 to 599; got 20",
        ),
        (
            {"failover": {"service": "s", "fallback": "s", "errors": {"status": ["5xx"]}}},
            'failover.errors.status: "5xx" is no status code nor a range such as 500-599',
        ),
        (
            {"loadBalancer": {"healthCheck": {"path": "/", "mode": "grpc"}}},
            "healthCheck.mode: gRPC checks need HTTP/2, which is not spoken to servers yet",
        ),
        (
            {"loadBalancer": {"healthCheck": {"method": "GET /\r\n"}}},
            "healthCheck.method: 'GET /\\r\\n' is no method",
        ),
        (
            {"loadBalancer": {"healthCheck": {"path": "/ HTTP/1.1\r\nX: y"}}},
            "healthCheck.path: '/ HTTP/1.1\\r\\nX: y' is no path such as /health",
        ),
        (
            {"loadBalancer": {"healthCheck": {"hostname": "a\r\nX: y"}}},
            "healthCheck.hostname: 'a\\r\\nX: y' is no host name",
        ),
        (
            {"loadBalancer": {"healthCheck": {"headers": {"X-A": "b\r\nX: y"}}}},
            "healthCheck.headers: 'X-A': 'b\\r\\nX: y' is no header field",
        ),
        (
            {"loadBalancer": {"maxFails": 1, "outlierDetection": {"consecutive5xx": 1}}},
            "maxFails and outlierDetection exclude each other; set one of them",
        ),
        (
            {"loadBalancer": {"strategy": "headerhash"}},
            "strategy headerhash needs hashHeader, the name of a header field",
        ),
        (
            {"loadBalancer": {"servers": [{"url": "127.0.0.1:80"}]}},
            '"127.0.0.1:80" is not a server URL such as http://10.0.0.2:8080',
        ),
        (
            {"loadBalancer": {"servers": [{"url": "http://a/b\r\nX: y"}]}},
            "the server URL 'http://a/b\\r\\nX: y' holds a control character",
        ),
        (
            {"loadBalancer": {"servers": [{"url": "http://a b:80"}]}},
            '"http://a b:80" is not a server URL such as http://10.0.0.2:8080',
        ),
        (
            {"loadBalancer": {"servers": [{"url": " http://a:80"}]}},
            '" http://a:80" is not a server URL such as http://10.0.0.2:8080',
        ),
        (
            {"loadBalancer": {"servers": [{"url": "http://a/50%"}]}},
            'the path of "http://a/50%" has a "%" without two hexadecimal digits; write %25',
        ),
        (
            {"loadBalancer": {"servers": [{"url": "http://[::1"}]}},
            'the server URL "http://[::1" cannot be parsed: Invalid IPv6 URL',
        ),
        (
            {"loadBalancer": {"strategy": "wrrr"}},
            (
                "strategy: expected one of wrr, p2c, hrw, leasttime, leastconn, iphash,"
                ' headerhash; got "wrrr"; did you mean "wrr"?'
            ),
        ),
        (
            {"loadBalancer": {"serversTransport": "t"}},
            'the servers transport "t@file" does not exist',
        ),
    ],
)
def test_reasons_to_disable_a_service(service: dict[str, Any], reason: str) -> None:
    view = runtime({"routers": {"r": router(service="x")}, "services": {"x": service}})
    info = view.http.services["x@file"]
    assert (info.status, info.errors) == ("disabled", [reason])
    assert info.used_by == ["r@file"]
    assert view.http.routers["r@file"].errors == [f'the service "x@file" is disabled: {reason}']
    assert "x@file" not in snapshot_of(view, 1)["services"]


@pytest.mark.parametrize(
    ("service", "message"),
    [
        (
            {"loadBalancer": {"servers": [{"url": "http://a", "weight": 0}]}},
            "servers: all weights are 0, so every request gets 503; set one to 1 or more",
        ),
        (
            {"loadBalancer": {"servers": [{"url": "http://a"}, {"url": "http://a"}]}},
            'the server "http://a" is there 2 times and gets so many shares; name it once',
        ),
        (
            {"loadBalancer": {"servers": [{"url": "http://u:p@a"}]}},
            (
                "user and password in the URL of the server a are not sent; leave them out and set"
                " the header Authorization with the middleware headers"
            ),
        ),
        (
            {"loadBalancer": {"servers": [{"url": "http://a/#x"}]}},
            'the "?" or "#" part of "http://a/#x" is not used; leave it out',
        ),
        (
            {"loadBalancer": {"sticky": {"cookie": {"name": "my cookie"}}}},
            "sticky.cookie.name: 'my cookie' is no token, \"my_cookie\" is used; write that",
        ),
        (
            {"loadBalancer": {"sticky": {"cookie": {"sameSite": "none"}}}},
            "sticky.cookie.sameSite: none is refused by browsers without sticky.cookie.secure",
        ),
        (
            {"loadBalancer": {"healthCheck": {"path": "/", "interval": "-1s"}}},
            "healthCheck.interval: -1 is taken for the default; write a time such as 10s",
        ),
        (
            {"loadBalancer": {"healthCheck": {"path": "/", "unhealthyInterval": 0}}},
            "healthCheck.unhealthyInterval: 0 is taken for the default; write a time such as 10s",
        ),
        (
            {"weighted": {"services": []}},
            "weighted.services is empty, so every request gets 503; name a service",
        ),
        (
            {"weighted": {"services": [{"name": "s"}, {"name": "t", "weight": -1}]}},
            "weighted.services[1].weight: -1 is taken for 0: it gets no requests",
        ),
        (
            {"highestRandomWeight": {"services": [{"name": "s"}, {"name": "s"}]}},
            'highestRandomWeight.services: "s" is there 2 times; name it once, with a weight',
        ),
        (
            {"mirroring": {"service": "s"}},
            "mirroring.mirrors is empty, so nothing is mirrored; name a service",
        ),
        (
            {"mirroring": {"service": "s", "mirrors": [{"name": "t"}]}},
            'mirroring.mirrors[0]: "t" gets no requests; set percent to 1 or more',
        ),
        (
            {"mirroring": {"service": "s", "mirrors": [{"name": "none", "percent": 1}]}},
            'the service "none@file" does not exist; it is left out',
        ),
        (
            {"mirroring": {"service": "s", "mirrors": [{"name": "x", "percent": 1}]}},
            "the service contains itself: x@file -> x@file; it is left out",
        ),
        (
            {"weighted": {"services": [{"name": "s"}, {"name": "none"}]}},
            'the service "none@file" does not exist; it is left out',
        ),
        (
            {"highestRandomWeight": {"services": [{"name": "none"}, {"name": "s"}]}},
            'the service "none@file" does not exist; it is left out',
        ),
        (
            {"failover": {"service": "none", "fallback": "s"}},
            'the service "none@file" does not exist; it is left out',
        ),
        (
            {"failover": {"service": "s", "fallback": "none"}},
            'the service "none@file" does not exist; it is left out',
        ),
        (
            {"failover": {"service": "s", "fallback": "s"}},
            "failover: service and fallback are the same; name another fallback",
        ),
    ],
)
def test_services_that_do_not_work_as_they_seem_to(service: dict[str, Any], message: str) -> None:
    services = {"x": service, "s": SERVICE, "t": SERVICE}
    view = runtime({"routers": {"r": router(service="x")}, "services": services})
    info = view.http.services["x@file"]
    assert (info.status, info.errors) == ("warning", [message])
    assert view.http.routers["r@file"].status == "enabled"


def test_a_mirror_that_cannot_be_takes_nothing_along() -> None:
    mirrors = [{"name": "none", "percent": 50}, {"name": "w", "percent": 5}, {"name": "s"}]
    services = {
        "x": {"mirroring": {"service": "s", "mirrors": mirrors}},
        "w": {"weighted": {"services": [{"name": "none"}]}},
        "s": SERVICE,
    }
    view = runtime({"services": services})
    options = snapshot_of(view, 1)["services"]["x@file"]["options"]
    assert [mirror["name"] for mirror in options["mirrors"]] == ["s"]
    assert view.http.services["w@file"].status == "disabled"


def test_what_is_missing_is_left_out_while_others_can_answer() -> None:
    services = {
        "front": {"failover": {"service": "shares", "fallback": "sorry", "healthCheck": {}}},
        "shares": {"weighted": {"services": [{"name": "shop@docker"}, {"name": "bad"}]}},
        "hashed": {"highestRandomWeight": {"services": [{"name": "shop@docker"}, {"name": "s"}]}},
        "careful": {"failover": {"service": "s", "fallback": "bad"}},
        "bad": {"loadBalancer": {"strategy": "none"}},
        "sorry": SERVICE,
        "s": SERVICE,
    }
    view = runtime({"services": services})
    built = snapshot_of(view, 1)["services"]
    assert built["front@file"] == {
        "type": "weighted",
        "options": {"services": [{"name": "sorry", "weight": 1}], "healthCheck": {}},
    }
    assert built["careful@file"]["options"] == {
        "services": [{"name": "s", "weight": 1}],
        "healthCheck": None,
    }
    assert built["hashed@file"]["options"]["services"] == [{"name": "s", "weight": 1}]
    assert view.http.services["shares@file"].errors == [
        'the service "shop@docker" does not exist'
    ], "nobody is left to answer"
    (warning,) = view.http.services["front@file"].errors
    assert warning.startswith('the service "shares@file" is disabled: the service "shop@docker"')
    assert warning.endswith("it is left out")


def served(view: RuntimeConfiguration) -> list[str]:
    services = view.http.services.items()
    return [name for name, info in services if info.is_served and info.provider == "file"]


def test_services_that_contain_themselves() -> None:
    services = {
        "a": {"weighted": {"services": [{"name": "b"}, {"name": "s"}]}},
        "b": {"failover": {"service": "s", "fallback": "c"}},
        "c": {"mirroring": {"service": "a"}},
        "s": SERVICE,
    }
    view = runtime({"services": services})
    assert served(view) == ["s@file"]
    trail = "a@file -> b@file -> c@file -> a@file"
    assert view.http.services["a@file"].errors == [f"the service contains itself: {trail}"]


def test_services_may_be_nested_so_deep_and_no_deeper() -> None:
    """Each names the next one twice: to look at every way down would take for ever."""
    services: dict[str, Any] = {
        f"s{n}": {"weighted": {"services": [{"name": f"s{n + 1}"}] * 2}} for n in range(2000)
    }
    services["s2000"] = SERVICE
    view = runtime({"services": services})
    deepest = [f"s{n}@file" for n in range(2000 - MAX_DEPTH, 2001)]
    assert served(view) == ["s@file", *deepest]
    assert (
        view.http.services["s7@file"].errors[0]
        == "more than 64 services stand one above the other; leave some out"
    )


def test_one_bad_server_among_good_ones_is_left_out() -> None:
    servers = [{"url": "http://a:1"}, {"url": "ftp://b"}]
    view = runtime({"services": {"x": {"loadBalancer": {"servers": servers}}}})
    assert view.http.services["x@file"].status == "warning"
    options = snapshot_of(view, 1)["services"]["x@file"]["options"]
    assert [server["url"] for server in options["servers"]] == ["http://a:1"]


def test_workers_learn_why_a_service_has_no_server() -> None:
    raw = {"services": {"e": {"loadBalancer": {}}, "s": SERVICE}}
    decoded, _ = decode_mapping({"http": raw}, "f.yml", "file")
    for name in raw["services"]:
        decoded.notes[f"http.services.{name}"] = {"absent": "container a: it is paused"}
    found = snapshot_of(build_runtime(static(), {"file": decoded}), 1)["services"]
    assert found["e@file"]["options"]["absent"] == "container a: it is paused"
    assert "absent" not in found["s@file"]["options"]


def test_a_service_without_servers_is_kept() -> None:
    assert (
        one(router(service="e"), services={"e": {"loadBalancer": {"passHostHeader": True}}}).status
        == "enabled"
    )


def test_middlewares_of_a_service_run_after_those_of_the_router() -> None:
    middlewares = {name: {"addPrefix": {"prefix": f"/{name}"}} for name in "ab"}
    services = {"x": {**SERVICE, "middlewares": ["b"]}}
    info = one(router(service="x", middlewares=["a"]), services=services, middlewares=middlewares)
    assert info.middlewares == ["a@file", "b@file"]


# What the router serves itself


def test_ping_and_the_api() -> None:
    points = {"web": {"address": ":80"}, "traefik": {"address": ":8080"}}
    view = runtime({}, static({"entryPoints": points, "ping": {}, "api": {"insecure": True}}))
    ping, api = view.http.routers["ping@internal"], view.http.routers["api@internal"]
    assert (ping.rule, ping.priority, ping.using) == ("PathPrefix(`/ping`)", MAX_INT, ["traefik"])
    assert (api.rule, api.priority, api.using) == ("PathPrefix(`/api`)", MAX_INT - 1, ["traefik"])
    assert (ping.status, api.status) == ("enabled", "enabled")
    services = snapshot_of(view, 1)["services"]
    assert services["api@internal"] == {"type": "internal", "options": {"name": "api"}}
    assert {"ping@internal", "dashboard@internal", "noop@internal"} <= set(services)


def test_the_dashboard() -> None:
    points = {"web": {"address": ":80"}, "traefik": {"address": ":8080"}}
    view = runtime({}, static({"entryPoints": points, "api": {"insecure": True}}))
    info = view.http.routers["dashboard@internal"]
    assert (info.status, info.using, info.priority) == ("enabled", ["traefik"], MAX_INT - 2)
    assert info.middlewares == ["dashboard_redirect@internal", "dashboard_stripprefix@internal"]
    without = static({"entryPoints": points, "api": {"insecure": True, "dashboard": False}})
    assert set(runtime({}, without).http.routers) == {"api@internal"}


def test_no_internal_router_unless_asked_for() -> None:
    assert runtime({}).http.routers == {}
    assert runtime({}, static({"ping": {"manualRouting": True}, "api": {}})).http.routers == {}


def test_a_router_of_the_user_to_an_internal_service() -> None:
    assert one(router(service="api@internal")).status == "enabled"


def redirecting(target: dict[str, Any]) -> StaticConfiguration:
    points = {
        "web": {"address": ":80", "http": {"redirections": {"entryPoint": target}}},
        "websecure": {"address": "127.0.0.1:8443/tcp"},
    }
    return static({"entryPoints": points})


@pytest.mark.parametrize(
    ("target", "name", "options"),
    [
        (
            {"to": "websecure"},
            "web-to-websecure",
            {"scheme": "https", "port": "8443", "permanent": True},
        ),
        (
            {"to": ":444", "scheme": "http", "permanent": False},
            "web-to-444",
            {"scheme": "http", "port": "444", "permanent": False},
        ),
    ],
)
def test_redirections_between_entry_points(target: Any, name: str, options: Any) -> None:
    view = runtime({}, redirecting({**target, "priority": 7}))
    info = view.http.routers[f"{name}@internal"]
    assert (info.rule, info.priority, info.using, info.service) == (
        "HostRegexp(`^.+$`)",
        7,
        ["web"],
        "noop@internal",
    )
    assert info.status == "enabled"
    assert info.middlewares == [f"redirect-{name}@internal"]
    assert snapshot_of(view, 1)["middlewares"][f"redirect-{name}@internal"] == {
        "type": "redirectScheme",
        "options": options,
    }


def test_the_default_priority_of_a_redirection() -> None:
    view = runtime({}, redirecting({"to": "websecure"}))
    assert view.http.routers["web-to-websecure@internal"].priority == MAX_INT - 1


def test_a_redirection_to_nowhere() -> None:
    view = runtime({}, redirecting({"to": "websecur"}))
    assert view.http.routers == {}
    assert str(view.diagnostics[0]) == (
        "entryPoints.web.http.redirections.entryPoint.to: "
        'there is no entry point "websecur"; did you mean "websecure"?'
    )


# The rest


def test_tcp_and_udp_are_shown_and_said_to_be_unserved() -> None:
    raw = {
        "tcp": {"routers": {"r": {"rule": "HostSNI(`*`)"}}, "middlewares": {"m": {}}},
        "udp": {"services": {"s": {"loadBalancer": {"servers": [{"address": "a:1"}]}}}},
    }
    decoded, _ = decode_mapping(raw, "f.yml", "file")
    view = build_runtime(static(), {"file": decoded})
    assert view.tcp.routers["r@file"].errors == ["TCP routers are not served yet"]
    assert view.udp.services["s@file"].status == "disabled"
    assert {found.severity for found in view.diagnostics} == {"warning"}
    assert len(view.diagnostics) == 3


def test_what_has_no_effect_is_said() -> None:
    raw = {
        "http": {"models": {"web": {"middlewares": ["m"]}}},
        "tls": {"certificates": [{"certFile": "c"}], "options": {"default": {}, "o": {}}},
    }
    decoded, _ = decode_mapping(raw, "f.yml", "file")
    assert [str(found) for found in build_runtime(static(), {"file": decoded}).diagnostics] == [
        (
            "f.yml, http.models.web: models have no effect; "
            "set the entry point's http options instead"
        ),
    ]


def test_the_snapshot() -> None:
    view = runtime(
        {
            "routers": {"r": router(middlewares=["m"], priority=5)},
            "middlewares": {
                "m": {"stripPrefix": {"prefixes": "/x"}},
                "c": {"chain": {"middlewares": "m"}},
            },
            "serversTransports": {"t": {"forwardingTimeouts": {"dialTimeout": "5s"}}},
        },
        static({"serversTransport": {"insecureSkipVerify": True}}),
    )
    snapshot = json.loads(json.dumps(snapshot_of(view, 7)))
    assert (snapshot["type"], snapshot["version"]) == ("snapshot", 7)
    assert snapshot["routers"]["r@file"] == {
        "entryPoints": ["two", "web"],
        "rule": "Host(`a`)",
        "ruleSyntax": "v3",
        "priority": 5,
        "precedence": 11,
        "middlewares": ["m@file"],
        "service": "s@file",
        "tls": None,
        "observability": {
            "accessLogs": True,
            "metrics": True,
            "tracing": True,
            "traceVerbosity": "minimal",
        },
    }
    assert snapshot["middlewares"] == {
        "m@file": {"type": "stripPrefix", "options": {"prefixes": ["/x"], "force_slash": True}}
    }
    service = snapshot["services"]["s@file"]
    assert service["type"] == "loadBalancer"
    assert service["options"]["servers"] == [
        {"url": "http://10.0.0.2:80", "weight": 1, "preservePath": False}
    ]
    assert service["options"]["responseForwarding"] == {"flushInterval": 0.1}
    transports = snapshot["serversTransports"]
    assert transports["default@internal"]["insecureSkipVerify"] is True
    assert transports["t@file"]["forwardingTimeouts"]["dialTimeout"] == 5.0
    assert snapshot["disabled"] == []


def test_findings_of_providers_come_first_and_input_is_not_changed() -> None:
    decoded, _ = decode_mapping({"http": {"routers": {"r": {"rule": "x"}}}}, "f.yml", "file")
    before = decoded.model_copy(deep=True)
    mine = Diagnostic("warning", "mine")
    view = build_runtime(static(), {"file": decoded}, [mine])
    assert view.diagnostics[0] == mine
    assert decoded == before
    again = build_runtime(static(), {"file": decoded}, [mine])
    assert snapshot_of(again, 1) == snapshot_of(view, 1)
