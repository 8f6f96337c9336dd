"""The provider interface: how configuration comes in from outside.

A provider is a class registered under the entry-point group
``edgerouter.providers``. It is loaded only when the static configuration
names it. ``run`` works until it is cancelled; when the provider cannot see
(daemon down, file unreadable) it publishes nothing, so the last good
configuration keeps serving, and raises ``ProviderUnavailable`` or retries.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.dynamic import DynamicConfiguration

GROUP = "edgerouter.providers"


class ProviderUnavailable(Exception):
    """The provider cannot see its source now; it is run again after a pause."""


class ProviderContext(Protocol):
    """What a provider may do; implemented by the control plane."""

    def publish(
        self, configuration: DynamicConfiguration, diagnostics: Sequence[Diagnostic] = ()
    ) -> None:
        """Offer a complete configuration; the newest replaces what was published before."""
        ...

    def fence(self, urls: Iterable[str]) -> None:
        """Say which server URLs must get no new request; each call replaces the whole set.

        Takes the fast path to the workers, past debouncing and merging.
        """
        ...

    def reconnecting(self, reason: str) -> None:
        """Say that the source is out of sight and is tried again; until the next ``publish``."""
        ...


class Provider(Protocol):
    """One source of configuration."""

    Options: ClassVar[type[BaseModel]]
    """The static options under ``providers.<name>``."""

    def __init__(self, name: str, options: Any) -> None: ...

    async def run(self, context: ProviderContext) -> None:
        """Watch the source and publish, until cancelled.

        Raises:
            ProviderUnavailable: The source cannot be reached.
        """
        ...


def installed_providers() -> dict[str, EntryPoint]:
    """Return the registered providers by name, none of them imported yet."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def normalize(name: str) -> str:
    """Return ``name`` with each run of other characters than letters and digits as one ``-``.

    Traefik's rule for names of elements that are made of a container's name; also a function of
    its templates.
    """
    kept = (c if unicodedata.category(c)[0] in "LN" else " " for c in name)
    return "-".join("".join(kept).split())
