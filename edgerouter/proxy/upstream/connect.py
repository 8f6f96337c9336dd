"""Dialling servers: TCP and Unix sockets, with a time-out, errors made ours."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from edgerouter.http.errors import ConnectFailed, ConnectTimeout

P = TypeVar("P", bound=asyncio.Protocol)


class Address:
    """Where a server listens; equal addresses share a pool."""

    __slots__ = ("host", "key", "path", "port")

    def __init__(self, host: str = "", port: int = 0, path: str = "") -> None:
        self.host = host
        self.port = port
        self.path = path
        """Of a Unix socket; empty for TCP."""
        self.key = path or f"{host}:{port}"


async def dial(address: Address, factory: Callable[[], P], seconds: float) -> P:
    """Return the protocol of a new connection; ``seconds`` 0 means no limit.

    Raises:
        ConnectFailed: It was refused, unreachable or its name did not resolve.
        ConnectTimeout: It took longer than ``seconds``.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds or None):
            if address.path:
                _, protocol = await loop.create_unix_connection(factory, address.path)
            else:
                _, protocol = await loop.create_connection(factory, address.host, address.port)
    except TimeoutError as error:
        message = f"the server {address.key} did not accept a connection within {seconds:g} s"
        raise ConnectTimeout(message) from error
    except OSError as error:
        message = f"no connection to the server {address.key}: {error.strerror or error}"
        raise ConnectFailed(message) from error
    return protocol
