"""HTTPS to a CA: our TLS context, and a bound for every whole exchange."""

import math
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from requests.adapters import HTTPAdapter

_end: ContextVar[float] = ContextVar("end", default=math.inf)


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """End what this thread reads from a CA after so many seconds, however much comes."""
    token = _end.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _end.reset(token)


class _Socket(ssl.SSLSocket):
    """Shares the time of an exchange among its reads; each alone may take the whole time-out."""

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        left = _end.get() - time.monotonic()
        if left <= 0:
            raise TimeoutError("the whole answer took too long")
        timeout = self.gettimeout()
        if timeout is None or left < timeout:
            self.settimeout(left if left < math.inf else None)
        return super().recv_into(buffer, nbytes, flags)


class Adapter(HTTPAdapter):
    """Uses our TLS context, whatever ``requests`` would add to it."""

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        context.sslsocket_class = _Socket
        self._tls: dict[str, Any] = {"ssl_context": context}
        if server_name:
            self._tls["server_hostname"] = self._tls["assert_hostname"] = server_name
        super().__init__()

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any
    ) -> None:
        super().init_poolmanager(connections, maxsize, block, **pool_kwargs, **self._tls)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, **proxy_kwargs, **self._tls)

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> Any:
        del verify, cert
        host, pool = super().build_connection_pool_key_attributes(request, False)
        return host, {key: value for key, value in pool.items() if key != "cert_reqs"}

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Leave the pool's context alone."""
