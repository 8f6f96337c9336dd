"""Which certificates routers want: one demand per set of names and resolver."""

from collections.abc import Iterable

from edgerouter.config.dynamic import TLSConfiguration
from edgerouter.config.dynamic.base import Domain
from edgerouter.control.runtime.model import RouterInfo
from edgerouter.control.runtime.tls import options_name
from edgerouter.control.tls.source import Demand
from edgerouter.routing.compiled import compile_rule
from edgerouter.routing.hosts import hosts_of
from edgerouter.routing.lexer import RuleError
from edgerouter.tls.names import ascii_name


def demands_of(routers: Iterable[RouterInfo], tls: TLSConfiguration) -> list[Demand]:
    """Return what routers in service and the default store want; equal wishes are one."""
    wanted: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for info in routers:
        if info.tls is not None and info.is_served and not _is_strict(info, tls):
            for main, *sans in _sets(info):
                key = (info.tls.cert_resolver, main, tuple(sans))
                wanted.setdefault(key, []).append(info.name)
    demands = [
        Demand(resolver, main, sans, tuple(sorted(names)))
        for (resolver, main, sans), names in sorted(wanted.items())
    ]
    store = tls.stores.get("default")
    generated = store.default_generated_cert if store is not None else None
    if generated is not None and generated.domain is not None and generated.domain.main:
        names = tuple(_names(generated.domain))
        if names:
            demands.append(Demand(generated.resolver, names[0], names[1:], default=True))
    return demands


def _is_strict(info: RouterInfo, tls: TLSConfiguration) -> bool:
    """Tell whether names without a certificate are to be refused, so that none may be made."""
    options = tls.options.get(options_name(info))
    return options is not None and options.sni_strict and not (info.tls and info.tls.cert_resolver)


def _sets(info: RouterInfo) -> list[list[str]]:
    """Return the sets of names: ``tls.domains``, else the hosts of the rule as one set."""
    assert info.tls is not None  # noqa: S101 - for the type checker; the caller has looked
    named = [_names(domain) for domain in info.tls.domains]
    if any(named):
        return [names for names in named if names]
    try:
        hosts = list(hosts_of(compile_rule(info.rule, info.rule_syntax).node))
    except RuleError:
        return []
    return [hosts] if hosts else []


def _names(domain: Domain) -> list[str]:
    """Return the names of a domain as certificates have them."""
    written = (name.lower().removesuffix(".") for name in (domain.main, *domain.sans))
    return list(dict.fromkeys(ascii_name(name) for name in written if name))
