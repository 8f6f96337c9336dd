"""Rules between options that one option's type cannot say; each finding has its option's path."""

import ipaddress
import re
from collections.abc import Iterator

from edgerouter.config.static import StaticConfiguration
from edgerouter.config.static.address import EntryPointAddress
from edgerouter.config.static.entrypoints import EntryPoint
from edgerouter.config.types import suggestion

Finding = tuple[str, str]
"""Path of the option, what is wrong and what would be right."""

_STATUS_RANGE = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")


def findings(configuration: StaticConfiguration) -> Iterator[Finding]:
    """Yield everything that is wrong with a configuration that has its defaults."""
    yield from _addresses(configuration)
    for name, entry_point in configuration.entry_points.items():
        yield from _trusted_ips(name, entry_point)
        yield from _name_strategies(name, entry_point)
        yield from _redirection(configuration, name, entry_point)
    yield from _internal_services(configuration)
    if configuration.access_log is not None:
        yield from _status_codes(configuration.access_log.filters.status_codes)


def doubts(configuration: StaticConfiguration) -> Iterator[Finding]:
    """Yield options about certificates that do nothing as they are."""
    yield from _own_resolvers(configuration)
    yield from _on_demand(configuration)
    export = configuration.edgerouter.certificates_export
    if export.command and not export.directory:
        path = "edgerouter.certificatesExport"
        yield f"{path}.command", f"has no effect without {path}.directory"


def _own_resolvers(configuration: StaticConfiguration) -> Iterator[Finding]:
    resolvers = configuration.certificates_resolvers
    for name, own in configuration.edgerouter.certificates_resolvers.items():
        path, other = f"edgerouter.certificatesResolvers.{name}", f"certificatesResolvers.{name}"
        resolver = resolvers.get(name)
        if resolver is None:
            if own.internal is None:
                hint = suggestion(name, resolvers)
                yield path, f"has no effect, for there is no {other}{hint}"
        elif own.internal is not None:
            yield f"{path}.internal", f"has no effect, for there is {other}"
        elif own.dns_accounts and (resolver.acme is None or resolver.acme.dns_challenge is None):
            yield f"{path}.dnsAccounts", f"has no effect without {other}.acme.dnsChallenge"


def _on_demand(configuration: StaticConfiguration) -> Iterator[Finding]:
    path, options = "edgerouter.onDemand", configuration.edgerouter.on_demand
    known = configuration.resolver_names
    allows = bool(options.ask or options.hosts)
    if not options.resolver:
        if allows:
            yield path, f"has no effect without {path}.resolver"
    elif options.resolver not in known:
        hint = suggestion(options.resolver, known)
        message = f'there is no certificate resolver "{options.resolver}"{hint}'
        yield f"{path}.resolver", message
    elif not allows:
        yield path, "allows nobody a certificate; set hosts or ask"


def _addresses(configuration: StaticConfiguration) -> Iterator[Finding]:
    used: dict[EntryPointAddress, str] = {}
    for name, entry_point in configuration.entry_points.items():
        path = f"entryPoints.{name}.address"
        if not entry_point.address:
            yield path, 'is missing; write [host]:port, such as ":80"'
            continue
        try:
            address = EntryPointAddress.parse(entry_point.address)
        except ValueError as error:
            yield path, str(error)
            continue
        other = used.setdefault(address, name)
        if other != name and address.port:
            same = f'"{entry_point.address}" is also the address of the entry point "{other}"'
            yield path, f"{same}; give one of them another port"


def _trusted_ips(name: str, entry_point: EntryPoint) -> Iterator[Finding]:
    groups = {"forwardedHeaders": entry_point.forwarded_headers.trusted_ips}
    if entry_point.proxy_protocol is not None:
        groups["proxyProtocol"] = entry_point.proxy_protocol.trusted_ips
    for group, networks in groups.items():
        for network in networks:
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                yield (
                    f"entryPoints.{name}.{group}.trustedIPs",
                    f'"{network}" is not an IP address or network such as 10.0.0.0/8',
                )


def _name_strategies(name: str, entry_point: EntryPoint) -> Iterator[Finding]:
    aliases = entry_point.http.alias_headers_strategy
    underscores = entry_point.http.underscore_headers_strategy
    if aliases and underscores and aliases != underscores:
        yield (
            f"entryPoints.{name}.http.underscoreHeadersStrategy",
            f'"{underscores}" contradicts aliasHeadersStrategy, "{aliases}"; leave it out',
        )


def _redirection(
    configuration: StaticConfiguration, name: str, entry_point: EntryPoint
) -> Iterator[Finding]:
    redirections = entry_point.http.redirections
    if redirections is None or redirections.entry_point is None:
        return
    path = f"entryPoints.{name}.http.redirections.entryPoint"
    redirection = redirections.entry_point
    if not redirection.to:
        yield f"{path}.to", "is missing; name an entry point, or a port such as :443"
    elif redirection.to.startswith(":"):
        port = redirection.to[1:]
        if not (port.isascii() and port.isdigit() and 0 < int(port) <= 65535):
            yield f"{path}.to", f'"{redirection.to}" is not a port such as :443'
    elif redirection.to not in configuration.entry_points:
        yield f"{path}.to", _no_entry_point(redirection.to, configuration)
    if redirection.scheme not in {"http", "https"}:
        yield f"{path}.scheme", f'expected http or https; got "{redirection.scheme}"'


def _internal_services(configuration: StaticConfiguration) -> Iterator[Finding]:
    ping, api = configuration.ping, configuration.api
    if (
        ping is not None
        and not ping.manual_routing
        and ping.entry_point not in configuration.entry_points
    ):
        yield "ping.entryPoint", _no_entry_point(ping.entry_point, configuration)
    if api is None:
        return
    if not api.base_path.startswith("/"):
        yield "api.basePath", f'"{api.base_path}" must start with "/"'
    elif api.insecure and api.base_path != "/":
        yield (
            "api.basePath",
            "does not go together with api.insecure; leave one of them out",
        )


def _no_entry_point(name: str, configuration: StaticConfiguration) -> str:
    known = ", ".join(configuration.entry_points)
    return (
        f'there is no entry point "{name}"{suggestion(name, configuration.entry_points)}'
        f" (entry points: {known})"
    )


def _status_codes(codes: list[str]) -> Iterator[Finding]:
    for code in codes:
        match = _STATUS_RANGE.fullmatch(code)
        if match is None or int(match[1]) > int(match[2] or match[1]):
            yield (
                "accessLog.filters.statusCodes",
                f'"{code}" is neither a status code nor a range such as 400-499',
            )
