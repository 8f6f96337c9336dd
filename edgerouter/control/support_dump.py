"""The archive at ``/api/support-dump``: what others need to help, without secrets.

Files and layout are Traefik's, and ``edgerouter.json`` beside them. In the static
configuration, text is hidden unless its option is known to hold no secret, so that a
new option is hidden until somebody has thought about it.
"""

import io
import json
import re
import tarfile
from collections.abc import Mapping
from typing import Any

from edgerouter.control.representation import represent
from edgerouter.control.view import View

HIDDEN = "xxxx"

HARMLESS = frozenset(
    {
        "basePath",
        "certResolver",
        "compat",
        "defaultMode",
        "defaultRule",
        "defaultRuleSyntax",
        "directory",
        "entryPoint",
        "filePath",
        "filename",
        "format",
        "keyType",
        "level",
        "middlewares",
        "network",
        "preferredChain",
        "profile",
        "runtimeDir",
        "scheme",
        "statusCodes",
        "storage",
        "to",
        "underscoreHeadersStrategy",
    }
)
"""Options whose text anybody may read. Addresses and endpoints are not among them (Traefik)."""

_DURATION = re.compile(r"-?(\d+(\.\d+)?(h|m|s|ms|µs|ns))+")


def support_dump(view: View) -> bytes:
    """Return the archive, a gzipped tar."""
    files = {
        "version.json": view.version(),
        "static-config.json": redacted(represent(view.configuration)),
        "runtime-config.json": view.raw_data(),
        "edgerouter.json": {
            "diagnostics": view.diagnostics(),
            "providers": view.providers(),
            "workers": view.workers(),
        },
    }
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in files.items():
            data = json.dumps(content, indent=1, ensure_ascii=True).encode()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o600
            entry.mtime = int(view.started.timestamp())
            tar.addfile(entry, io.BytesIO(data))
    return archive.getvalue()


def redacted(shown: Any, option: str = "") -> Any:
    """Return JSON data of the static configuration with text hidden that may be secret."""
    if isinstance(shown, Mapping):
        return {name: redacted(value, name) for name, value in shown.items()}
    if isinstance(shown, list):
        return [redacted(value, option) for value in shown]
    if not isinstance(shown, str) or option in HARMLESS or _DURATION.fullmatch(shown):
        return shown
    return HIDDEN
