"""Servers transports: files become text, mistakes take https:// servers out of service."""

from pathlib import Path
from typing import Any

import pytest

from edgerouter.config.decode import decode
from edgerouter.config.labels import decode_mapping
from edgerouter.config.static import StaticConfiguration
from edgerouter.control.runtime import RuntimeConfiguration, build_runtime
from edgerouter.control.runtime.snapshot import snapshot_of
from tests.support.authority import Authority


def runtime(
    transport: dict[str, Any], url: str = "https://10.0.0.2", default: dict[str, Any] | None = None
) -> RuntimeConfiguration:
    name = "" if default is not None else "t"
    balancer = {"servers": [{"url": url}], "serversTransport": name}
    http = {
        "routers": {"r": {"rule": "Host(`a`)", "service": "s"}},
        "services": {"s": {"loadBalancer": balancer}},
        "serversTransports": {"t": transport},
    }
    static = decode(
        StaticConfiguration,
        {"entryPoints": {"web": {"address": ":80"}}, "serversTransport": default or {}},
    )
    assert static.problems == []
    decoded, diagnostics = decode_mapping({"http": http}, "f.yml", "file")
    return build_runtime(static.value, {"file": decoded}, diagnostics)


def test_files_are_read(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("me.test")
    view = runtime(
        {
            "rootCAs": [str(authority.certificate)],
            "certificates": [{"certFile": str(pair.certificate), "keyFile": str(pair.key)}],
            "disableHTTP2": True,
        }
    )
    assert view.http.services["s@file"].status == "enabled"
    sent = snapshot_of(view, 1)["serversTransports"]["t@file"]
    assert sent["rootCAs"] == [authority.certificate.read_text()]
    assert sent["certificates"] == [
        {"certFile": pair.certificate.read_text(), "keyFile": pair.key.read_text()}
    ]


@pytest.mark.parametrize(
    ("transport", "reason"),
    [
        ({"rootCAs": ["/nowhere/ca.pem"]}, "rootCAs[0]: /nowhere/ca.pem is neither"),
        ({"spiffe": {"trustDomain": "x"}}, "spiffe is not supported"),
        ({"minVersion": "TLS1.2"}, "minVersion: expected one of"),
    ],
)
def test_a_mistake_takes_https_servers_out_of_service(
    transport: dict[str, Any], reason: str
) -> None:
    view = runtime(transport)
    info = view.http.services["s@file"]
    assert info.status == "disabled"
    assert info.errors[0].startswith('the servers transport "t@file" cannot be used for https')
    assert reason in info.errors[0]
    found = [str(finding) for finding in view.diagnostics]
    assert any("f.yml" in text and "serversTransports.t" in text for text in found), found


def test_plain_servers_do_not_mind() -> None:
    view = runtime({"rootCAs": ["/nowhere/ca.pem"]}, "http://10.0.0.2")
    assert view.http.services["s@file"].status == "enabled"
    assert view.diagnostics[0].severity == "error"


def test_a_mistake_in_the_default_transport() -> None:
    view = runtime({}, default={"rootCAs": ["/nowhere/ca.pem"]})
    info = view.http.services["s@file"]
    assert info.errors[0].startswith("serversTransport cannot be used for https:// servers: ")


def test_http2_without_tls_is_refused_with_the_remedy() -> None:
    info = runtime({}, "h2c://10.0.0.2").http.services["s@file"]
    assert info.errors == [
        '"h2c://10.0.0.2" asks for HTTP/2, which is not spoken to servers yet; write http://'
    ]


def test_negative_times_are_taken_for_the_defaults() -> None:
    times = {"dialTimeout": "-1s", "responseHeaderTimeout": "-5ms", "idleConnTimeout": "7s"}
    view = runtime({"forwardingTimeouts": times}, url="http://10.0.0.2")
    found = view.http.servers_transports["t@file"].forwarding_timeouts
    assert (found.dial_timeout, found.response_header_timeout) == (30.0, 0.0)
    assert found.idle_conn_timeout == 7.0
    assert [str(each).partition(": a negative")[0] for each in view.diagnostics] == [
        "f.yml, http.serversTransports.t: forwardingTimeouts.dialTimeout",
        "f.yml, http.serversTransports.t: forwardingTimeouts.responseHeaderTimeout",
    ]
    assert view.http.services["s@file"].status == "enabled"
