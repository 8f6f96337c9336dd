"""How certificates of others are verified: as Go does it, with every version of Python.

Python 3.13 and urllib3 on it demand of a CA what RFC 5280 does (``keyUsage`` above all), which
private CAs often lack; earlier versions, and bare contexts, want a chain to end in a root.
"""

import ssl

STRICT = ssl.VERIFY_X509_STRICT
PARTIAL = ssl.VERIFY_X509_PARTIAL_CHAIN


def verify_as_go(context: ssl.SSLContext) -> None:
    """Have any trusted certificate end a chain, an intermediate one too, and CAs be as they are."""
    context.verify_flags = (context.verify_flags | PARTIAL) & ~STRICT
