"""From a request head to a ``Request``.

Refuses what must not be forwarded (RFC 9112, sections 3 and 6), sorts out
fields of this hop, drops ``X-Forwarded-*`` of peers that are not trusted and
adds ours. Knows nothing of sockets and parsers.
"""

from edgerouter.http import fields
from edgerouter.http.body import EMPTY
from edgerouter.http.errors import (
    BadRequest,
    ExchangeError,
    MethodNotImplemented,
    UnsupportedTransferCoding,
)
from edgerouter.http.headers import Headers, tokens
from edgerouter.http.lines import Line
from edgerouter.http.message import Exchange, Peer, Request
from edgerouter.proxy.downstream.common_head import Head
from edgerouter.proxy.downstream.target import host_name, host_name_as_traefik, split_target
from edgerouter.proxy.entrypoint import EntryPoint
from edgerouter.proxy.forwarded import Host
from edgerouter.proxy.paths import normalise


class RefusedName(BadRequest):
    """A field name that the entry point refuses."""

    as_traefik = "Bad Request\n"


class ExpectationFailed(ExchangeError):
    """An expectation other than 100-continue (RFC 9110, section 10.1.1)."""

    status = 417
    source = "downstream"
    as_traefik = None


class RequestHead:
    """What the connection must know of a head beside the ``Request``."""

    __slots__ = ("chunked", "length", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.length = 0
        """Announced bytes of body; 0 when there is none or it is chunked."""
        self.chunked = False


LONGEST_HOST = 255
MAX_LENGTH = 2**63 - 1
"""Bytes of a body; servers and what stands before them count in 64 bits, many with a sign."""


class HeadReader:
    """Makes requests of one connection."""

    __slots__ = ("_entrypoint", "_hosts", "_peer", "_real_ip", "_scheme", "_secure")

    def __init__(self, entrypoint: EntryPoint, peer: Peer) -> None:
        self._entrypoint = entrypoint
        self._peer = peer
        self._secure = bool(peer.tls)
        self._scheme = "https" if peer.tls else "http"
        self._hosts: dict[bytes, Host] = entrypoint.hosts.by_scheme[self._scheme]
        self._real_ip = (b"X-Real-Ip", peer.ip_bytes)

    def read(self, found: Head) -> RequestHead:
        """Return the request with its framing.

        Raises:
            ExchangeError: It must be refused.
        """
        if found.method == "CONNECT":
            text = "CONNECT is not supported: this is not a forward proxy"
            raise MethodNotImplemented(text)
        if found.version[0] != 1:
            text = "only HTTP/1.0 and HTTP/1.1 are spoken here"
            raise BadRequest(text)
        request = Request()
        request.exchange = Exchange()
        head = RequestHead(request)
        headers = found.plain
        request.expects_continue = False
        request.method = found.method
        request.target = found.target
        request.version = found.version
        request.headers = headers
        authority, connection, upgrade = self._read_special(found.special, head, found.version)
        request.upgrade = ""
        if connection:
            # An upgrade to h2c would hide requests from us (RFC 9113, section 3.1, ended it).
            if upgrade and b"upgrade" in connection and upgrade.lower() != b"h2c":
                request.upgrade = upgrade.decode("latin-1")
            request.headers = self._without_connection_tokens(headers, connection)
        self._read_target(request, authority)
        request.scheme = self._scheme
        request.body = EMPTY
        request.peer = self._peer
        if connection and self._entrypoint.as_traefik:
            request.exchange.hop_fields = frozenset(
                name for name in connection if fields.kind(name) != fields.FORWARDED
            )
        return head

    def _read_target(self, request: Request, authority: bytes) -> None:
        """Set what target and ``Host`` say: authority, host, path, query, ``X-Forwarded-*``."""
        target = path = request.target
        query = None
        if "?" in target or "#" in target or not target.startswith("/"):
            if target != "*" or request.method != "OPTIONS":
                as_traefik = self._entrypoint.as_traefik
                absolute, path, query = split_target(target, as_traefik=as_traefik)
                if absolute is not None:  # RFC 9112, section 3.2.2: it wins over Host.
                    self._learn(authority)  # Which is to be well-formed all the same.
                    authority = absolute.encode("utf-8", "surrogateescape")
            if query and ";" in query:
                query = query.replace(";", "%3B" if self._entrypoint.encode_semicolons else "&")
        host = self._hosts.get(authority)
        if host is None:
            host = self._learn(authority)
        request.authority = host.authority
        request.host = host.name
        request.path = (
            normalise(path, sanitise=self._entrypoint.sanitise_path) if path != "*" else path
        )
        request.query = query
        websocket = bool(request.upgrade) and request.upgrade.lower() == "websocket"
        if self._peer.trusted or websocket:
            request.headers = self._entrypoint.forwarded.complete(
                request.headers,
                authority,
                self._peer.ip_bytes,
                secure=self._secure,
                websocket=websocket,
            )
        else:
            headers: list[tuple[bytes, bytes]] = request.headers
            headers.append(self._real_ip)
            headers.extend(host.added)

    def _learn(self, authority: bytes) -> Host:
        """Work out what follows from ``Host``, and remember it: clients repeat it."""
        name_of = host_name_as_traefik if self._entrypoint.as_traefik else host_name
        name = name_of(authority.decode("latin-1"))
        added = self._entrypoint.forwarded.added(authority, secure=self._secure, websocket=False)
        host = Host(authority.decode("latin-1"), name, added)
        if len(authority) <= LONGEST_HOST:
            if len(self._hosts) >= self._entrypoint.hosts.most:
                self._hosts.clear()
            self._hosts[authority] = host
        return host

    def _read_special(
        self,
        special: list[Line],
        head: RequestHead,
        version: tuple[int, int],
    ) -> tuple[bytes, list[bytes], bytes]:
        """Take in the fields that are not just passed on; return Host, Connection and Upgrade."""
        authority = upgrade = b""
        connection: list[bytes] = []
        as_traefik = self._entrypoint.as_traefik
        for line in special:
            kind, pair = line.kind, line.pair
            if kind == fields.HOST:
                authority = pair[1]
            elif kind == fields.CONNECTION:
                connection += tokens(pair[1])
            elif kind == fields.UPGRADE:
                upgrade = pair[1]
            elif kind in (fields.CONTENT_LENGTH, fields.TRANSFER_ENCODING, fields.EXPECT):
                _read_framing(kind, pair[1], head, version, as_traefik=as_traefik)
            elif as_traefik and kind == fields.TRAILER and not _is_chunked(special):
                continue
            elif kind == fields.TE:  # Trailers are the one thing in it that a proxy may pass on.
                if b"trailers" in tokens(pair[1]):
                    head.request.headers.append((b"TE", b"trailers"))
            elif kind == fields.PROXY_AUTHORIZATION:
                head.request.exchange.proxy_authorization = pair[1]
            elif self._keeps(kind, pair):
                head.request.headers.append(pair)
        return authority, connection, upgrade

    def _keeps(self, kind: int, pair: tuple[bytes, bytes]) -> bool:
        """Tell whether a field of a special kind goes on to the server.

        Raises:
            BadRequest: The entry point refuses its name.
        """
        if kind in (fields.TRAILER, fields.DATE):
            return True
        if kind == fields.FORWARDED:
            if b"_" in pair[0] and not self._keeps_name(fields.UNDERSCORE, pair[0]):
                return False
            return self._peer.trusted or (
                self._entrypoint.as_traefik
                and not fields.is_managed_by_traefik(pair[0])
                and not self._entrypoint.forwarded.is_set_here(pair[0])
            )
        return kind in (fields.UNDERSCORE, fields.ALIAS) and self._keeps_name(kind, pair[0])

    def _keeps_name(self, kind: int, name: bytes) -> bool:
        """Tell whether a name that is odd in the way ``kind`` says is kept.

        Raises:
            RefusedName: The entry point refuses it.
        """
        strategy = self._entrypoint.name_strategies[kind]
        if strategy == "reject":
            message = f"the field name {name[:64]!r} may be taken for another one's"
            raise RefusedName(message)
        return strategy == "keep"

    def _without_connection_tokens(self, headers: Headers, listed: list[bytes]) -> Headers:
        """Drop the fields that ``Connection`` lists (RFC 9110, section 7.6.1), ours excepted."""
        kept = self._entrypoint.forwarded.kept_connection_tokens
        dropped = {
            name
            for name in listed
            if name not in (b"close", b"keep-alive", b"upgrade")
            and name not in kept
            and fields.kind(name) != fields.FORWARDED
        }
        if not dropped:
            return headers
        return Headers([pair for pair in headers if pair[0].lower() not in dropped])


def _is_chunked(special: list[Line]) -> bool:
    return any(line.kind == fields.TRANSFER_ENCODING for line in special)


def _read_framing(
    kind: int, value: bytes, head: RequestHead, version: tuple[int, int], *, as_traefik: bool
) -> None:
    """Take in a field that says what follows the head.

    Raises:
        ExchangeError: It cannot be met.
    """
    if kind == fields.CONTENT_LENGTH:
        head.length = int(value)  # The parser has seen that it is a number.
        if head.length > MAX_LENGTH:
            raise BadRequest("Content-Length is larger than any body can be")
    elif kind == fields.TRANSFER_ENCODING:
        if version < (1, 1):
            if as_traefik:
                return
            message = "Transfer-Encoding in an HTTP/1.0 request"
            raise BadRequest(message)
        if value.strip().lower() != b"chunked":
            message = f"the transfer coding {value[:40]!r} is not supported, only chunked is"
            raise UnsupportedTransferCoding(message)
        head.chunked = True
    else:
        if value.strip().lower() != b"100-continue":
            message = f"the expectation {value[:40]!r} cannot be met"
            raise ExpectationFailed(message)
        head.request.expects_continue = as_traefik or version >= (1, 1)
