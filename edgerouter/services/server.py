"""Servers as a load balancer sees them."""

from collections import deque
from collections.abc import Callable
from typing import Protocol
from weakref import WeakSet

from edgerouter.http.message import Request, Response


class Forward(Protocol):
    """Sends a request to one server; the worker gives in ``proxy/forward.py``'s ``Target``."""

    async def __call__(self, request: Request) -> Response:
        """Return the answer at its head.

        Raises:
            ExchangeError: There is none; ``retry`` says whether another server may be asked.
        """
        ...


class ServerState:
    """What is remembered of a server, over every change of its service."""

    __slots__ = (
        "active",
        "asked",
        "back_since",
        "changed",
        "failures",
        "gone",
        "left",
        "mean_seconds",
        "out",
        "rests",
        "seconds",
        "seconds_sum",
        "succeeded",
        "usable_since",
    )

    def __init__(self) -> None:
        self.active = 0
        """Requests under way."""
        self.seconds: deque[float] = deque()
        """How long the last answers took to come, for ``leasttime``."""
        self.seconds_sum = self.mean_seconds = 0.0
        self.failures: deque[float] = deque()
        """When requests failed, by the clock of the event loop."""
        self.asked = self.succeeded = 0
        """Answers, and good ones, in the present interval of ``outlierDetection``."""
        self.out = False
        """Whether it has failed too often and rests."""
        self.gone = False
        """Whether it cannot be asked for another reason: fenced, down, without weight."""
        self.rests = 0
        """How often in a row it has had to rest."""
        self.back_since = float("-inf")
        """When it came back from its last rest."""
        self.usable_since: float | None = 0.0
        """By the monotonic clock; 0: always. None while it is not usable."""
        self.left: Callable[[], None] = _ignore
        """Called when a request is over."""
        self.changed: Callable[[], None] = _ignore
        """Called when ``out`` has changed; the newest load balancer wants to know."""


def _ignore() -> None:
    """Nobody wants to know."""


class Server:
    """One server of one service."""

    __slots__ = ("backup", "forward", "state", "url", "weight")

    def __init__(
        self,
        url: str,
        weight: int,
        forward: Forward,
        *,
        backup: bool = False,
        state: ServerState | None = None,
    ) -> None:
        self.url = url
        self.weight = weight
        self.forward = forward
        self.backup = backup
        """Whether it is asked only when no other can be."""
        self.state = state or ServerState()

    def __repr__(self) -> str:
        return f"Server({self.url!r}, weight={self.weight})"


class Watcher(Protocol):
    """Who wants to know when servers become usable or unusable."""

    name: str
    """The service."""
    urls: frozenset[str]
    """Its servers."""

    def refresh(self) -> None:
        """Look again."""
        ...


class Fences:
    """Server URLs that get no new request: their containers are going away.

    One per worker, outside every table; the control plane replaces the whole
    set, past the route tables, so that it takes effect at once.
    """

    __slots__ = ("_urls", "_watchers")

    def __init__(self) -> None:
        self._urls: frozenset[str] = frozenset()
        self._watchers: WeakSet[Watcher] = WeakSet()

    @property
    def urls(self) -> frozenset[str]:
        return self._urls

    @urls.setter
    def urls(self, urls: frozenset[str]) -> None:
        changed = urls ^ self._urls
        self._urls = urls
        if changed:
            for watcher in list(self._watchers):
                if not changed.isdisjoint(watcher.urls):
                    watcher.refresh()

    def watch(self, watcher: Watcher) -> None:
        """Have ``watcher`` refreshed when its servers are concerned, as long as it lives."""
        self._watchers.add(watcher)


_NONE: frozenset[str] = frozenset()


class Health:
    """What the control plane's health checks found, by service; one per worker."""

    __slots__ = ("_down", "_unproven", "_watchers")

    def __init__(self) -> None:
        self._down: dict[str, frozenset[str]] = {}
        self._unproven: dict[str, frozenset[str]] = {}
        self._watchers: WeakSet[Watcher] = WeakSet()

    def down(self, service: str) -> frozenset[str]:
        """Return the URLs of the servers of ``service`` that are down."""
        return self._down.get(service, _NONE)

    def unproven(self, service: str) -> frozenset[str]:
        """Return the URLs of the servers of ``service`` whose first probe is not over."""
        return self._unproven.get(service, _NONE)

    def replace(
        self, down: dict[str, frozenset[str]], unproven: dict[str, frozenset[str]] | None = None
    ) -> None:
        """Take the newest results."""
        unproven = unproven or {}
        changed = _changed(self._down, down) | _changed(self._unproven, unproven)
        self._down, self._unproven = down, unproven
        if changed:
            for watcher in list(self._watchers):
                if watcher.name in changed:
                    watcher.refresh()

    def watch(self, watcher: Watcher) -> None:
        """Have ``watcher`` refreshed when its servers are concerned, as long as it lives."""
        self._watchers.add(watcher)


def _changed(old: dict[str, frozenset[str]], new: dict[str, frozenset[str]]) -> set[str]:
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
