"""``headers``: request and response headers, CORS and security headers.

Traefik's order: a CORS preflight is answered first, then the request is changed,
then its host is checked; of an answer the security headers are set first, the
custom ones replace them, CORS has the last word.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.middleware.answer import amended
from edgerouter.middleware.base import BuildContext, BuildError
from edgerouter.middleware.cors import Cors
from edgerouter.middleware.field_names import written_map
from edgerouter.middleware.headers_options import Options
from edgerouter.middleware.peers import changed_peer
from edgerouter.middleware.security_headers import Security

_HOST = re.compile(rb"[^\s/?#@\\\x80-\xff]*").fullmatch


def build(options: Options, context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: No option is set, or a name, a value or an expression cannot work.
    """
    if options == Options():
        raise BuildError("no option is set; set one of them or remove the middleware")
    security, cors = Security(options), Cors(options)
    wanted = written_map(options.custom_request_headers, "customRequestHeaders", context.warn)
    custom = written_map(options.custom_response_headers, "customResponseHeaders", context.warn)
    change_request = _request_changes(wanted, _host(wanted))
    change_response = _response_changes(custom, cors)
    has_security, has_cors = bool(security), bool(cors)
    tunnels = not context.as_traefik

    def headers(handler: Handler) -> Handler:
        def refuse(request: Request, response: Response) -> Response:
            response.headers = change_response(request, response.headers, {})
            return response

        def answered(request: Request) -> Awaitable[Response]:
            secured = security.fields(request)
            return amended(
                handler,
                request,
                lambda fields: change_response(request, fields, secured),
                tunnels=tunnels,
            )

        following: Handler = answered
        if not has_security and not has_cors:
            following = _customised(handler, custom, tunnels=tunnels)

        def handle(request: Request) -> Awaitable[Response]:
            if has_cors and request.method == "OPTIONS":
                preflight = cors.preflight(request)
                if preflight is not None:
                    return preflight
            if change_request is not None:
                request = change_request(request)
            if has_security:
                refusal = security.refusal(request)
                if refusal is not None:
                    return refuse(request, refusal)
            return following(request)

        return handle

    return headers


def _customised(handler: Handler, custom: Mapping[bytes, bytes], *, tunnels: bool) -> Handler:
    """Return ``handler`` with the custom fields of answers, the only thing many want."""
    if not custom:
        return handler
    touched = frozenset(name.lower() for name in custom)
    added = [(name, value) for name, value in custom.items() if value]

    def change(fields: Headers) -> Headers:
        changed = Headers([pair for pair in fields if pair[0].lower() not in touched])
        changed += added
        return changed

    return lambda request: amended(handler, request, change, tunnels=tunnels)


def _host(wanted: Mapping[bytes, bytes]) -> bytes:
    """Return the host that requests get, empty for none; names of other scripts become ASCII."""
    host = next((value for name, value in wanted.items() if name.lower() == b"host"), b"")
    shown = host.decode("utf-8", "replace")
    with suppress(UnicodeError):
        host = host if host.isascii() else shown.encode("idna")
    if not _HOST(host):
        raise BuildError(f"customRequestHeaders.Host: {shown!r} is no host such as app.test:80")
    return host


def _request_changes(
    wanted: Mapping[bytes, bytes], host: bytes
) -> Callable[[Request], Request] | None:
    """Return what sets and deletes header fields of a request, None where nothing is."""
    if not wanted:
        return None
    touched = frozenset(name.lower() for name in wanted)
    added = [(name, value) for name, value in wanted.items() if value and name.lower() != b"host"]
    anonymous = wanted.get(b"X-Forwarded-For") == b""

    def change(request: Request) -> Request:
        fields = Headers([pair for pair in request.headers if pair[0].lower() not in touched])
        fields += added
        request = request.evolve(headers=fields)
        if host:
            request.authority = host.decode("latin-1")
        if anonymous:
            # As in Traefik, deleting this one also keeps the client from being appended to it.
            request.peer = changed_peer(request.peer, appends_forwarded_for=False)
        return request

    return change


def _response_changes(
    custom: Mapping[bytes, bytes], cors: Cors
) -> Callable[[Request, Headers, dict[bytes, bytes]], Headers]:
    """Return what changes the header of an answer, security headers given."""
    touched = frozenset(name.lower() for name in custom)
    added = [(name, value) for name, value in custom.items() if value]

    def change(request: Request, fields: Headers, secured: dict[bytes, bytes]) -> Headers:
        replaced = touched
        if secured:
            replaced = touched.union(map(bytes.lower, secured))
        changed = Headers([pair for pair in fields if pair[0].lower() not in replaced])
        changed += [pair for pair in secured.items() if pair[0].lower() not in touched]
        changed += added
        return cors.completed(request, changed) if cors else changed

    return change
