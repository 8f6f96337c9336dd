"""Token buckets in Redis, for limits that hold over several routers.

The key and the record are Traefik's, so both may share a Redis. The clock is
that of Redis: those of the routers need not agree. While Redis does not answer,
nobody waits for it: one request in a while asks it, in the background.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Coroutine
from functools import lru_cache
from time import monotonic
from typing import Any

from edgerouter.http.errors import ExchangeError
from edgerouter.middleware.redis_client import Redis, client_of, errors

_log = logging.getLogger(__name__)

# ARGV: tokens per microsecond, capacity, longest wait in microseconds, seconds to keep it.
_TAKE = """
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

# ARGV: capacity.
_GIVE_BACK = """
local tokens = redis.call('HGET', KEYS[1], 'tokens')
if tokens then
  tokens = math.min(tonumber(ARGV[1]), tonumber(tokens) + 1)
  redis.call('HSET', KEYS[1], 'tokens', string.format('%.17g', tokens))
end
"""

PAUSE = 1.0
"""Seconds for which Redis is not asked again after a failure."""
PATIENCE = 1.0
"""Seconds within which Redis has to answer somebody."""
_LONGEST_LIFE = 10**10
"""Seconds that Redis can keep a record, with room to spare: it counts milliseconds in 64 bits."""


class BucketUnavailable(ExchangeError):
    """Redis did not say whether the request may pass; Traefik's answer."""

    status = 500
    page = "Could not insert/update bucket\n"


class RedisBuckets:
    """Token buckets by key, in one Redis or one Redis cluster."""

    def __init__(self, options: Redis, *, as_traefik: bool = False) -> None:
        """Prepare; connections are made by the first request.

        ``as_traefik``: each request asks, and waits as long as the options say.

        Raises:
            BuildError: The package is missing, or an option cannot work.
        """
        self._client = client_of(options)
        self._take = self._client.register_script(_TAKE)
        self._give_back = self._client.register_script(_GIVE_BACK)
        self._errors = errors()
        self._as_traefik = as_traefik
        self.is_out = False
        """Whether Redis did not answer when it was asked last."""
        self._next = 0.0
        self._probe: asyncio.Task[None] | None = None
        self._commands: set[asyncio.Task[Any]] = set()
        self._answers = 0

    async def take(
        self,
        key: str,
        rate: float,
        capacity: float,
        patience: float,
        lifetime: float = math.inf,
    ) -> tuple[float, float]:
        """Take a token as ``Buckets.take`` does.

        Raises:
            BucketUnavailable: Redis does not answer, or with an error.
        """
        life = int(min(capacity / rate + patience + 2, lifetime, _LONGEST_LIFE))
        arguments = [rate / 1e6, capacity, patience * 1e6, life]
        if self.is_out and not self._as_traefik:
            if self._probe is None and monotonic() >= self._next:
                self._probe = asyncio.get_running_loop().create_task(
                    self._ask_again(key, arguments), name="redis"
                )
            raise BucketUnavailable("rateLimit: Redis could not be asked a moment ago")
        try:
            return await self._ask(key, arguments)
        except self._errors as error:
            if not self.is_out:
                _log.error("rateLimit: Redis cannot be asked: %s", error)
            self.is_out = True
            self._next = monotonic() + PAUSE
            raise BucketUnavailable(f"rateLimit: Redis: {error}") from error

    async def give_back(self, key: str, capacity: float) -> None:
        """Put a token back that was taken a moment ago; without an answer it is lost."""
        if self.is_out:
            return
        with contextlib.suppress(*self._errors):
            await self._within_patience(self._give_back(keys=[key], args=[capacity]))

    async def close(self) -> None:
        """Close the connections."""
        if self._probe is not None:
            self._probe.cancel()
        for command in self._commands:
            command.cancel()
        await asyncio.gather(*self._commands, return_exceptions=True)
        await self._client.aclose()

    async def _ask(self, key: str, arguments: list[float]) -> tuple[float, float]:
        wait, tokens = await self._within_patience(self._take(keys=[key], args=arguments))
        return float(wait) / 1e6, float(tokens)

    async def _within_patience(self, command: Coroutine[Any, Any, Any]) -> Any:
        """Wait for an answer as long as anybody gets one and the time-outs of the client allow.

        A command that nobody waits for any more goes on: its connection needs the end.

        Raises:
            Exception: One of ``self._errors``.
        """
        task = asyncio.get_running_loop().create_task(command, name="redis command")
        self._commands.add(task)
        task.add_done_callback(self._ended)
        while True:
            answers = self._answers
            patience = None if self._as_traefik else PATIENCE
            done, _ = await asyncio.wait({task}, timeout=patience)
            if done:
                return task.result()
            if answers == self._answers:
                raise TimeoutError(f"no answer within {PATIENCE:.0f} s")

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._commands.discard(task)
        # Asking for the error says that it was seen, whether or not somebody still waits.
        if task.cancelled() or task.exception() is not None:
            return
        self._answers += 1
        if self.is_out:
            _log.warning("rateLimit: Redis can be asked again")
            self.is_out = False

    async def _ask_again(self, key: str, arguments: list[float]) -> None:
        """Do what a request wants that has gone on already, to see whether Redis answers."""
        with contextlib.suppress(*self._errors):
            await self._ask(key, arguments)
        self._next = monotonic() + PAUSE
        self._probe = None


@lru_cache(maxsize=64)
def buckets_of(options: Redis, *, as_traefik: bool = False) -> RedisBuckets:
    """Return the buckets for ``options``; middlewares with the same ones share connections.

    Raises:
        BuildError: The package is missing, or an option cannot work.
    """
    return RedisBuckets(options, as_traefik=as_traefik)
