"""Forwarding: one request to one server, its answer back.

Rewrites the head for the next hop (RFC 9110, section 7.6), takes a
connection, uploads the body beside the answer, and returns at the final
response head.
"""

import asyncio
import re
from collections.abc import Hashable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlsplit

from edgerouter.http.errors import (
    ExchangeError,
    ResponseTimeout,
    StaleConnection,
    UpstreamProtocolError,
)
from edgerouter.http.message import Request, Response
from edgerouter.http.urls import without_credentials
from edgerouter.observability import complaints
from edgerouter.proxy.upstream.connect import Address
from edgerouter.proxy.upstream.h1 import UpstreamH1
from edgerouter.proxy.upstream.pool import Pool, Pools
from edgerouter.proxy.upstream.tls import client_tls

_IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
_WITH_LENGTH = frozenset(("POST", "PUT", "PATCH"))
"""Methods that announce ``Content-Length: 0`` when they have no body, as Go's client does."""
_PATH = re.compile(r"(?:[A-Za-z0-9_.~$&+,/:;=@!'()*\[\]-]|%[0-9A-Fa-f]{2})*").fullmatch
_PLAIN = "/$&+,:;=@~"
"""What stays in a path that is escaped, besides letters, digits and ``_.-``."""
CONTINUE_WAIT = 1.0
"""Seconds to wait for ``100 Continue`` before the body is sent all the same."""


class Target:
    """One server prepared for forwarding: its address, pool, ``Host`` and path."""

    __slots__ = ("_authority", "_path", "_response_timeout", "key", "pool", "transport", "url")

    def __init__(
        self,
        url: str,
        pools: Pools,
        transport_name: str,
        transport: Mapping[str, Any],
        *,
        key: Hashable = None,
        pass_host_header: bool = True,
        preserve_path: bool = False,
    ) -> None:
        self.url = url
        self.key = key
        """What the builder finds it by."""
        self.transport = transport
        timeouts = transport.get("forwardingTimeouts") or {}
        address, self._path = _split(url, transport, preserve_path=preserve_path)
        host = urlsplit(url).netloc.rpartition("@")[2]  # A user goes nowhere, as in Traefik.
        self._authority = None if pass_host_header else host.encode()
        self._response_timeout: float = timeouts.get("responseHeaderTimeout") or 0.0
        options = {**timeouts, "maxIdleConnsPerHost": transport.get("maxIdleConnsPerHost", 200)}
        self.pool: Pool = pools.get(
            address, transport_name, {k: v for k, v in options.items() if v is not None}
        )

    async def __call__(self, request: Request) -> Response:
        """Send ``request``; return the answer at its head.

        Raises:
            ExchangeError: There is no answer; ``retry`` tells whether another
                server may be asked.
        """
        head = self._head(request)
        body = request.body
        try:
            # First the connection: while there is none, nothing of the body may be taken.
            careful = request.method not in _IDEMPOTENT
            connection = self.pool.take_idle(careful=careful) or await self._dial(request)
            if request.exchange.sent is not None:
                request.exchange.sent()
            data = None if body.length is None else body.ready()
            if data is None:
                return await self._exchange_upload(connection, request, head)
            message = head + data if data else head
            while True:
                future = connection.begin(request.method, request.inform)
                exchange = connection.exchanges
                connection.write(message)
                try:
                    response = await (
                        self._within_time(future) if self._response_timeout else future
                    )
                    if response.tunnel is not None and not request.upgrade:
                        raise _unasked_switch()
                except StaleConnection:  # Raised by re-used connections only, so this ends.
                    if request.method not in _IDEMPOTENT:
                        raise
                except BaseException:
                    connection.give_up(exchange)
                    raise
                else:
                    return response
                connection = self.pool.take_idle() or await self._dial(request)
        except ExchangeError as error:
            complaints.server_failed(request.exchange, error)
            raise

    async def _dial(self, request: Request) -> UpstreamH1:
        dials = request.exchange.dials
        if dials is None:
            return await self.pool.connect()
        return await dials.run(self.pool.connect, self.url, request.exchange)

    def _head(self, request: Request) -> bytes:
        authority = self._authority
        if authority is None:
            authority = request.authority.encode("latin-1")
        path = self._path + request.path if self._path else request.path
        target = path if request.query is None else f"{path}?{request.query}"
        first = f"{request.method} {target} HTTP/1.1\r\nHost: "
        parts = [first.encode("utf-8", "surrogateescape"), authority, b"\r\n"]
        fields: list[tuple[bytes, bytes]] = request.headers
        peer = request.peer
        forwarded = peer.appends_forwarded_for
        chain: list[bytes] = []
        for pair in fields:
            name = pair[0]
            # To compare lengths first is cheaper than to change the case of every name.
            if forwarded and len(name) == 15 and name.lower() == b"x-forwarded-for":
                chain.append(pair[1])
                continue
            parts.append(name)
            parts.append(b": ")
            parts.append(pair[1])
            parts.append(b"\r\n")
        length = request.body.length
        if length is None:
            parts.append(b"Transfer-Encoding: chunked\r\n")
        elif length or request.method in _WITH_LENGTH:
            parts.append(b"Content-Length: %d\r\n" % length)
        if request.upgrade:
            upgrade = request.upgrade.encode("latin-1")
            parts.append(b"Connection: Upgrade\r\nUpgrade: " + upgrade + b"\r\n")
        if request.expects_continue:
            parts.append(b"Expect: 100-continue\r\n")
        if forwarded:
            parts.append(b"X-Forwarded-For: ")
            parts.append(self._joined((*chain, peer.hop)) if chain else peer.hop)
            parts.append(b"\r\n")
        parts.append(b"\r\n")
        return b"".join(parts)

    def _joined(self, chain: tuple[bytes, ...]) -> bytes:
        """Return the ``X-Forwarded-For`` fields there are and the peer as one value."""
        return b", ".join([value for value in chain if value])

    async def _exchange_upload(
        self, connection: UpstreamH1, request: Request, message: bytes
    ) -> Response:
        future = connection.begin(request.method, request.inform, uploads=True)
        exchange = connection.exchanges
        connection.write(message)
        wait = CONTINUE_WAIT if request.expects_continue else 0.0
        upload = asyncio.get_running_loop().create_task(
            connection.upload(request.body, wait=wait), name="upload"
        )
        try:
            response = await (self._within_time(future) if self._response_timeout else future)
            if response.tunnel is not None and not request.upgrade:
                raise _unasked_switch()
        except BaseException:
            upload.cancel()
            connection.give_up(exchange)
            raise
        response.upload = upload
        return response

    async def _within_time(self, future: "asyncio.Future[Response]") -> Response:
        try:
            async with asyncio.timeout(self._response_timeout):
                return await future
        except TimeoutError as error:
            seconds = f"{self._response_timeout:g} s (responseHeaderTimeout)"
            message = f"the server {self.pool.address.key} did not answer within {seconds}"
            raise ResponseTimeout(message) from error


