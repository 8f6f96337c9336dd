"""Options of Traefik that are accepted without effect, and options Traefik itself removed.

The one table of what is not supported yet: a line goes away when the feature comes.
``*`` stands for any name. Paths are in lower case.
"""

from collections.abc import Iterable

UNSUPPORTED: tuple[tuple[str, str], ...] = (
    ("accesslog.dualoutput", "the access log is not sent to a collector"),
    ("accesslog.otlp", "the access log is not sent to a collector"),
    ("api.debug", "/debug is not served"),
    ("certificatesresolvers.*.tailscale", "certificates of Tailscale are not obtained"),
    ("entrypoints.*.http2", "HTTP/2 is not served"),
    ("entrypoints.*.http3", "HTTP/3 is not served"),
    ("entrypoints.*.observability.metrics", "no metrics are recorded"),
    ("entrypoints.*.observability.tracing", "no traces are recorded"),
    ("entrypoints.*.observability.traceverbosity", "no traces are recorded"),
    ("entrypoints.*.udp", "UDP is not served"),
    ("experimental", "no plug-ins are loaded"),
    ("hostresolver", "CNAMEs are not flattened"),
    ("log.otlp", "the log is not sent to a collector"),
    ("metrics", "no metrics are recorded"),
    ("ocsp", "OCSP responses are not stapled"),
    ("serverstransport.spiffe", "SPIFFE is not used; servers over HTTPS are refused"),
    ("spiffe", "SPIFFE is not used"),
    ("tcpserverstransport", "TCP services are not served"),
    ("tracing", "no traces are recorded"),
)
"""Option and what its absence means for the user."""

_SWARM = "use providers.swarm"
_OTLP = "use tracing.otlp"
_NAMESPACES = "write namespaces, a list"
_CA_OPTIONAL = "leave it out; it is the client's business whether to send a certificate"

REMOVED: tuple[tuple[str, str], ...] = (
    ("pilot", "leave it out; Traefik Pilot has ended"),
    ("hub", "leave it out; Traefik Hub is another product"),
    ("experimental.http3", "leave it out and use entryPoints.<name>.http3"),
    ("experimental.kubernetesgateway", "leave it out"),
    ("metrics.influxdb", "use metrics.influxDB2"),
    ("providers.docker.swarmmode", _SWARM),
    ("providers.docker.swarmmoderefreshseconds", "use providers.swarm.refreshSeconds"),
    ("providers.consul.namespace", _NAMESPACES),
    ("providers.consulcatalog.namespace", _NAMESPACES),
    ("providers.nomad.namespace", _NAMESPACES),
    ("providers.marathon", "run the containers under Docker, Swarm or Kubernetes"),
    ("providers.rancher", "use another provider, such as docker"),
    ("providers.*.tls.caoptional", _CA_OPTIONAL),
    ("providers.*.endpoint.tls.caoptional", _CA_OPTIONAL),
    ("tracing.datadog", _OTLP),
    ("tracing.elastic", _OTLP),
    ("tracing.haystack", _OTLP),
    ("tracing.instana", _OTLP),
    ("tracing.jaeger", _OTLP),
    ("tracing.spannamelimit", "leave it out"),
    ("tracing.zipkin", _OTLP),
)
"""Options of Traefik v2 that v3 refuses, and what to do instead."""


def matching_prefix(pattern: str, path: str) -> str | None:
    """Return the part of ``path`` that ``pattern`` covers, or None.

    >>> matching_prefix("entrypoints.*.udp", "entrypoints.web.udp.timeout")
    'entrypoints.web.udp'
    """
    wanted, given = pattern.split("."), path.split(".")
    if len(given) < len(wanted):
        return None
    if all(want in {"*", have} for want, have in zip(wanted, given, strict=False)):
        return ".".join(given[: len(wanted)])
    return None


def removed_hint(path: str) -> str | None:
    """Return what to do instead of an option that Traefik v2 had, or None."""
    for pattern, hint in REMOVED:
        if matching_prefix(pattern, path.lower()) is not None:
            return hint
    return None


def unsupported(paths: Iterable[str]) -> dict[str, str]:
    """Return the options without effect among ``paths`` (lower case), each with the reason."""
    found: dict[str, str] = {}
    for path in paths:
        for pattern, reason in UNSUPPORTED:
            if (prefix := matching_prefix(pattern, path)) is not None:
                found[prefix] = reason
    return found
