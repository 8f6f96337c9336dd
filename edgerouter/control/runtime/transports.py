"""Servers transports of the runtime view: certificates read, options tried.

Certificate files are read here, so that a new content is a change like any
other and workers need no access to the files.
"""

from collections.abc import Mapping
from typing import Any

from edgerouter.config.diagnostics import Diagnostic, Severity
from edgerouter.config.dynamic import DynamicConfiguration
from edgerouter.config.dynamic.http import ForwardingTimeouts, ServersTransport
from edgerouter.config.qualify import provider_of
from edgerouter.config.static import StaticConfiguration
from edgerouter.config.types import camel_case
from edgerouter.control.runtime.balancers import DEFAULT_TRANSPORT
from edgerouter.proxy.upstream.tls import TransportError, client_tls, read_pem


def transports_of(
    static: StaticConfiguration, merged: DynamicConfiguration
) -> tuple[dict[str, ServersTransport], dict[str, str], list[Diagnostic]]:
    """Return all transports by name, the reasons why some cannot be used, and the findings."""
    values = static.servers_transport.model_dump(mode="json", by_alias=True)
    written = {
        DEFAULT_TRANSPORT: ServersTransport.model_validate(values),
        **merged.http.servers_transports,
    }
    as_traefik = static.edgerouter.compat == "traefik"
    transports: dict[str, ServersTransport] = {}
    broken: dict[str, str] = {}
    found: list[Diagnostic] = []
    for name, given in written.items():
        transport, doubtful = _with_default_times(given)
        found += [_diagnostic("warning", name, message, merged.sources) for message in doubtful]
        transports[name] = transport
        if errors := merged.errors.get(f"http.serversTransports.{name}"):
            broken[name] = errors[0]
            continue
        try:
            transports[name] = _resolved(transport)
        except TransportError as error:
            found.append(_diagnostic("error", name, str(error), merged.sources))
            usable = _usable_part(transport) if as_traefik else None
            if usable is not None:
                transports[name] = usable
            else:
                broken[name] = str(error)
    return transports, broken, found


def _with_default_times(transport: ServersTransport) -> tuple[ServersTransport, list[str]]:
    """Return ``transport`` with the default for each negative time, and what to say of them."""
    times = transport.forwarding_timeouts
    negative = [name for name, seconds in times if seconds < 0]
    if not negative:
        return transport, []
    defaults = ForwardingTimeouts()
    times = times.model_copy(update={name: getattr(defaults, name) for name in negative})
    return transport.model_copy(update={"forwarding_timeouts": times}), [
        f"forwardingTimeouts.{camel_case(name)}: a negative time is taken for the default;"
        " write a time such as 10s"
        for name in negative
    ]


def _resolved(transport: ServersTransport) -> ServersTransport:
    """Return ``transport`` with certificates in place of files.

    Raises:
        TransportError: Its options cannot be used.
    """
    authorities = [read_pem(text, f"rootCAs[{n}]") for n, text in enumerate(transport.root_cas)]
    certificates = [
        pair.model_copy(
            update={
                "cert_file": read_pem(pair.cert_file, f"certificates[{n}].certFile"),
                "key_file": read_pem(pair.key_file, f"certificates[{n}].keyFile"),
            }
        )
        for n, pair in enumerate(transport.certificates)
    ]
    resolved = transport.model_copy(update={"root_cas": authorities, "certificates": certificates})
    if _has_tls_options(resolved):
        client_tls(resolved.model_dump(mode="json", by_alias=True))
    return resolved


def _usable_part(transport: ServersTransport) -> ServersTransport | None:
    """Return ``transport`` without the certificates that cannot be used, as Traefik does.

    None where nobody would be trusted, or where Traefik forgets all options, which server it
    wants to see among them.
    """
    authorities = [
        pem for pem in transport.root_cas if _is_usable(ServersTransport(root_cas=[pem]))
    ]
    pairs = [
        pair for pair in transport.certificates if _is_usable(ServersTransport(certificates=[pair]))
    ]
    part = transport.model_copy(update={"root_cas": authorities, "certificates": pairs})
    if (transport.root_cas and not authorities) or not _is_usable(part):
        return None
    return _resolved(part)


def _is_usable(transport: ServersTransport) -> bool:
    try:
        _resolved(transport)
    except TransportError:
        return False
    return True


def _has_tls_options(transport: ServersTransport) -> bool:
    """Tell whether there is anything to try; the system's authorities are slow to read."""
    plain = ServersTransport(
        max_idle_conns_per_host=transport.max_idle_conns_per_host,
        forwarding_timeouts=transport.forwarding_timeouts,
        disable_http2=transport.disable_http2,
    )
    return transport != plain


def _diagnostic(
    severity: Severity, name: str, reason: str, sources: Mapping[str, Any]
) -> Diagnostic:
    if name == DEFAULT_TRANSPORT:
        return Diagnostic(severity, reason, key="serversTransport")
    path = f"http.serversTransports.{name}"
    key = path.rpartition("@")[0]
    return Diagnostic(severity, reason, provider_of(name), sources.get(path, ""), key)
