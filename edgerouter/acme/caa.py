"""CAA records: which CAs a domain allows (RFC 8659). Needs the extra ``dns``. Blocking."""

from collections.abc import Sequence

import dns.exception
import dns.resolver
from dns.rdtypes.ANY.CAA import CAA

from edgerouter.acme.dns import make_resolver


def allowed_issuers(name: str, servers: Sequence[str] = ()) -> frozenset[str] | None:
    """Return the issuers that are allowed for a name; None: all, or it is not known.

    The closest domain with CAA records counts; for a wildcard ``issuewild`` goes first.
    """
    try:
        resolver = make_resolver(servers)
    except (ValueError, dns.exception.DNSException):
        return None
    is_wildcard = name.startswith("*.")
    labels = name.removeprefix("*.").split(".")
    for start in range(len(labels)):
        try:
            answer = resolver.resolve(".".join(labels[start:]), "CAA")
        except dns.resolver.NoAnswer:
            continue
        except dns.exception.DNSException:
            return None
        records = [each for each in answer if isinstance(each, CAA)]
        tags = ("issuewild", "issue") if is_wildcard else ("issue",)
        for tag in tags:
            found = [each.value.decode() for each in records if each.tag.decode().lower() == tag]
            if found:
                issuers = (value.partition(";")[0].strip().lower() for value in found)
                return frozenset(issuer for issuer in issuers if issuer)
        return None
    return None
