"""``forwardAuth``: another server decides about a request.

What the other server is told is in ``auth_request.py``. A 2xx of it lets the
request go on, with headers of its answer; everything else is the client's answer.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urljoin

from edgerouter.http import fields
from edgerouter.http.body import EMPTY, Body, FixedBody
from edgerouter.http.errors import ExchangeError, HandshakeFailed
from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.http.urls import without_credentials
from edgerouter.http.watched import when_done
from edgerouter.middleware.answer import amended, answer
from edgerouter.middleware.auth_cache import AuthCache, Cache
from edgerouter.middleware.auth_request import AuthRequest, mistake_in
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.client_tls import ClientTLS, in_own_words
from edgerouter.middleware.field_names import field_names, field_value
from edgerouter.middleware.spool import Spool, SpoolFailed
from edgerouter.observability import complaints
from edgerouter.routing.regex import RegexError, compile_search

TIMEOUT = 30.0
"""Seconds the other server has for its whole answer."""
IN_MEMORY = 1_048_576
"""Bytes of a body that are kept in memory; what is more goes to disk."""

_Copies = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options, and one of edgerouter's own."""

    address: str = field(default="", metadata={"credentials": True})
    tls: ClientTLS | None = None
    trust_forward_header: bool | None = None
    auth_response_headers: tuple[str, ...] = ()
    auth_response_headers_regex: str = ""
    auth_request_headers: tuple[str, ...] = ()
    max_response_body_size: int = -1
    add_auth_cookies_to_response: tuple[str, ...] = ()
    header_field: str = ""
    forward_body: bool = False
    max_body_size: int = -1
    preserve_location_header: bool = False
    preserve_request_method: bool = False
    auth_signin_url: str = field(default="", metadata={"alias": "authSigninURL"})
    cache: Cache | None = None
    """Remember who may pass. edgerouter's own."""


