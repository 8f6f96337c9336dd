"""The dashboard: a page that shows what the API says, and changes nothing.

Three files without a build step and without requests to anybody else. The page finds
the API relative to itself (``../api/``), so that it works behind any prefix. Counterpart:
``edgerouter/control/admin.py``, which serves it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

PATH = "/dashboard"

HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Nothing but our own files may run: what the page shows comes from labels of strangers."""

_TYPES = {
    "index.html": "text/html",
    "dashboard.css": "text/css",
    "dashboard.js": "text/javascript",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the page."""

    content: bytes
    content_type: str


def assets() -> Mapping[str, Asset]:
    """Return the files by name; the page itself has the empty name."""
    directory = files(__name__)
    return {
        "" if name == "index.html" else name: Asset((directory / name).read_bytes(), kind)
        for name, kind in _TYPES.items()
    }


def redirection(base: str, stripped: str) -> str:
    """Return where the page is, for clients that came to a place above it.

    Args:
        base: The path in front of the dashboard, without a slash at its end.
        stripped: What middlewares have taken off the path (``X-Forwarded-Prefix``).
    """
    before = stripped.rstrip("/").removesuffix(PATH).removesuffix(base)
    if not before.startswith("/") or before.startswith(("//", "/\\")):
        before = ""  # Two slashes would name another host.
    return f"{before}{base}{PATH}/"