def _unasked_switch() -> UpstreamProtocolError:
    """Return why an unasked ``101`` is refused: the client would take the tunnel for an answer."""
    return UpstreamProtocolError("the server switched protocols without being asked")


def _escaped(path: str) -> str:
    """Return ``path`` as it may stand in a request line, by Go's rules."""
    return path if _PATH(path) else quote(unquote_to_bytes(path), safe=_PLAIN)


def server_key(url: str) -> str:
    """Return the key of the address (``Address.key``) to which a server URL leads, if to any."""
    with suppress(ValueError):  # It is no URL, or its port is none.
        parts = urlsplit(url)
        if parts.scheme == "unix":
            return parts.path
        return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
    return ""


def _split(url: str, transport: Mapping[str, Any], *, preserve_path: bool) -> tuple[Address, str]:
    """Return address and path prefix of a server URL.

    Raises:
        ValueError: It is not a URL of a kind we speak, or the transport's options are wrong.
    """
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return Address(path=parts.path), ""
    shown = without_credentials(url)
    if parts.scheme == "h2c":
        message = f"the server URL {shown!r} asks for HTTP/2, which is not spoken; write http://"
        raise ValueError(message)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        message = f"the server URL {shown!r} is not http://host[:port] or https://host[:port]"
        raise ValueError(message)
    prefix = _escaped(parts.path).removesuffix("/") if preserve_path else ""
    if parts.scheme == "https":
        return Address(parts.hostname, parts.port or 443, tls=client_tls(transport)), prefix
    return Address(parts.hostname, parts.port or 80), prefix
