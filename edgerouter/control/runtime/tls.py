"""What routers say about TLS, checked against options, resolvers and each other."""

from collections.abc import Iterable, Iterator, Mapping

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic import TLSConfiguration
from edgerouter.config.qualify import qualified
from edgerouter.config.static import StaticConfiguration
from edgerouter.config.types import suggestion
from edgerouter.control.runtime.model import RouterInfo, missing
from edgerouter.routing.compiled import compile_rule
from edgerouter.routing.hosts import hosts_of

DEFAULT = "default"


def options_name(info: RouterInfo) -> str:
    """Return the qualified name of the TLS options a router asks for."""
    name = info.tls.options if info.tls is not None else ""
    return DEFAULT if name in ("", DEFAULT) else qualified(name, info.provider)


def check_tls(
    routers: Mapping[str, RouterInfo], tls: TLSConfiguration, static: StaticConfiguration
) -> list[Diagnostic]:
    """Mark routers whose TLS does not do what they ask for; return what is wrong."""
    secure = [info for info in routers.values() if info.tls is not None and info.is_served]
    found = []
    for info in secure:
        for message in _references(info, tls, static):
            info.warn(message)
            found.append(info.diagnostic("error", message))
    strict = static.core.strict_tls_options
    outcome = "TLS handshakes for it are refused" if strict else "the default options hold for it"
    return found + list(_generated(tls, static)) + list(_conflicts(secure, outcome))


def _generated(tls: TLSConfiguration, static: StaticConfiguration) -> Iterator[Diagnostic]:
    """Check what the default store wants to be generated."""
    store = tls.stores.get(DEFAULT)
    wanted = store.default_generated_cert if store is not None else None
    if wanted is None:
        return
    element = "tls.stores.default.defaultGeneratedCert"
    if wanted.resolver and (message := _no_resolver(wanted.resolver, static)):
        yield Diagnostic("error", message, key=f"{element}.resolver", element=element)
    if wanted.domain is None or not wanted.domain.main:
        message = "is missing, and there is no generated certificate without it; name a host"
        yield Diagnostic("error", message, key=f"{element}.domain.main", element=element)


def _no_resolver(name: str, static: StaticConfiguration) -> str:
    known = static.resolver_names
    if name in known:
        return ""
    return f'the certificate resolver "{name}" does not exist{suggestion(name, known)}'


def _references(
    info: RouterInfo, tls: TLSConfiguration, static: StaticConfiguration
) -> Iterator[str]:
    assert info.tls is not None  # noqa: S101 - for the type checker; the caller has looked
    options = options_name(info)
    if options != DEFAULT and options not in tls.options:
        yield f"{missing('TLS options', options, tls.options)}; TLS handshakes are refused"
    elif options != DEFAULT and not _hosts(info):
        yield (
            f'the TLS options "{options}" have no effect, for the rule names no host; '
            "which options hold is decided by the name in the handshake"
        )
    resolver = info.tls.cert_resolver
    if resolver and (message := _no_resolver(resolver, static)):
        yield message


def _hosts(info: RouterInfo) -> tuple[str, ...]:
    return hosts_of(compile_rule(info.rule, info.rule_syntax).node)


def _conflicts(routers: Iterable[RouterInfo], outcome: str) -> Iterator[Diagnostic]:
    """Find hosts whose routers disagree about the options."""
    asked: dict[tuple[str, str], dict[str, list[RouterInfo]]] = {}
    for info in routers:
        for host in _hosts(info):
            for entry_point in info.using:
                sets = asked.setdefault((entry_point, host), {})
                sets.setdefault(options_name(info), []).append(info)
    for (entry_point, host), sets in asked.items():
        if len(sets) > 1:
            message = (
                f'the host "{host}" has routers with different TLS options '
                f'({", ".join(sorted(sets))}) on the entry point "{entry_point}", so '
                f"{outcome}; give all of them the same tls.options"
            )
            for infos in sets.values():
                for info in infos:
                    info.warn(message)
            names = ", ".join(sorted(info.name for infos in sets.values() for info in infos)[:10])
            yield Diagnostic("warning", f"{message} (routers: {names})")
