"""Field names as Go writes them, for ``edgerouter.compat=traefik``."""

from collections.abc import Iterable

from edgerouter.http.headers import Headers
from edgerouter.http.memory import remembered


@remembered(4096)
def canonical_name(name: bytes) -> bytes:
    """Return a field name as Go writes it: ``x-request-ID`` is ``X-Request-Id``."""
    return b"-".join([part[:1].upper() + part[1:].lower() for part in name.split(b"-")])


def canonical(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return ``headers`` with their names as Go writes them."""
    return Headers([(canonical_name(name), value) for name, value in headers])
