from dataclasses import dataclass, field

from edgerouter.config.dynamic.http import (
    Cookie,
    Router,
    RouterTLS,
    Server,
    ServerHealthCheck,
    ServersLoadBalancer,
    Service,
    Sticky,
)
from edgerouter.config.static import EntryPoint
from edgerouter.config.types import Duration
from edgerouter.control.representation import represent
from edgerouter.middleware import basic_auth, forward_auth, headers_options, redis_client
from edgerouter.middleware.client_tls import ClientTLS


def test_what_is_unset_is_left_out() -> None:
    router = Router(rule="Host(`a`)", service="s", tls=RouterTLS())
    assert represent(router) == {"rule": "Host(`a`)", "service": "s", "tls": {}}


def test_defaults_of_a_service_are_shown() -> None:
    balancer = ServersLoadBalancer(
        servers=[Server(url="http://a"), Server(url="http://b", weight=3)],
        sticky=Sticky(cookie=Cookie(name="x")),
    )
    assert represent(Service(load_balancer=balancer)) == {
        "loadBalancer": {
            "sticky": {"cookie": {"name": "x", "path": "/"}},
            "servers": [{"url": "http://a"}, {"url": "http://b", "weight": 3}],
            "strategy": "wrr",
            "passHostHeader": True,
            "responseForwarding": {"flushInterval": "100ms"},
        }
    }


def test_a_zero_that_is_not_the_default_is_shown() -> None:
    balancer = ServersLoadBalancer(servers=[Server(weight=0)], pass_host_header=False)
    shown = represent(balancer)
    assert shown["passHostHeader"] is False
    assert shown["servers"] == [{"weight": 0}]


def test_durations_are_text_also_where_they_are_optional() -> None:
    shown = represent(ServerHealthCheck(unhealthy_interval=90, path="/h"))
    assert shown["unhealthyInterval"] == "1m30s"
    assert shown["interval"] == "30s"


@dataclass(frozen=True, slots=True)
class Options:
    period: Duration = 1
    average: int = 0
    trusted_ips: list[str] = field(default_factory=list, metadata={"alias": "trustedIPs"})
    prefixes: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)


def test_options_of_middlewares_are_dataclasses() -> None:
    options = Options(90, 5, ["10.0.0.1"], ("/a",), {"X-A": "b"})
    assert represent(options) == {
        "period": "1m30s",
        "average": 5,
        "trustedIPs": ["10.0.0.1"],
        "prefixes": ["/a"],
        "headers": {"X-A": "b"},
    }
    assert represent(Options()) == {"period": "1s"}


def test_irregular_names_are_the_models() -> None:
    shown = represent(EntryPoint.model_validate({"forwardedHeaders": {"trustedIPs": ["10.0.0.1"]}}))
    assert shown["forwardedHeaders"] == {"trustedIPs": ["10.0.0.1"]}


def test_secrets_are_not_shown() -> None:
    users = basic_auth.Options(users=("bob:hash", "eve:hash"), realm="x")
    assert represent(users) == {"users": ["xxxx", "xxxx"], "realm": "x"}
    assert represent(ClientTLS(cert="c", key="k")) == {"cert": "c", "key": "xxxx"}


def test_credentials_in_addresses_are_not_shown() -> None:
    options = forward_auth.Options(address="http://bob:pass@auth.test:80/check")
    assert represent(options)["address"] == "http://xxxx@auth.test:80/check"


def test_fields_that_prove_who_one_is_are_not_shown() -> None:
    fields = {"Authorization": "Basic x", "X-Api-Key": "x", "X-Tenant": "blue", "Cookie": ""}
    options = headers_options.Options(custom_request_headers=fields)
    assert represent(options)["customRequestHeaders"] == {
        "Authorization": "xxxx",
        "X-Api-Key": "xxxx",
        "X-Tenant": "blue",
        "Cookie": "",
    }


def test_addresses_in_lists() -> None:
    options = redis_client.Redis(endpoints=("redis://:pass@a:1", "b:1"))
    assert represent(options)["endpoints"] == ["redis://xxxx@a:1", "b:1"]
