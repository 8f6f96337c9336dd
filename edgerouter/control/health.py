"""Active health checks: run once, here, for all workers.

A check is one server of one service. It begins at once, goes on in its
interval, and is the same check after every change that does not concern it, so
that a reload neither forgets what is down nor starts a burst of probes. A server
that is new is unproven until its first probe is over: workers ask it only where
no other server can be asked.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from edgerouter.config.dynamic.http import ServerHealthCheck, ServersTransport
from edgerouter.config.qualify import qualified
from edgerouter.control.runtime import HTTPRuntime
from edgerouter.control.runtime.balancers import DEFAULT_TRANSPORT, url_error
from edgerouter.http.body import EMPTY
from edgerouter.http.errors import ExchangeError, StaleConnection
from edgerouter.http.headers import Headers
from edgerouter.http.message import Exchange, Peer, Request
from edgerouter.observability.logs import fields
from edgerouter.proxy.forward import Target
from edgerouter.proxy.upstream.pool import Pools

DEFAULT_INTERVAL = 30.0
DEFAULT_TIMEOUT = 5.0
MAX_REDIRECTS = 10
AT_ONCE = 64
"""Probes that are begun and not slow yet, at the same time."""
SLOW = 0.25
"""Seconds after which a probe does not keep others from beginning any more."""
FIRST_PAUSE = 1.0
"""Seconds until a server that never passed is probed again; then twice as long, and so on."""
SOON = 0.01
"""Seconds in which results are gathered before they are told."""

_AS_WRITTEN = "/%:@!$&'()*+,;=~"
"""What stays in a path besides letters, digits and ``_.-``; a space, for example, does not."""

ByService = Mapping[str, frozenset[str]]
"""Server URLs by service."""

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
    """All checks; tells ``changed`` which servers are down and which unproven, at every change."""

    def __init__(
        self, changed: Callable[[ByService, ByService], None], *, as_traefik: bool = False
    ) -> None:
        """With ``as_traefik`` the first probe comes after one interval, and new servers are up.

        All servers are new then after every change.
        """
        self._changed = changed
        self._as_traefik = as_traefik
        self._running: dict[tuple[str, str], tuple[Check, asyncio.Task[None]]] = {}
        self._known: set[tuple[str, str]] = set()
        self._down: dict[str, frozenset[str]] = {}
        self._unproven: dict[str, frozenset[str]] = {}
        self._probes = asyncio.Semaphore(AT_ONCE)
        self._telling: asyncio.TimerHandle | None = None

    def expect(self, http: HTTPRuntime) -> None:
        """Say that new servers are unproven, before workers hear of these servers."""
        self._expect(check.key for check in checks_of(http))

    def follow(self, http: HTTPRuntime) -> None:
        """Run the checks that the services of the runtime view ask for."""
        if self._as_traefik:
            self.update([])
        self.update(checks_of(http))

    def update(self, checks: Iterable[Check]) -> None:
        """Run these checks and no others; those that run already are left alone."""
        wanted = {check.key: check for check in checks}
        for key, (check, task) in list(self._running.items()):
            if wanted.get(key) != check:
                task.cancel()
                del self._running[key]
        self._expect(wanted)
        for key, check in wanted.items():
            if key not in self._running:
                self._start(check)
        gone = self._known - wanted.keys()
        self._known -= gone
        changed = [self._set(key, down=False, unproven=False) for key in gone]
        if any(changed):
            self._tell()

    def renew(self, urls: frozenset[str]) -> None:
        """Begin anew with the servers at ``urls``: their addresses may be other containers' now."""
        for check, task in list(self._running.values()):
            if check.url in urls:
                task.cancel()
                self._known.discard(check.key)
                self._set(check.key, down=False, unproven=False)
                self._expect([check.key])
                self._start(check)

    async def close(self) -> None:
        """Stop all checks."""
        tasks = [task for _, task in self._running.values()]
        self._running.clear()
        for task in tasks:
            task.cancel()
        if self._telling is not None:
            self._telling.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _expect(self, keys: Iterable[tuple[str, str]]) -> None:
        new = [key for key in keys if key not in self._known]
        self._known.update(new)
        if new and not self._as_traefik:
            for key in new:
                self._set(key, down=False, unproven=True)
            self._tell()

    def _start(self, check: Check) -> None:
        task = asyncio.create_task(self._run(check), name=f"health check {check.url}")
        self._running[check.key] = (check, task)

    async def _run(self, check: Check) -> None:
        options = check.options
        interval = options.interval if options.interval > 0 else DEFAULT_INTERVAL
        unhealthy = options.unhealthy_interval
        if unhealthy is None:
            unhealthy = interval
        unhealthy = unhealthy or DEFAULT_INTERVAL
        pause = unhealthy if self._as_traefik else FIRST_PAUSE
        pools = Pools()
        try:
            prober = Prober(check, pools)
            if self._as_traefik:
                await asyncio.sleep(interval)
            while True:
                reason = await self._probe(prober)
                self._note(check, reason)
                if not reason:
                    pause = unhealthy
                await asyncio.sleep(min(pause, unhealthy) if reason else interval)
                pause *= 2
        except ValueError as error:
            self._note(check, str(error))
        finally:
            pools.close()

    async def _probe(self, prober: "Prober") -> str:
        """Probe when it is the check's turn; a server that hangs does not hold up the others."""
        await self._probes.acquire()
        place = _Place(self._probes)
        try:
            return await prober.probe()
        finally:
            place.leave()

    def _note(self, check: Check, reason: str) -> None:
        """Keep the outcome of a probe, an empty ``reason`` for success."""
        facts = {"serviceName": check.service, "url": check.url}
        was_down = check.url in self._down.get(check.service, ())
        if reason and not was_down:
            log.warning("Health check failed", extra=fields(**facts, error=reason))
        elif was_down and not reason:
            log.info("Health check passes again", extra=fields(**facts))
        if self._set(check.key, down=bool(reason), unproven=False) and self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(SOON, self._tell)

    def _set(self, key: tuple[str, str], *, down: bool, unproven: bool) -> bool:
        """Take a server's state; tell whether it is another one than before."""
        changed = _put(self._down, key, is_in=down)
        return _put(self._unproven, key, is_in=unproven) or changed

    def _tell(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        self._changed(self._down.copy(), self._unproven.copy())


def _put(urls: dict[str, frozenset[str]], key: tuple[str, str], *, is_in: bool) -> bool:
    """Have the server ``key`` in ``urls`` or not; tell whether that changed them."""
    service, url = key
    before = urls.get(service, frozenset())
    after = before | {url} if is_in else before - {url}
    if after:
        urls[service] = after
    else:
        urls.pop(service, None)
    return after != before


class _Place:
    """One of the places for probes, given back at the end or when the probe is slow."""

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places = places
        self._is_ours = True
        self._timer = asyncio.get_running_loop().call_later(SLOW, self.leave)

    def leave(self) -> None:
        """Let another probe begin."""
        if self._is_ours:
            self._is_ours = False
            self._timer.cancel()
            self._places.release()


class Prober:
    """Sends the probes of one check."""

    def __init__(self, check: Check, pools: Pools) -> None:
        options = check.options
        self._options = options
        self._pools = pools
        self._transport: Mapping[str, Any] = check.transport.model_dump(mode="json", by_alias=True)
        self._timeout = options.timeout if options.timeout > 0 else DEFAULT_TIMEOUT
        self._url = _probe_url(check.url, options)
        self._host = options.hostname
        self._headers = Headers([(b"User-Agent", b"edgerouter")])
        for name, value in options.headers.items():
            if name.lower() == "host":
                self._host = self._host or value
            else:
                self._headers = self._headers.replaced(name.encode(), value.encode())

    async def probe(self) -> str:
        """Return why the server is not healthy, or an empty string."""
        try:
            async with asyncio.timeout(self._timeout):
                status = await self._status()
        except TimeoutError:
            return f"no answer within {self._timeout:g} s"
        except (ExchangeError, OSError, ValueError) as error:
            return str(error)
        except Exception as error:
            # A check that ended here would say for ever what it said last.
            log.exception("A health check failed inside the router")
            return f"the probe failed inside the router: {error}"
        wanted = self._options.status
        if wanted and status != wanted:
            return f"it answered {status}, not {wanted}"
        if not wanted and not 200 <= status < 400:
            return f"it answered {status}"
        return ""

    async def _status(self) -> int:
        url, method = self._url, self._options.method or "GET"
        for _ in range(MAX_REDIRECTS):
            target = Target(url, self._pools, "", self._transport)
            request = self._request(url, method, first=url == self._url)
            try:
                response = await target(request)
            except StaleConnection:  # No sign of illness; probes may be sent twice.
                response = await target(request)
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
        made.authority = (self._host if first else "") or parts.netloc
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
    return parts._replace(
        scheme=options.scheme or parts.scheme,
        netloc=netloc,
        path=quote(parts.path, safe=_AS_WRITTEN),
        query=quote(parts.query, safe=_AS_WRITTEN + "?"),
    ).geturl()
