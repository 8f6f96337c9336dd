"""Diagnostics: what is wrong with a configuration, as values that are kept and shown.

Configuration problems are never exceptions that end something: they are
collected, logged once, and shown in the API beside what they disabled.
"""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: where it stands, what is wrong, and what to do about it."""

    severity: Severity
    message: str
    """What is wrong and what would be right, as a full sentence."""
    provider: str = ""
    """The provider that found it, e.g. ``docker``."""
    source: str = ""
    """The container or file, e.g. ``container shop-api-1`` or ``/etc/edgerouter/dynamic.yml``."""
    key: str = ""
    """The label, option path or environment variable as the user wrote it."""
    element: str = ""
    """What it disables or concerns, e.g. ``http.routers.api`` (no provider suffix)."""

    def __str__(self) -> str:
        place = ", ".join(part for part in (self.source, self.key) if part)
        return f"{place}: {self.message}" if place else self.message