def build(options: Options, context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: The address, a header name or the expression cannot work.
    """
    if mistake := mistake_in(options.address):
        context.refuse(mistake)
        return lambda _handler: partial(_not_asked, mistake)
    for name in options.auth_response_headers:
        if not _may_be_copied(name.encode("utf-8", "replace")):
            context.warn(
                f"authResponseHeaders: {name} has no effect, for the router itself sets it"
            )
    auth = _ForwardAuth(options, context)

    def forward_auth(handler: Handler) -> Handler:
        def handle(request: Request) -> Awaitable[Response]:
            return auth.decide(request, handler)

        return handle

    return forward_auth


def _not_asked(reason: str, request: Request) -> Response:
    """Answer as Traefik does where nobody can be asked."""
    request.exchange.error = f"forwardAuth: {reason}"
    return answer(500)


class _TooLarge(Exception):
    """A body exceeds its limit."""


class _ForwardAuth:
    def __init__(self, options: Options, context: BuildContext) -> None:
        self._options = options
        self._name = context.name
        self._address = without_credentials(options.address)
        allowed = field_names(options.auth_request_headers, "authRequestHeaders")
        self._cache = _cache(options, allowed)
        transport = options.tls.transport() if options.tls else {}
        try:
            self._send = context.server(options.address, transport)
        except ValueError as error:
            raise BuildError(in_own_words(str(error))) from None
        self._made = AuthRequest(
            options.address,
            trust=options.trust_forward_header,
            allowed=allowed,
            keeps_method=options.preserve_request_method,
            as_traefik=context.as_traefik,
        )
        self._copies = _copies(options)
        self._spoofable = frozenset(
            map(
                fields.without_signs,
                field_names(options.auth_response_headers, "authResponseHeaders"),
            )
        )
        self._user_field = field_names(
            (options.header_field,) * bool(options.header_field), "headerField"
        )
        self._cookies = frozenset(name.encode() for name in options.add_auth_cookies_to_response)
        self._signin = field_value(options.auth_signin_url, "authSigninURL")

    async def decide(self, request: Request, handler: Handler) -> Response:
        if not self._options.forward_body:
            return await self._ask(request, EMPTY, handler)
        spool = Spool(IN_MEMORY)
        try:
            if not await spool.fill(request.body, _limit(self._options.max_body_size)):
                spool.close()
                request.exchange.error = "forwardAuth: the request body exceeds maxBodySize"
                return answer(401)

            def go_on(request: Request) -> Awaitable[Response]:
                return handler(request.evolve(body=spool.body(), expects_continue=False))

            response = await self._ask(request, spool.body() if spool.size else EMPTY, go_on)
        except BaseException:
            spool.close()
            raise
        spool.close_after(response.upload)
        return response

    async def _ask(self, request: Request, body: Body, handler: Handler) -> Response:
        key = b""
        if self._cache is not None:
            key = self._cache.key(request)
            known = self._cache.get(key)
            if known is not None:
                self._name_user(request, known)
                return await self._go_on(request, known, handler)
        try:
            async with asyncio.timeout(TIMEOUT):
                told = await self._send(self._made.of(request, body))
                content = await self._content(told)
        except _TooLarge:
            request.exchange.error = "forwardAuth: the answer exceeds maxResponseBodySize"
            return answer(401)
        except (ExchangeError, TimeoutError) as error:
            reason = str(error) or f"no answer in {TIMEOUT:g} s"
            request.exchange.error = f"forwardAuth: {self._address}: {reason}"
            if not isinstance(error, HandshakeFailed | SpoolFailed):  # Of these others have told.
                complaints.helper_failed(self._name, self._address, reason)
            return answer(500)
        self._name_user(request, told.headers)
        if content is None:
            if self._cache is not None:
                self._cache.put(key, told.headers)
            return await self._go_on(request, told.headers, handler)
        if self._signin and told.status == 401:
            content.close()
            return self._redirection(request)
        request.exchange.said_length = told.body.length
        asked_for_head = self._options.preserve_request_method and request.method == "HEAD"
        return self._relayed(told, content, has_length_alone=asked_for_head)

    async def _content(self, told: Response) -> Spool | None:
        """Return what the other server says to the client, None where the request may go on.

        Raises:
            _TooLarge: It has more than ``maxResponseBodySize`` bytes.
        """
        limit = _limit(self._options.max_response_body_size)
        spool = Spool(IN_MEMORY)
        try:
            if 200 <= told.status < 300:
                await _drop(told.body, limit)
                return None
            if not await spool.fill(told.body, limit):
                raise _TooLarge
        except BaseException:
            spool.close()
            raise
        finally:
            told.close()
        return spool

    async def _go_on(self, request: Request, told: Headers, handler: Handler) -> Response:
        copies = self._copies
        if copies is not None:
            kept = Headers([pair for pair in request.headers if not self._is_spoofed(pair[0])])
            kept += [pair for pair in told if _may_be_copied(pair[0]) and copies(pair[0].lower())]
            request = request.evolve(headers=kept)
        if self._cookies and told.has(b"set-cookie"):
            return await amended(handler, request, lambda fields: self._with_cookies(fields, told))
        return await handler(request)

    def _name_user(self, request: Request, told: Headers) -> None:
        for name in self._user_field:
            request.exchange.user = (told.first(name) or b"").decode("latin-1")

    def _is_spoofed(self, name: bytes) -> bool:
        """Tell whether servers could take a client's header for one of the other server."""
        copies, plain = self._copies, fields.without_signs(name)
        return plain in self._spoofable or (
            copies is not None and (copies(name.lower()) or copies(plain))
        )

    def _with_cookies(self, answered: Headers, told: Headers) -> Headers:
        kept = [
            pair
            for pair in answered
            if pair[0].lower() != b"set-cookie" or _cookie(pair[1]) not in self._cookies
        ]
        added = [value for value in told.all(b"set-cookie") if _cookie(value) in self._cookies]
        return Headers([*kept, *((b"Set-Cookie", value) for value in added)])

    def _relayed(self, told: Response, content: Spool, *, has_length_alone: bool) -> Response:
        """Return the answer for the client; one to HEAD ``has_length_alone`` and no content."""
        kept = Headers([pair for pair in told.headers if _may_be_copied(pair[0])])
        location = kept.first(b"location")
        if location and not self._options.preserve_location_header:
            kept = kept.replaced(b"Location", _joined(self._address, location))
        if content.on_disk:
            return when_done(Response(told.status, kept, content.body()), content.close)
        body = FixedBody(content.whole())
        if has_length_alone:
            body.length = told.body.length
        return Response(told.status, kept, body)

    def _redirection(self, request: Request) -> Response:
        path = "/" + request.path.lstrip("/")  # Two slashes would begin the name of a host.
        return answer(302, b"", [(b"Location", _joined(path, self._signin))])


def _cache(options: Options, told: tuple[bytes, ...]) -> AuthCache | None:
    if options.cache is None:
        return None
    if options.forward_body:
        raise BuildError("cache and forwardBody exclude each other; keep one of them")
    return AuthCache(options.cache, told)


def _copies(options: Options) -> _Copies | None:
    """Return what tells whether a header (lower case) is taken from the other server."""
    names = frozenset(field_names(options.auth_response_headers, "authResponseHeaders"))
    if not options.auth_response_headers_regex:
        return names.__contains__ if names else None
    try:
        search = compile_search(options.auth_response_headers_regex)
    except RegexError as error:
        raise BuildError(f"authResponseHeadersRegex: {error}") from None
    return lambda name: name in names or search(_canonical(name))


def _canonical(name: bytes) -> str:
    """Return ``name`` as Go writes it: expressions are made for ``X-Auth-User``."""
    return "-".join(part.capitalize() for part in name.decode("latin-1").split("-"))


def _may_be_copied(name: bytes) -> bool:
    """Tell whether a header of one message means the same in another one."""
    return fields.kind(name) in (
        fields.END_TO_END,
        fields.FORWARDED,
        fields.UNDERSCORE,
        fields.DATE,
        fields.ALIAS,
    )


def _joined(base: str, location: bytes) -> bytes:
    """Return ``location`` as seen from ``base``, as it is where it is no URL."""
    try:
        joined = urljoin(base, location.decode("utf-8", "surrogateescape"))
        return joined.encode("utf-8", "surrogateescape")
    except ValueError:
        return location


def _cookie(value: bytes) -> bytes:
    return value.partition(b"=")[0].strip()


def _limit(option: int) -> int:
    """Return a limit in bytes; options below 0 mean none."""
    return option if option >= 0 else sys.maxsize


async def _drop(body: Body, limit: int) -> None:
    """Read a body for nothing, so that the connection can be used again.

    Raises:
        _TooLarge: It has more than ``limit`` bytes.
    """
    size = 0
    while chunk := await body.read():
        size += len(chunk)
        if size > limit:
            raise _TooLarge
