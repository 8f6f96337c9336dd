"""Token buckets in Redis, for limits that hold over several routers.

The key and the record are Traefik's, so both may share a Redis. The clock is
that of Redis: those of the routers need not agree.
"""

import asyncio
import logging
import math
import os
import ssl
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Any

from edgerouter.config.types import Duration
from edgerouter.http.errors import ExchangeError
from edgerouter.middleware.base import BuildError
from edgerouter.middleware.client_tls import ClientTLS

_log = logging.getLogger(__name__)

# ARGV: tokens per microsecond, capacity, longest wait in microseconds, seconds to keep it.
_SCRIPT = """
local rate, capacity, patience = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local state = redis.call('HMGET', KEYS[1], 'last', 'tokens')
local tokens = capacity
if state[1] and state[2] then
  tokens = tonumber(state[2]) + math.max(0, now - tonumber(state[1])) * rate
  tokens = math.min(capacity, tokens)
end
local wait = 0
if tokens < 1 then wait = (1 - tokens) / rate end
if wait <= patience then tokens = tokens - 1 end
redis.call('HSET', KEYS[1], 'last', string.format('%.0f', now), 'tokens',
  string.format('%.17g', tokens))
redis.call('EXPIRE', KEYS[1], ARGV[4])
return {string.format('%.17g', wait), string.format('%.17g', tokens)}
"""


@dataclass(frozen=True, slots=True)
class Redis:
    """Where buckets are shared."""

    endpoints: tuple[str, ...] = ("localhost:6379",)
    tls: ClientTLS | None = None
    username: str = ""
    password: str = field(default="", metadata={"secret": True})
    db: int = 0
    pool_size: int = 0
    """Connections of one worker; 0: ten for each CPU."""
    min_idle_conns: int = 0
    """Has no effect: connections are made when they are first needed."""
    max_active_conns: int = 0
    """Bounds ``poolSize``; 0: no bound."""
    read_timeout: Duration | None = 3.0
    write_timeout: Duration | None = 3.0
    dial_timeout: Duration | None = 5.0


PAUSE = 1.0
"""Seconds for which Redis is not asked again after a failure."""


class BucketUnavailable(ExchangeError):
    """Redis did not say whether the request may pass; Traefik's answer."""

    status = 500
    page = "Could not insert/update bucket\n"


class RedisBuckets:
    """Token buckets by key, in one Redis or one Redis cluster."""

    def __init__(self, options: Redis) -> None:
        """Prepare; connections are made by the first request.

        Raises:
            BuildError: The package is missing, or an option cannot work.
        """
        self._client = _client_of(options)
        self._script = self._client.register_script(_SCRIPT)
        self._errors = _errors()
        self._is_out = False
        self._next = 0.0

    async def take(
        self,
        key: str,
        rate: float,
        capacity: float,
        patience: float,
        lifetime: float = math.inf,
    ) -> tuple[float, float]:
        """Take a token as ``Buckets.take`` does.

        After a failure Redis is left alone for a second.

        Raises:
            BucketUnavailable: Redis does not answer, or with an error.
        """
        if monotonic() < self._next:
            raise BucketUnavailable("rateLimit: Redis could not be asked a moment ago")
        needed = min(int(capacity / rate + patience) + 2, lifetime)
        try:
            answer = await self._script(
                keys=[key], args=[rate / 1e6, capacity, patience * 1e6, int(needed)]
            )
        except self._errors as error:
            if not self._is_out:
                _log.error("rateLimit: Redis cannot be asked: %s", error)
            self._is_out = True
            self._next = monotonic() + PAUSE
            raise BucketUnavailable(f"rateLimit: Redis: {error}") from error
        if self._is_out:
            _log.warning("rateLimit: Redis can be asked again")
            self._is_out = False
        return float(answer[0]) / 1e6, float(answer[1])

    async def close(self) -> None:
        """Close the connections of everybody with the same options."""
        await self._client.aclose()


def _errors() -> tuple[type[Exception], ...]:
    from redis.exceptions import RedisError  # noqa: PLC0415 - only where it is used.

    return (RedisError, OSError, asyncio.TimeoutError)


@lru_cache(maxsize=64)
def _client_of(options: Redis) -> Any:
    """Return the client for ``options``; middlewares with the same ones share it."""
    try:
        # Here, because only few routers need it.
        from redis import asyncio as redis  # noqa: PLC0415
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.exceptions import ConnectionError  # noqa: A004, PLC0415
    except ImportError as error:
        raise BuildError(
            "redis: the Python package redis is not installed;"
            ' install it with pip install "edgerouter[redis]", or remove this option'
        ) from error
    places = [_place(text) for text in options.endpoints]
    if not places:
        raise BuildError("redis.endpoints: must not be empty; write localhost:6379 for example")
    size = options.pool_size or 10 * (os.cpu_count() or 1)
    if options.max_active_conns:
        size = min(size, options.max_active_conns)
    common: dict[str, Any] = {
        # Once more at once, for a connection that Redis has closed meanwhile.
        "retry": Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
        "username": options.username or None,
        "password": options.password or None,
        "socket_timeout": options.read_timeout,
        "socket_connect_timeout": options.dial_timeout,
        **_tls_of(options.tls),
    }
    if len(places) > 1:
        nodes = [redis.cluster.ClusterNode(host, port) for host, port in places]
        return redis.RedisCluster(startup_nodes=nodes, max_connections=size, **common)
    ((host, port),) = places
    secure = common.pop("ssl", False)
    pool = redis.BlockingConnectionPool(
        host=host,
        port=port,
        db=options.db,
        max_connections=size,
        timeout=options.read_timeout,
        connection_class=redis.SSLConnection if secure else redis.Connection,
        **common,
    )
    return redis.Redis(connection_pool=pool)


def _place(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise BuildError(f'redis.endpoints: "{text}" is not host:port, such as localhost:6379')
    return host.strip("[]"), int(port)


def _tls_of(options: ClientTLS | None) -> dict[str, Any]:
    if options is None:
        return {}
    if bool(options.cert) != bool(options.key):
        raise BuildError("redis.tls: cert and key belong together; set both or none")
    named = {"ca": options.ca, "cert": options.cert, "key": options.key}
    for name, value in named.items():
        if value and not value.startswith("-----BEGIN") and not Path(value).is_file():
            raise BuildError(f"redis.tls.{name}: there is no file {value}")
    chosen: dict[str, Any] = {"ssl": True}
    if options.insecure_skip_verify:
        chosen |= {"ssl_cert_reqs": ssl.CERT_NONE, "ssl_check_hostname": False}
    if options.ca:
        chosen["ssl_ca_data" if options.ca.startswith("-----") else "ssl_ca_certs"] = options.ca
    if options.cert:
        chosen |= {"ssl_certfile": options.cert, "ssl_keyfile": options.key}
    return chosen
