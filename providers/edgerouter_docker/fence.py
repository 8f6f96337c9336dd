"""Which servers get no new request because their container is going, before any table changes.

Synchronous bookkeeping with the time passed in. A container is fenced when a
signal that ends it was sent, when it has stopped or paused, and when it has left
the network by which it is reached; the fence is
lifted when it turns out to live on, and lingers behind a dead one until tables
without it have arrived everywhere.
"""

import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from edgerouter_docker.events import signal_number
from edgerouter_docker.inventory import Container

KILL_MARGIN = 5.0
"""Seconds beyond the container's stop time-out before a killed container counts as alive."""
LINGER = 30.0
"""Seconds a fence stays behind a container that has gone; longer than tables take to arrive."""
_ENDING_SIGNALS = {signal.SIGKILL, signal.SIGINT, signal.SIGQUIT}


@dataclass(frozen=True, slots=True)
class _Fence:
    urls: frozenset[str]
    started_at: str
    until: float
    has_gone: bool


def is_ending(container: Container, signal_sent: int) -> bool:
    """Tell whether a signal is meant to end the container; SIGHUP and the like are not."""
    stop = signal_number(container.stop_signal) or signal.SIGTERM
    return signal_sent == stop or signal_sent in _ENDING_SIGNALS


class Fences:
    """All fences of one provider, by container id."""

    def __init__(self) -> None:
        self._fences: dict[str, _Fence] = {}

    @property
    def next_deadline(self) -> float | None:
        """When the next fence runs out."""
        return min((fence.until for fence in self._fences.values()), default=None)

    def killed(self, container: Container, urls: Iterable[str], now: float) -> None:
        """Fence a container that was told to end."""
        fence = self._fences.get(container.id)
        if fence is not None and fence.has_gone:
            return
        until = now + container.stop_timeout + KILL_MARGIN
        # A second signal (SIGKILL after SIGTERM) must not shorten the first's time.
        until = max(until, fence.until if fence is not None else until)
        self._fences[container.id] = _Fence(frozenset(urls), container.started_at, until, False)

    def gone(self, container: Container, urls: Iterable[str], now: float) -> None:
        """Fence a container that does not run any more."""
        known = self._fences.get(container.id)
        all_urls = frozenset(urls) | (known.urls if known is not None else frozenset())
        self._fences[container.id] = _Fence(all_urls, container.started_at, now + LINGER, True)

    def cut_off(
        self, container: Container, network_id: str, urls: Iterable[str], now: float
    ) -> None:
        """Fence those of a container's servers that were reached by a network it has left.

        No packet gets there or back, and no end of a connection either. The fence is lifted when
        the container has been looked at: tables then have its other address, or none.
        """
        attachments = container.networks.values()
        left = {a.address for a in attachments if a.address and a.network_id == network_id}
        lost = [url for url in urls if urlsplit(url).hostname in left]
        if lost and container.id not in self._fences:
            self.gone(container, lost, now)

    def let_in(self, container_id: str) -> None:
        """Lift the fence of a container that was told to end and has not."""
        fence = self._fences.get(container_id)
        if fence is not None and not fence.has_gone:
            del self._fences[container_id]

    def seen(self, container: Container) -> None:
        """Take note of what a container looks like after its events."""
        fence = self._fences.get(container.id)
        if fence is None or not container.is_running:
            return
        if fence.has_gone or container.started_at != fence.started_at:
            del self._fences[container.id]

    def expire(self, now: float) -> None:
        """Lift the fences whose time has run out."""
        self._fences = {i: fence for i, fence in self._fences.items() if fence.until > now}

    def urls(self, servers: Mapping[str, Iterable[str]]) -> frozenset[str]:
        """Return the fenced URLs.

        Args:
            servers: The URLs of every container that serves, by id. An address that a living
                container has taken over is not fenced.
        """
        fenced = {url for fence in self._fences.values() for url in fence.urls}
        alive = {url for i, urls in servers.items() if i not in self._fences for url in urls}
        return frozenset(fenced - alive)
