"""Everything workers need for TLS: certificates of files and sources, options, ticket keys.

``gather`` and ``tell`` run in the event loop, ``section`` in a thread in between:
it reads files and looks at certificates.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgerouter.config.diagnostics import Diagnostic
from edgerouter.control.runtime.model import RuntimeConfiguration
from edgerouter.control.tls.demands import demands_of
from edgerouter.control.tls.files import PemFiles
from edgerouter.control.tls.pair import self_signed
from edgerouter.control.tls.reading import Files, Reading
from edgerouter.control.tls.selftest import sessions_are_shared
from edgerouter.control.tls.source import (
    Certificate,
    CertificateSource,
    Challenges,
    Demand,
    KeyPair,
)

log = logging.getLogger(__name__)

LOOK_EVERY = 2.0
"""Seconds between two looks at the files of certificates."""
TICKET_KEY_LIFETIME = 12 * 3600.0
"""Seconds a key encrypts session tickets; sessions of the one before begin anew."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the sources have at one moment."""

    certificates: tuple[Certificate, ...]
    default: Certificate | None
    challenges: Challenges
    ticket_key: str


class TlsManager:
    """Makes the ``tls`` part of snapshots."""

    def __init__(
        self,
        sources: Sequence[CertificateSource] = (),
        *,
        strict_options: bool = False,
        as_traefik: bool = False,
    ) -> None:
        """Merge what ``sources`` have, the first preferred.

        ``strict_options`` is ``core.strictTLSOptions``, ``as_traefik`` is ``edgerouter.compat``.
        """
        self._sources = tuple(sources)
        self._strict_options = strict_options
        self._as_traefik = as_traefik
        self._files = PemFiles()
        self._good: dict[Files, Certificate] = {}
        self.shown: Sequence[Mapping[str, Any]] = ()
        """What the last ``section`` has for clients, for the API: ``reason`` is what is wrong."""
        self._self_signed: KeyPair | None = None
        self._demands: list[Demand] = []
        self.refused: Sequence[tuple[Demand, str]] = ()
        """What routers want and no source can make, with the reason, of the last ``section``."""
        self._shares_sessions: bool | None = None
        self._ticket_key = secrets.token_hex(32)
        self._key_made = time.monotonic()

    async def run(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` whenever a new snapshot is due, until cancelled."""
        for source in self._sources:
            source.on_change(changed)
        while True:
            await asyncio.sleep(LOOK_EVERY)
            if time.monotonic() - self._key_made > TICKET_KEY_LIFETIME:
                self._ticket_key = secrets.token_hex(32)
                self._key_made = time.monotonic()
                changed()
            if await asyncio.to_thread(self._files.have_changed):
                changed()

    def gather(self) -> Gathered:
        """Return what the sources have now."""
        challenges = [source.challenges() for source in self._sources]
        defaults = (source.default() for source in self._sources)
        return Gathered(
            tuple(each for source in self._sources for each in source.certificates()),
            next((each for each in defaults if each is not None), None),
            Challenges(
                {token: text for each in challenges for token, text in each.http01.items()},
                {host: pair for each in challenges for host, pair in each.acme_tls.items()},
            ),
            self._ticket_key,
        )

    def tell(self) -> None:
        """Tell the sources what the last ``section`` found routers to want."""
        for source in self._sources:
            source.demand(self._demands)

    def section(
        self, runtime: RuntimeConfiguration, gathered: Gathered
    ) -> tuple[dict[str, Any], list[Diagnostic]]:
        """Return the ``tls`` part of a snapshot (``docs/architecture.md``), and what is wrong."""
        reading = Reading(self._files, self._good)
        self._files.begin()
        read = reading.certificates(runtime.tls)
        own_default = reading.default(runtime.tls)
        options = reading.options(runtime.tls, as_traefik=self._as_traefik)
        self._files.end()
        self._good = reading.good
        own = [each.certificate for each in read]
        wanted = [
            each
            for each in demands_of(runtime.http.routers.values(), runtime.tls)
            # Who names a default certificate wants it wherever there is no other.
            if (each.resolver or own_default is None or each.default) and not _covered(each, own)
        ]
        reasons = {each: self._refusal(each) for each in wanted}
        self.refused = [(each, reason) for each, reason in reasons.items() if reason]
        self._demands = [each for each, reason in reasons.items() if not reason]
        certificates = [*own, *gathered.certificates]
        self.shown = [
            *(_shown(each.certificate, each.problem) for each in read),
            *map(_shown, gathered.certificates),
            *([_shown(own_default.certificate, own_default.problem)] if own_default else ()),
        ]
        default = own_default.certificate if own_default is not None else None
        default = default or _generated(wanted, certificates) or gathered.default
        if default is None:
            default = self._fallback()
        return {
            "options": options,
            "certificates": [
                {"names": list(each.names), **_pair(each), "origin": each.origin}
                for each in certificates
            ],
            "default": {**_pair(default), "origin": default.origin},
            "acmeTls": {
                host: {**_pair(pair), "origin": "ACME challenge"}
                for host, pair in gathered.challenges.acme_tls.items()
            },
            "http01": dict(gathered.challenges.http01),
            "ticketKey": gathered.ticket_key if self._can_share_sessions() else "",
            "strictOptions": self._strict_options,
        }, [*reading.found, *self._mark_refused(runtime)]

    def _refusal(self, demand: Demand) -> str:
        return next(filter(None, (source.refusal(demand) for source in self._sources)), "")

    def _mark_refused(self, runtime: RuntimeConfiguration) -> Iterator[Diagnostic]:
        for demand, reason in self.refused:
            for name in demand.routers:
                info = runtime.http.routers[name]
                info.warn(reason)
                yield info.diagnostic("error", reason)
            if demand.default:
                key = "tls.stores.default.defaultGeneratedCert"
                yield Diagnostic("error", reason, key=key, element=key)

    def _can_share_sessions(self) -> bool:
        if self._shares_sessions is None:
            self._shares_sessions = sessions_are_shared(self._own_pair())
            if not self._shares_sessions:
                log.warning(
                    "This build of Python does not let workers resume each other's TLS sessions;"
                    " clients shake hands anew when another worker answers"
                )
        return self._shares_sessions

    def _own_pair(self) -> KeyPair:
        if self._self_signed is None:
            self._self_signed = self_signed(as_traefik=self._as_traefik)
        return self._self_signed

    def _fallback(self) -> Certificate:
        pair = self._own_pair()
        return Certificate((), pair.chain_pem, pair.key_pem, "self-signed")


def _pair(pair: Certificate | KeyPair) -> dict[str, str]:
    return {"certificate": pair.chain_pem, "key": pair.key_pem}


def _shown(certificate: Certificate, problem: str = "") -> dict[str, Any]:
    shown = {"certificate": certificate.chain_pem, "origin": certificate.origin}
    return shown | ({"reason": problem} if problem else {})


def covers(names: Sequence[str], name: str) -> bool:
    """Tell whether a certificate for ``names`` is good for ``name``, itself maybe a wildcard."""
    return name in names or ("." in name and "*." + name.partition(".")[2] in names)


def _covered(demand: Demand, certificates: Sequence[Certificate]) -> bool:
    """Tell whether the user's own certificates have all names of ``demand``."""
    return any(all(covers(each.names, name) for name in demand.names) for each in certificates)


def _generated(
    demands: Sequence[Demand], certificates: Sequence[Certificate]
) -> Certificate | None:
    """Return the certificate of ``defaultGeneratedCert`` as soon as there is one."""
    for demand in demands:
        if demand.default:
            for each in certificates:
                if all(covers(each.names, name) for name in demand.names):
                    return each
    return None
