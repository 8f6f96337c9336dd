"""What the API shows: the parts of the control plane, as JSON data of Traefik's shape.

What Traefik does not have stands under the key ``edgerouter`` of an element.
Reads only; the counterpart that speaks HTTP is ``control/admin.py``.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel

from edgerouter import __version__
from edgerouter.config.diagnostics import Diagnostic
from edgerouter.config.static import EntryPoint, StaticConfiguration
from edgerouter.config.static.entrypoints import EntryPointHTTP, EntryPointObservability
from edgerouter.config.types import camel_case
from edgerouter.control.certificates.inventory import Inventory
from edgerouter.control.elements import middleware_item, router_item, service_item, stream_item
from edgerouter.control.listeners import Listener
from edgerouter.control.listing import Item
from edgerouter.control.providers import Providers
from edgerouter.control.publisher import Publisher
from edgerouter.control.representation import represent
from edgerouter.control.runtime import (
    ElementInfo,
    MiddlewareInfo,
    RouterInfo,
    RuntimeConfiguration,
    ServiceInfo,
)
from edgerouter.control.supervisor import Supervisor

Kind = Literal["router", "service", "middleware"]
"""An element's kind, in Traefik's words of error messages."""

Protocol = Literal["http", "tcp", "udp"]

KINDS: Mapping[Protocol, tuple[Kind, ...]] = {
    "http": ("router", "service", "middleware"),
    "tcp": ("router", "service", "middleware"),
    "udp": ("router", "service"),
}
"""What each protocol has."""

TRAEFIK_VERSION = "3.7"
"""The version of Traefik whose options, labels and API we understand."""

UNLIMITED_PROGRESS = "1m0s"
"""What Traefik shows for an unset read time-out."""


class View:
    """The state of the control plane for the API."""

    def __init__(
        self,
        configuration: StaticConfiguration,
        warnings: tuple[Diagnostic, ...],
        listeners: Sequence[Listener],
        providers: Providers,
        publisher: Publisher,
        supervisor: Supervisor,
    ) -> None:
        self.configuration = configuration
        self.started = datetime.now(UTC)
        self.failed_rebuilds = 0
        self.runtime: RuntimeConfiguration | None = None
        as_traefik = configuration.edgerouter.compat == "traefik"
        self.certificates = Inventory(None, {}, as_traefik=as_traefik)
        self._warnings = warnings
        self._addresses = {listener.name: listener.address for listener in listeners}
        self._providers = providers
        self._publisher = publisher
        self._supervisor = supervisor

    def version(self) -> Item:
        """Return ``/api/version``."""
        api = self.configuration.api
        shown: Item = {"Version": __version__, "Codename": "edgerouter"}
        shown["startDate"] = self.started.isoformat().replace("+00:00", "Z")
        if api is not None and api.disable_dashboard_ad:
            shown["disableDashboardAd"] = True
        if api is not None and api.dashboard_name:
            shown["dashboardName"] = api.dashboard_name
        return {**shown, "edgerouter": {"traefik": TRAEFIK_VERSION}}

    def overview(self) -> Item:
        """Return ``/api/overview``."""
        counts: Item = {
            protocol: {f"{kind}s": _count(self.elements(protocol, kind)) for kind in kinds}
            for protocol, kinds in KINDS.items()
        }
        return {
            **counts,
            "certificates": _count(self.certificates.items()),
            "features": self._features(),
            "providers": [_go_name(name) for name in self.configuration.providers.enabled],
            "edgerouter": {
                "version": self._publisher.version,
                "failedRebuilds": self.failed_rebuilds,
                "providers": {
                    state.name: {"status": state.status, "error": state.error}
                    for state in self._providers.states.values()
                },
                "fenced": sorted(self._publisher.fenced),
            },
        }

    def raw_data(self) -> Item:
        """Return ``/api/rawdata``: every element by name."""
        shown: Item = {}
        for protocol, kinds in KINDS.items():
            for kind in kinds:
                items = self.elements(protocol, kind)
                title = f"{kind}s" if protocol == "http" else f"{protocol}{kind.title()}s"
                if items:
                    shown[title] = {item["name"]: _raw(item) for item in items}
        return shown

    def elements(self, protocol: Protocol, kind: Kind) -> list[Item]:
        """Return ``/api/<protocol>/<kind>s``, in no order."""
        return [self._item(protocol, kind, info) for info in self._infos(protocol, kind).values()]

    def element(self, protocol: Protocol, kind: Kind, name: str) -> Item | None:
        """Return the element with the qualified ``name``, None when there is none."""
        info = self._infos(protocol, kind).get(name)
        return self._item(protocol, kind, info) if info is not None else None

    def _infos(self, protocol: Protocol, kind: Kind) -> Mapping[str, ElementInfo]:
        if self.runtime is None:
            return {}
        infos: Mapping[str, ElementInfo] = getattr(getattr(self.runtime, protocol), f"{kind}s")
        return infos

    def _item(self, protocol: Protocol, kind: Kind, info: ElementInfo) -> Item:
        if protocol != "http":
            return stream_item(info, is_router=kind == "router")
        errors = self._publisher.errors.get(f"{kind}s/{info.name}", ())
        match info:
            case RouterInfo():
                return router_item(info, self.configuration, errors)
            case ServiceInfo():
                publisher = self._publisher
                down = publisher.fenced | publisher.down.get(info.name, frozenset())
                return service_item(info, down, errors)
            case MiddlewareInfo():
                return middleware_item(info, errors)
        raise AssertionError(f"{info.path} is of no known kind")

    def entry_points(self) -> list[Item]:
        """Return ``/api/entrypoints``, by name."""
        points = self.configuration.entry_points
        return [self._entry_point(name, points[name]) for name in sorted(points)]

    def entry_point(self, name: str) -> Item | None:
        """Return ``/api/entrypoints/<name>``, None when there is none."""
        found = self.configuration.entry_points.get(name)
        return self._entry_point(name, found) if found is not None else None

    def diagnostics(self) -> list[Item]:
        """Return everything that is wrong with the configuration."""
        dynamic = self.runtime.diagnostics if self.runtime is not None else ()
        found = (*self._warnings, *self.certificates.problems(), *dynamic)
        return [asdict(diagnostic) for diagnostic in found]

    def workers(self) -> list[Item]:
        """Return the state of each worker."""
        slots = {slot.worker: slot for slot in self._publisher.slots}
        shown = []
        for worker in self._supervisor.workers:
            slot = slots.get(worker.index)
            shown.append(
                {
                    "worker": worker.index,
                    "pid": worker.pid,
                    "ready": slot is not None and slot.ready,
                    "version": slot.applied if slot is not None else 0,
                    "restarts": worker.restarts,
                    "lastExit": worker.last_exit,
                    "errors": slot.errors if slot is not None else {},
                }
            )
        return shown

    def providers(self) -> list[Item]:
        """Return the state of each provider."""
        return [
            {
                "name": state.name,
                "status": state.status,
                "error": state.error,
                "failures": state.failures,
                "publications": state.publications,
                "lastPublication": state.last_publication,
                "fenced": sorted(state.fenced),
                "drained": self._providers.drained(state.name),
            }
            for state in self._providers.states.values()
        ]

    def _entry_point(self, name: str, entry_point: EntryPoint) -> Item:
        shown: Item = represent(entry_point)
        if entry_point.observability == EntryPointObservability():
            del shown["observability"]
        for field in ("encoded_characters",):
            if getattr(entry_point.http, field) == getattr(EntryPointHTTP(), field):
                del shown["http"][camel_case(field)]
        timeouts = shown["transport"]["respondingTimeouts"]
        timeouts.setdefault("readTimeout", UNLIMITED_PROGRESS)
        own = {"listening": self._addresses.get(name, "")}
        return {**shown, "name": name, "edgerouter": own}

    def _features(self) -> Item:
        metrics, tracing = self.configuration.metrics, self.configuration.tracing
        return {
            "tracing": _first_set(tracing),
            "metrics": _first_set(metrics),
            "accessLog": self.configuration.access_log is not None,
        }


def _raw(item: Item) -> Item:
    """Return an element as ``/api/rawdata`` shows it: without what its key says."""
    left_out = ("name", "provider", "type", "priorityStr")
    return {key: value for key, value in item.items() if key not in left_out}


def _count(items: Sequence[Item]) -> Item:
    found = Counter(item["status"] for item in items)
    errors = found["disabled"] + found["expired"]
    return {"total": len(items), "warnings": found["warning"], "errors": errors}


def _first_set(section: Any) -> str:
    """Return the name of the first backend of ``metrics`` or ``tracing`` that is configured."""
    for name in type(section).model_fields if section is not None else ():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            return _GO_NAMES.get(name) or name[:1].upper() + name[1:]
    return ""


_GO_NAMES = {"otlp": "OTLP", "statsd": "StatsD", "influxdb2": "InfluxDB2", "http": "HTTP"}


def _go_name(provider: str) -> str:
    """Return a provider's name as Traefik's overview writes it (its Go field)."""
    return _GO_NAMES.get(provider) or provider[:1].upper() + provider[1:]
