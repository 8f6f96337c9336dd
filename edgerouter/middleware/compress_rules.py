"""What ``compress`` leaves alone, and what becomes of the header of what it does not."""

from edgerouter.http.headers import Headers, tokens
from edgerouter.http.memory import LONGEST
from edgerouter.http.message import Response
from edgerouter.middleware.base import BuildError
from edgerouter.middleware.mediatypes import GRPC, MediaTypeError, is_stream, media_type

_VARY = (b"Vary", b"Accept-Encoding")
_OF_THE_ORIGINAL = frozenset((b"accept-ranges", b"content-length", b"content-md5", b"digest"))


class Rules:
    """Which answers are compressed; what was decided about a type is remembered."""

    bodiless = frozenset((204, 205, 206, 304))
    """Answers without content, and parts of one: their bytes are counted as they are."""
    small_chunked = False
    """Whether chunked answers are compressed however small they are."""

    def __init__(self, included: tuple[str, ...], excluded: tuple[str, ...]) -> None:
        """Take ``includedContentTypes`` and ``excludedContentTypes``.

        Raises:
            BuildError: One of them is no type, or there are both.
        """
        if excluded and included:
            raise BuildError(
                "excludedContentTypes and includedContentTypes exclude each other; keep one"
            )
        self._included = _parsed("includedContentTypes", included)
        self._excluded = _parsed("excludedContentTypes", excluded)
        self._known: dict[tuple[bytes, str], bool] = {}

    def exclude_request(self, headers: Headers) -> bool:
        """Tell whether the type of the request's own content rules compression out."""
        value = headers.first(b"content-type")
        if value is None:
            return False
        try:
            kind = media_type(value.decode("latin-1"))
        except MediaTypeError:
            return False
        return kind == GRPC or kind in self._excluded

    def mark(self, response: Response) -> None:
        """Say that the client's preference mattered, whether it had an effect or not."""
        response.headers = Headers([_VARY, *response.headers])

    def admit(self, response: Response, encoding: str) -> bool:
        """Tell whether the content of ``response`` may be compressed."""
        if response.status in self.bodiless:
            return False
        kind = b""
        for name, value in response.headers:
            lower = name.lower()
            if lower == b"content-type":
                kind = value
            elif self._forbids(lower, value, encoding):
                return False
        known = self._known.get((kind, encoding))
        if known is None:
            if len(self._known) >= 256:
                self._known.clear()
            known = self._allow(kind.decode("latin-1"), encoding)
            if len(kind) <= LONGEST:
                self._known[kind, encoding] = known
        return known

    def head(self, headers: Headers, encoding: bytes) -> Headers:
        """Return the header for content in another encoding (RFC 9110, sections 8.4 and 8.8.3)."""
        fields = Headers()
        for name, value in headers:
            lower = name.lower()
            if lower == b"etag" and value.startswith(b'"'):
                value = b"W/" + value  # noqa: PLW2901 - the bytes differ, the meaning does not
            elif lower in _OF_THE_ORIGINAL:
                continue
            fields.append((name, value))
        fields.append((b"Content-Encoding", encoding))
        return fields

    def _forbids(self, name: bytes, value: bytes, _encoding: str) -> bool:
        """Tell whether a field, its name in lower case, rules compression out."""
        if name == b"cache-control":
            return b"no-transform" in tokens(value)  # RFC 9111, section 5.2.2.6.
        return name in (b"content-encoding", b"content-range")

    def _allow(self, value: str, _encoding: str) -> bool:
        """Tell whether content of the type ``value`` is compressed."""
        if not value:
            return not self._included
        try:
            kind = media_type(value)
        except MediaTypeError:
            return False
        if self._included:
            return kind in self._included
        return kind not in self._excluded and not is_stream(kind)


class RulesAsTraefik(Rules):
    """As Traefik does it: one way for gzip, another for Brotli and Zstandard."""

    bodiless = frozenset((204, 304))
    small_chunked = True

    def admit(self, response: Response, encoding: str) -> bool:
        return encoding != "*" and super().admit(response, encoding)

    def head(self, headers: Headers, encoding: bytes) -> Headers:
        dropped = (b"content-length", b"accept-ranges" if encoding == b"gzip" else b"")
        kept = Headers([pair for pair in headers if pair[0].lower() not in dropped])
        kept.append((b"Content-Encoding", encoding))
        return kept

    def _forbids(self, name: bytes, _value: bytes, encoding: str) -> bool:
        return name == b"content-encoding" or (name == b"content-range" and encoding == "gzip")

    def _allow(self, value: str, encoding: str) -> bool:
        if not value:
            return encoding != "gzip" or not self._included
        try:
            kind = media_type(value)
        except MediaTypeError:
            return encoding == "gzip" and not self._included
        if self._included:
            return kind in self._included
        return kind not in self._excluded and kind != GRPC


def _parsed(option: str, types: tuple[str, ...]) -> frozenset[str]:
    found = set()
    for text in types:
        try:
            found.add(media_type(text))
        except MediaTypeError as error:
            raise BuildError(f"{option}: {error}") from None
    return frozenset(found)
