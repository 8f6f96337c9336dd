"""The CORS part of ``headers`` (Fetch standard, section 3.2), with Traefik's semantics."""

from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.middleware.answer import answer
from edgerouter.middleware.base import BuildError
from edgerouter.middleware.field_names import field_value
from edgerouter.middleware.headers_options import Options
from edgerouter.routing.regex import RegexError, compile_search

_ALLOW_ORIGIN = b"Access-Control-Allow-Origin"
_CREDENTIALS = (b"Access-Control-Allow-Credentials", b"true")


class Cors:
    """Answers preflights and marks answers for browsers; false when no option is set."""

    def __init__(self, options: Options) -> None:
        """Prepare.

        Raises:
            BuildError: A regular expression or a value cannot work.
        """
        self._credentials = options.access_control_allow_credentials
        self._origins = _encoded(options.access_control_allow_origin_list, "OriginList")
        self._headers = _encoded(options.access_control_allow_headers, "Headers")
        self._methods = _encoded(options.access_control_allow_methods, "Methods")
        exposed = _encoded(options.access_control_expose_headers, "ExposeHeaders")
        # With credentials a browser takes the asterisk for a name, so it would be of no use.
        useless = b"*" in exposed and self._credentials
        self._exposed = b"" if useless else b",".join(exposed)
        self._max_age = options.access_control_max_age
        self._vary = options.add_vary_header
        self._patterns = []
        for expression in options.access_control_allow_origin_list_regex:
            try:
                self._patterns.append(compile_search(expression))
            except RegexError as error:
                raise BuildError(f"accessControlAllowOriginListRegex: {error}") from None
        self._is_used = bool(
            self._credentials
            or self._origins
            or self._patterns
            or self._headers
            or self._methods
            or exposed
            or self._max_age is not None
            or self._vary
        )

    def __bool__(self) -> bool:
        return self._is_used

    def preflight(self, request: Request) -> Response | None:
        """Return the answer to ``request``, an OPTIONS, if it is a preflight."""
        method = request.headers.first(b"access-control-request-method")
        origin = request.headers.first(b"origin")
        if not method or not origin:
            return None
        fields = [_CREDENTIALS] if self._credentials else []
        if b"*" in self._headers and self._credentials:
            asked = request.headers.first(b"access-control-request-headers")
            if asked:
                fields.append((b"Access-Control-Allow-Headers", asked))
        elif self._headers:
            fields.append((b"Access-Control-Allow-Headers", b",".join(self._headers)))
        if self._methods:
            named = b"*" in self._methods and self._credentials
            methods = method if named else b",".join(self._methods)
            fields.append((b"Access-Control-Allow-Methods", methods))
        allowed = self._allowed(origin)
        if allowed is not None:
            fields.append((_ALLOW_ORIGIN, allowed))
        if self._max_age is not None:
            fields.append((b"Access-Control-Max-Age", b"%d" % self._max_age))
        if self._exposed:
            fields.append((b"Access-Control-Expose-Headers", self._exposed))
        return answer(200, b"", fields)

    def completed(self, request: Request, fields: Headers) -> Headers:
        """Return the header of an answer with what browsers look for."""
        allowed = self._allowed(request.headers.first(b"origin") or b"")
        if allowed is not None:
            fields = fields.replaced(_ALLOW_ORIGIN, allowed)
        if self._credentials:
            fields = fields.replaced(*_CREDENTIALS)
        if self._exposed:
            fields = fields.replaced(b"Access-Control-Expose-Headers", self._exposed)
        if self._vary:
            fields = _varying(fields)
        return fields

    def _allowed(self, origin: bytes) -> bytes | None:
        for each in self._origins:
            if each == origin:
                return each
            if each == b"*":
                return origin if self._credentials else each
        if self._patterns:
            text = origin.decode("utf-8", "surrogateescape")
            if any(matches(text) for matches in self._patterns):
                return origin
        return None


def _varying(fields: Headers) -> Headers:
    present = fields.all(b"vary")
    if b"Origin" in present:
        return fields
    return fields.replaced(b"Vary", b",".join([*present, b"Origin"]))


def _encoded(values: tuple[str, ...], name: str) -> tuple[bytes, ...]:
    option = name if name == "ExposeHeaders" else f"Allow{name}"
    return tuple(field_value(value, f"accessControl{option}") for value in values)
