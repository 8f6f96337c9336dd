"""Certificates at the first handshake: who may have one, and how many at a time.

A name is allowed by a pattern or by the answer of a URL, as with Caddy. New certificates
are limited in number; handshakes for the same name wait for one order.
"""

import asyncio
import logging
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import urlencode

import requests

from edgerouter.acme.plan import is_covered
from edgerouter.acme.threads import in_daemon_thread
from edgerouter.config.static.certificates import OnDemand as Options
from edgerouter.observability.logs import fields
from edgerouter.tls.sessions import session

log = logging.getLogger(__name__)

ASK_TIME = 5.0
"""Seconds the URL has to answer."""

REFUSAL_TIME = 60.0
"""Seconds a refusal is remembered: scanners ask for the same names again and again."""

MAX_REFUSALS = 10_000

MAX_ASKING = 16
"""Questions to the URL at the same time, each with a thread of its own; further ones wait."""

_NAME = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")


class OnDemand:
    """Decides about names that clients ask for and no certificate has.

    ``obtain`` gets a certificate for a name and returns the reason when it cannot.
    """

    def __init__(
        self,
        options: Options,
        obtain: Callable[[str], Awaitable[str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options
        self._obtain = obtain
        self._clock = clock
        self._orders: deque[float] = deque()
        self._refused: dict[str, tuple[float, str]] = {}
        self._under_way: dict[str, asyncio.Task[str]] = {}
        self._asking = asyncio.Semaphore(MAX_ASKING)

    async def request(self, name: str) -> str:
        """Get a certificate for ``name``; return the reason when there will be none now."""
        name = name.lower()
        task = self._under_way.get(name)
        if task is None:
            until, reason = self._refused.get(name, (0.0, ""))
            if until > self._clock():
                return reason
            task = asyncio.create_task(self._decide(name), name="certificate on demand")
            self._under_way[name] = task
            task.add_done_callback(lambda _: self._under_way.pop(name, None))
        # A client that goes away does not end the order the others wait for.
        return await asyncio.shield(task)

    async def used(self, name: str) -> bool:
        """Tell whether a name that is used may still have a certificate."""
        return not await self.refusal(name.lower())

    async def _decide(self, name: str) -> str:
        reason = await self.refusal(name) or self._limit() or await self._obtain(name)
        if reason:
            if len(self._refused) >= MAX_REFUSALS:
                self._refused.clear()
            self._refused[name] = self._clock() + REFUSAL_TIME, reason
            log.warning("No certificate on demand", extra=fields(domain=name, reason=reason))
        return reason

    async def refusal(self, name: str) -> str:
        """Return why a name may have no certificate; empty when it may."""
        if not _NAME.fullmatch(name):
            return "it is no host name"
        if is_covered([name], self._options.hosts):
            return ""
        if not self._options.ask:
            return "it is none of edgerouter.onDemand.hosts"
        async with self._asking:
            return await in_daemon_thread(partial(_ask, self._options.ask, name), "on-demand-ask")

    def _limit(self) -> str:
        now = self._clock()
        while self._orders and self._orders[0] <= now - self._options.interval:
            self._orders.popleft()
        if len(self._orders) >= self._options.burst:
            return (
                f"{len(self._orders)} certificates on demand in {self._options.interval:g} s,"
                " see edgerouter.onDemand.burst"
            )
        self._orders.append(now)
        return ""


def _ask(url: str, name: str) -> str:
    """Ask whether a name is allowed: any status of 200 to 299. Blocking."""
    query = ("&" if "?" in url else "?") + urlencode({"domain": name})
    try:
        with session() as asking:
            answer = asking.get(url + query, timeout=ASK_TIME, allow_redirects=False)
    except requests.RequestException as error:
        return f"edgerouter.onDemand.ask: {url} does not answer: {error}"
    if 200 <= answer.status_code < 300:
        return ""
    return f"edgerouter.onDemand.ask: {url} answers {answer.status_code} for it"
