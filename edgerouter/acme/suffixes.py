"""Domains that somebody can own, by the public suffix list. Needs the extra ``dns``."""

from functools import lru_cache

from tldextract import TLDExtract

_suffixes = TLDExtract(cache_dir=None, suffix_list_urls=(), include_psl_private_domains=True)
"""The list that the library brings along; nothing is fetched."""


@lru_cache(maxsize=10_000)
def domain_above(name: str) -> str:
    """Return the domain directly above a name; empty for what nobody owns, as ``com`` or ``co.uk``.

    Addresses have none.
    """
    domain = name.partition(".")[2]
    if "." not in domain or domain.rpartition(".")[2].isdigit():
        return ""
    return domain if _suffixes(domain).domain else ""
