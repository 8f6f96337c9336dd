"""Active health checks: run once, here, for all workers.

A check is one server of one service. It begins at once, goes on in its
interval, and is the same check after every change that does not concern it, so
that a reload neither forgets what is down nor starts a burst of probes.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from edgerouter.config.dynamic.http import ServerHealthCheck, ServersTransport
from edgerouter.config.qualify import qualified
from edgerouter.control.runtime import HTTPRuntime
from edgerouter.control.runtime.services import DEFAULT_TRANSPORT, url_error
from edgerouter.http.body import EMPTY
from edgerouter.http.errors import ExchangeError
from edgerouter.http.headers import Headers
from edgerouter.http.message import Exchange, Peer, Request
from edgerouter.observability.logs import fields
from edgerouter.proxy.forward import Target
from edgerouter.proxy.upstream.pool import Pools

DEFAULT_INTERVAL = 30.0
DEFAULT_TIMEOUT = 5.0
MAX_REDIRECTS = 10
AT_ONCE = 64
"""Probes under way at the same time."""

Down = dict[str, frozenset[str]]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Check:
    """What is probed and how; equal checks are the same check."""

    service: str
    url: str
    options: ServerHealthCheck
    transport: ServersTransport

    @property
    def key(self) -> tuple[str, str]:
        return self.service, self.url


def checks_of(http: HTTPRuntime) -> list[Check]:
    """Return the checks that the services of the runtime view ask for."""
    found = []
    for info in http.services.values():
        if not info.has_health_check:
            continue
        balancer = info.config.load_balancer
        name = balancer.servers_transport
        transport = http.servers_transports.get(
            qualified(name, info.provider) if name else DEFAULT_TRANSPORT
        )
        found += [
            Check(info.name, server.url, balancer.health_check, transport or ServersTransport())
            for server in balancer.servers
            if not url_error(server.url) and not server.down
        ]
    return found


class HealthChecks:
    """All checks; tells ``changed`` which servers are down, by service, at every change."""

    def __init__(self, changed: Callable[[Down], None]) -> None:
        self._changed = changed
        self._running: dict[tuple[str, str], tuple[Check, asyncio.Task[None]]] = {}
        self._down: dict[tuple[str, str], str] = {}
        self._probes = asyncio.Semaphore(AT_ONCE)

    def follow(self, http: HTTPRuntime) -> None:
        """Run the checks that the services of the runtime view ask for."""
        self.update(checks_of(http))

    def update(self, checks: Iterable[Check]) -> None:
        """Run these checks and no others; those that run already are left alone."""
        wanted = {check.key: check for check in checks}
        for key, (check, task) in list(self._running.items()):
            if wanted.get(key) != check:
                task.cancel()
                del self._running[key]
        for key, check in wanted.items():
            if key not in self._running:
                task = asyncio.create_task(self._run(check), name=f"health check {check.url}")
                self._running[key] = (check, task)
        gone = [key for key in self._down if key not in wanted]
        for key in gone:
            del self._down[key]
        if gone:
            self._tell()

    async def close(self) -> None:
        """Stop all checks."""
        tasks = [task for _, task in self._running.values()]
        self._running.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, check: Check) -> None:
        options = check.options
        interval = options.interval if options.interval > 0 else DEFAULT_INTERVAL
        unhealthy = options.unhealthy_interval
        if unhealthy is None:
            unhealthy = interval
        pools = Pools()
        try:
            prober = Prober(check, pools)
            while True:
                async with self._probes:
                    reason = await prober.probe()
                self._note(check, reason)
                await asyncio.sleep((unhealthy or DEFAULT_INTERVAL) if reason else interval)
        except ValueError as error:
            self._note(check, str(error))
        finally:
            pools.close()

    def _note(self, check: Check, reason: str) -> None:
        """Keep the outcome of a probe, an empty ``reason`` for success."""
        facts = {"serviceName": check.service, "url": check.url}
        known = check.key in self._down
        if reason:
            self._down[check.key] = reason
            if not known:
                log.warning("Health check failed", extra=fields(**facts, error=reason))
        elif known:
            del self._down[check.key]
            log.info("Health check passes again", extra=fields(**facts))
        if known != bool(reason):
            self._tell()

    def _tell(self) -> None:
        down: dict[str, set[str]] = {}
        for service, url in self._down:
            down.setdefault(service, set()).add(url)
        self._changed({service: frozenset(urls) for service, urls in down.items()})


class Prober:
    """Sends the probes of one check."""

    def __init__(self, check: Check, pools: Pools) -> None:
        options = check.options
        self._options = options
        self._pools = pools
        self._transport: Mapping[str, Any] = check.transport.model_dump(mode="json", by_alias=True)
        self._timeout = options.timeout if options.timeout > 0 else DEFAULT_TIMEOUT
        self._url = _probe_url(check.url, options)
        self._headers = Headers([(b"User-Agent", b"edgerouter")])
        for name, value in options.headers.items():
            self._headers = self._headers.replaced(name.encode(), value.encode())

    async def probe(self) -> str:
        """Return why the server is not healthy, or an empty string."""
        try:
            async with asyncio.timeout(self._timeout):
                status = await self._status()
        except TimeoutError:
            return f"no answer within {self._timeout:g} s"
        except (ExchangeError, ValueError) as error:
            return str(error)
        wanted = self._options.status
        if wanted and status != wanted:
            return f"it answered {status}, not {wanted}"
        if not wanted and not 200 <= status < 400:
            return f"it answered {status}"
        return ""

    async def _status(self) -> int:
        url, method = self._url, self._options.method or "GET"
        for _ in range(MAX_REDIRECTS):
            response = await Target(url, self._pools, "", self._transport)(
                self._request(url, method, first=url == self._url)
            )
            status, location = response.status, response.headers.first(b"location")
            response.close()
            redirects = status in (301, 302, 303, 307, 308) and location is not None
            if not redirects or not self._options.follow_redirects:
                return status
            url = urljoin(url, (location or b"").decode("latin-1"))
            if status < 307 and method != "HEAD":
                method = "GET"
        raise ValueError(f"it redirected more than {MAX_REDIRECTS} times")

    def _request(self, url: str, method: str, *, first: bool) -> Request:
        parts = urlsplit(url)
        made = Request()
        made.method, made.scheme, made.version = method, parts.scheme, (1, 1)
        made.authority = (self._options.hostname if first else "") or parts.netloc
        made.host = parts.hostname or ""
        made.path, made.query = parts.path or "/", parts.query or None
        made.target = made.path
        made.headers, made.body, made.upgrade = self._headers, EMPTY, ""
        made.expects_continue = False
        made.inform = _say_nothing
        made.exchange, made.peer = Exchange(), Peer("", 0, "")
        made.peer.appends_forwarded_for = False
        return made


def _say_nothing(_status: int, _headers: Any) -> None:
    """Interim answers to a probe are for nobody."""


def _probe_url(server: str, options: ServerHealthCheck) -> str:
    """Return the URL that is probed.

    Raises:
        ValueError: The path is no path.
    """
    parts = urlsplit(urljoin(server, options.path))
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    port = options.port or parts.port
    netloc = f"{host}:{port}" if port else host
    return parts._replace(scheme=options.scheme or parts.scheme, netloc=netloc).geturl()
