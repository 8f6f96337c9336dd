"""Kept-alive connections to servers; outlives every route table.

A pool serves one server address with one set of transport options: whatever
makes two upstreams different is part of the key it is looked up by.
"""

import asyncio
import logging
from collections.abc import Collection, Hashable

from edgerouter.http.errors import HandshakeFailed
from edgerouter.proxy.upstream.connect import Address, dial
from edgerouter.proxy.upstream.h1 import UpstreamH1

GO_MAX_IDLE = 2
"""What Go takes 0 idle connections per host for."""

_log = logging.getLogger(__name__)


class Pool:
    """The connections to one server."""

    __slots__ = (
        "_complaint",
        "_dial_timeout",
        "_dials",
        "_idle",
        "_idle_timeout",
        "_loop",
        "_max_idle",
        "_open",
        "_sweeper",
        "address",
    )

    def __init__(
        self, address: Address, *, dial_timeout: float, idle_timeout: float, max_idle: int
    ) -> None:
        self.address = address
        self._complaint = ""
        """Why the last TLS handshake failed."""
        self._dial_timeout = dial_timeout
        self._dials = 0
        """Connections for requests that are under way to be opened."""
        self._idle_timeout = idle_timeout
        self._max_idle = max_idle
        self._idle: list[UpstreamH1] = []
        self._open: set[UpstreamH1] = set()
        self._loop = asyncio.get_running_loop()
        self._sweeper: asyncio.TimerHandle | None = None

    @property
    def in_use(self) -> int:
        """Connections that carry an exchange or a tunnel, or will once they are open."""
        return self._dials + len(self._open) - len(self._idle)

    def take_idle(self, *, careful: bool = False) -> UpstreamH1 | None:
        """Return a connection that is free, the one used last first, or None.

        Args:
            careful: Ask the kernel whether the server has closed it: what is to be sent cannot be
                sent again, and the event loop may not have come round to telling.
        """
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.closed:
                continue
            if not careful or not connection.has_ended():
                return connection
            connection.close()
        return None

    async def connect(self) -> UpstreamH1:
        """Return a new connection.

        Raises:
            ConnectFailed: There is none to be had.
        """
        self._dials += 1
        try:
            connection = await dial(
                self.address, lambda: UpstreamH1(self._released), self._dial_timeout
            )
        except HandshakeFailed as error:
            if str(error) != self._complaint:  # Once, not for every request.
                self._complaint = str(error)
                _log.error("No TLS connection: %s", error)
            raise
        finally:
            self._dials -= 1
        self._complaint = ""
        self._open.add(connection)
        return connection

    def close(self) -> None:
        """Close what is idle; connections in use close after their exchange."""
        self._max_idle = -1
        self.close_idle()

    def expect_end(self) -> None:
        """Close what is idle, look after the rest: the server goes, another may get its address."""
        self.close_idle()
        for connection in self._open:
            connection.find_out_soon()

    def close_idle(self) -> None:
        """Close what is idle."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for connection in self._idle:
            self._leave(connection)
        self._idle.clear()

    def _leave(self, connection: UpstreamH1) -> None:
        """Close a connection that is free: from here on it is none."""
        self._open.discard(connection)
        connection.close()

    def _released(self, connection: UpstreamH1) -> None:
        if connection.closed:
            self._open.discard(connection)
            if connection in self._idle:
                self._idle.remove(connection)
        elif self._max_idle < 0 or (self._max_idle and len(self._idle) >= self._max_idle):
            self._leave(connection)
        else:
            self._idle.append(connection)
            if self._idle_timeout:
                connection.idle_since = self._loop.time()
                if self._sweeper is None:
                    self._sweeper = self._loop.call_later(self._idle_timeout, self._sweep)

    def _sweep(self) -> None:
        """Close what has been idle for too long; one timer serves the whole pool."""
        self._sweeper = None
        limit = self._loop.time() - self._idle_timeout
        kept = [c for c in self._idle if c.idle_since > limit]
        for connection in self._idle:
            if connection.idle_since <= limit:
                self._leave(connection)
        self._idle = kept
        if kept:
            wait = min(c.idle_since for c in kept) - limit
            self._sweeper = self._loop.call_later(wait, self._sweep)


class Pools:
    """All pools of a worker by key; a pool without users is closed."""

    def __init__(self) -> None:
        self._pools: dict[Hashable, Pool] = {}
        self._leaving: set[Pool] = set()
        """Those that no table uses any more, as long as they have connections in use."""

    def get(self, address: Address, transport: str, options: dict[str, float]) -> Pool:
        """Return the pool of ``address`` under the transport named ``transport``.

        Its ``options`` are part of the key: when they change, new connections obey them.
        """
        key = (address.key, address.tls, transport, *sorted(options.items()))
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = Pool(
                address,
                dial_timeout=options.get("dialTimeout", 30.0),
                idle_timeout=options.get("idleConnTimeout", 90.0),
                max_idle=int(options.get("maxIdleConnsPerHost", 200)) or GO_MAX_IDLE,
            )
        return pool

    def in_use(self, addresses: Collection[str]) -> int:
        """Return how many connections to these addresses (``Address.key``) are in use."""
        pools = (*self._pools.values(), *self._leaving)
        return sum(pool.in_use for pool in pools if pool.address.key in addresses)

    def keep_only(self, pools: set[Pool]) -> None:
        """Close the pools that no table uses any more."""
        self.discard(set(self._pools.values()) - pools)

    def discard(self, pools: set[Pool]) -> None:
        """Close these pools."""
        for key in [key for key, pool in self._pools.items() if pool in pools]:
            pool = self._pools.pop(key)
            pool.close()
            self._leaving.add(pool)
        self._leaving = {pool for pool in self._leaving if pool.in_use}

    def close(self) -> None:
        self.keep_only(set())
