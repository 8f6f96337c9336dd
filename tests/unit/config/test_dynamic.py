"""Dynamic configuration has Traefik's structures: every name, and how it may be written.

``!`` marks what labels may not set, ``*`` what labels alone may set, ``+`` a group that may be
switched on as a whole.
"""

import pytest

from edgerouter.config.dynamic import DynamicConfiguration, base, http, tcp, tls, udp
from edgerouter.config.schema import fields_of
from edgerouter.config.types import AllowEmpty, LabelOnly, NotInLabels

TRAEFIK = {
    http.HTTPConfiguration: ("routers services middlewares models! serversTransports!"),
    http.Service: ("middlewares loadBalancer highestRandomWeight! weighted! mirroring! failover!"),
    http.Router: (
        "entryPoints middlewares service rule parentRefs! ruleSyntax priority tls+ observability"
    ),
    http.RouterTLS: ("options certResolver domains"),
    http.RouterObservability: ("accessLogs metrics tracing traceVerbosity"),
    http.Mirroring: ("service mirrorBody maxBodySize mirrors healthCheck+"),
    http.Failover: ("service fallback healthCheck+ errors"),
    http.FailoverError: ("maxRequestBodyBytes status"),
    http.MirrorService: ("name percent"),
    http.WeightedRoundRobin: ("services sticky healthCheck+"),
    http.HighestRandomWeight: ("services healthCheck+"),
    http.WeightedService: ("name weight"),
    http.Sticky: ("cookie+"),
    http.Cookie: ("name secure httpOnly sameSite maxAge path domain replica"),
    http.ServersLoadBalancer: (
        "sticky+ servers strategy healthCheck passiveHealthCheck passHostHeader "
        "responseForwarding serversTransport "
        "hashHeader maxFails failTimeout outlierDetection tryDuration hold maxWaiting "  # Ours.
        "maxConnections maxQueue queueTimeout queueByPriority slowStart"
    ),
    http.ResponseForwarding: ("flushInterval"),
    http.Server: ("url weight preservePath scheme* port* backup down replica"),
    http.ServerHealthCheck: (
        "scheme mode path method status port interval unhealthyInterval timeout hostname "
        "followRedirects headers"
    ),
    http.PassiveServerHealthCheck: ("failureWindow maxFailedAttempts"),
    http.ServersTransport: (
        "serverName insecureSkipVerify rootCAs certificates cipherSuites minVersion "
        "maxVersion maxIdleConnsPerHost forwardingTimeouts disableHTTP2 peerCertURI "
        "peerCertSANs spiffe+"
    ),
    base.Spiffe: ("ids trustDomain"),
    http.ForwardingTimeouts: (
        "dialTimeout responseHeaderTimeout idleConnTimeout readIdleTimeout pingTimeout"
    ),
    tcp.TCPConfiguration: ("routers services middlewares serversTransports!"),
    tcp.TCPService: ("loadBalancer weighted!"),
    tcp.TCPWeightedRoundRobin: ("services healthCheck+"),
    tcp.TCPWeightedService: ("name weight"),
    tcp.TCPRouter: ("entryPoints middlewares service rule ruleSyntax priority tls+"),
    tcp.TCPRouterTLS: ("passthrough options certResolver domains"),
    tcp.TCPServersLoadBalancer: (
        "servers serversTransport proxyProtocol+ terminationDelay healthCheck+"
    ),
    tcp.TCPServer: ("address! port* tls"),
    base.ProxyProtocol: ("version"),
    tcp.TCPServersTransport: ("dialKeepAlive dialTimeout proxyProtocol+ terminationDelay tls+"),
    tcp.TLSClientConfig: (
        "serverName insecureSkipVerify rootCAs certificates peerCertURI peerCertSANs spiffe+"
    ),
    tcp.TCPServerHealthCheck: ("port send expect interval unhealthyInterval timeout"),
    tcp.TCPMiddleware: ("inFlightConn ipWhiteList ipAllowList"),
    tcp.TCPInFlightConn: ("amount"),
    tcp.TCPIPAllowList: ("sourceRange"),
    udp.UDPConfiguration: ("routers services"),
    udp.UDPService: ("loadBalancer weighted!"),
    udp.UDPWeightedRoundRobin: ("services"),
    udp.UDPWeightedService: ("name weight"),
    udp.UDPRouter: ("entryPoints service"),
    udp.UDPServersLoadBalancer: ("servers"),
    udp.UDPServer: ("address! port*"),
    tls.ClientAuth: ("caFiles clientAuthType"),
    tls.TLSOptions: (
        "minVersion maxVersion cipherSuites curvePreferences clientAuth sniStrict "
        "alpnProtocols disableSessionTickets preferServerCipherSuites"
    ),
    tls.TLSStore: ("defaultCertificate! defaultGeneratedCert"),
    tls.GeneratedCertificate: ("resolver domain"),
    base.Certificate: ("certFile keyFile"),
    base.SubjectAltName: ("type value"),
    base.Domain: ("main sans"),
}


@pytest.mark.parametrize("model", TRAEFIK)
def test_names_and_markers(model: type) -> None:
    written = set()
    for spec in fields_of(model):
        marks = {"!": NotInLabels, "*": LabelOnly, "+": AllowEmpty}
        written.add(spec.alias + "".join(m for m, kind in marks.items() if spec.marked(kind)))
    assert written == set(TRAEFIK[model].split())


def test_defaults() -> None:
    balancer = http.ServersLoadBalancer()
    assert (balancer.strategy, balancer.pass_host_header) == ("wrr", True)
    assert balancer.response_forwarding.flush_interval == 0.1
    assert http.Cookie().path == "/"
    check = http.ServerHealthCheck()
    assert (check.mode, check.interval, check.timeout, check.follow_redirects) == (
        "http",
        30,
        5,
        True,
    )
    passive = http.PassiveServerHealthCheck()
    assert (passive.failure_window, passive.max_failed_attempts) == (10, 1)
    assert (http.Mirroring().mirror_body, http.Mirroring().max_body_size) == (True, -1)
    assert http.FailoverError().max_request_body_bytes == -1
    assert http.WeightedService().weight == 1
    transport = http.ServersTransport()
    assert transport.max_idle_conns_per_host == 200
    assert transport.forwarding_timeouts.model_dump() == {
        "dialTimeout": 30,
        "responseHeaderTimeout": 0,
        "idleConnTimeout": 90,
        "readIdleTimeout": 0,
        "pingTimeout": 15,
    }
    stream = tcp.TCPServersTransport()
    assert (stream.dial_keep_alive, stream.dial_timeout, stream.termination_delay) == (15, 30, 0.1)
    assert base.ProxyProtocol().version == 2
    assert tls.TLSOptions().alpn_protocols == ["h2", "http/1.1", "acme-tls/1"]


def test_equal_configurations_are_equal_and_defaults_are_not_shared() -> None:
    one, other = DynamicConfiguration(), DynamicConfiguration()
    assert one == other
    one.sources["http.routers.a"] = "x"
    one.http.routers["a"] = http.Router()
    assert DynamicConfiguration() == other
    assert one != other
    assert udp.UDPConfiguration() == other.udp
