"""How long TXT records live and are waited for: lego's variables, ``<PREFIX>_TTL`` and others."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edgerouter.acme.dns_environment import variable
from edgerouter.config.types import parse_duration
from edgerouter.observability.logs import fields

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of one provider."""

    ttl: int = 120
    """How long name servers may remember a record."""
    patience: float = 120.0
    """How long a record has to be on all name servers."""
    interval: float = 2.0
    """Between two looks."""

    def adapted(self, prefixes: Iterable[str], environ: Mapping[str, str]) -> "Timing":
        """Return it with what variables say; one that is wrong is left out and reported.

        Raises:
            ValueError: A file with a value cannot be read.
        """
        prefixes = tuple(prefixes)

        def said(name: str, usual: float) -> float:
            return _seconds(environ, [f"{prefix}_{name}" for prefix in prefixes]) or usual

        return Timing(
            round(said("TTL", self.ttl)),
            said("PROPAGATION_TIMEOUT", self.patience),
            said("POLLING_INTERVAL", self.interval),
        )


USUAL = Timing()


def _seconds(environ: Mapping[str, str], names: Iterable[str]) -> float | None:
    for name in names:
        text = variable(environ, name)
        if text:
            try:
                seconds = parse_duration(text)
            except ValueError:
                seconds = 0.0
            if seconds > 0:
                return seconds
            reason = "it is not used; write a number of seconds above 0, or 15m"
            log.warning(
                "A variable of a DNS provider is wrong",
                extra=fields(variable=f"{name}={text}", reason=reason),
            )
    return None
