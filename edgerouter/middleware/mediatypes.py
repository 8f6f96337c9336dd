"""Media types (RFC 9110, section 8.3.1)."""

import re

from edgerouter.http.headers import Headers

GRPC = "application/grpc"

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - a token in RFC 9110's sense
_TYPE = re.compile(rf"\s*({_TOKEN}(?:/{_TOKEN})?)\s*(?:;.*)?", re.DOTALL).fullmatch
_STREAMS = frozenset(
    (
        "text/event-stream",
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonlines",
        "application/x-jsonlines",
        "application/stream+json",
    )
)


class MediaTypeError(ValueError):
    """The text is no media type."""


def media_type(text: str) -> str:
    """Return type and subtype in lower case, without parameters.

    Raises:
        MediaTypeError: ``text`` is no media type.
    """
    match = _TYPE(text)
    if match is None:
        message = f'"{text}" is not a media type such as text/html'
        raise MediaTypeError(message)
    return match[1].lower()


def is_stream(kind: str) -> bool:
    """Tell whether contents of a type, as ``media_type`` gives it, are read as they come.

    These are event streams, JSON by lines, and gRPC with its kinds (``application/grpc+proto``).
    """
    return kind in _STREAMS or kind.startswith(GRPC)


def is_read_as_it_comes(headers: Headers) -> bool:
    """Tell whether an answer is not to be collected, by its type or what the server says of it."""
    said = (headers.first(b"x-accel-buffering") or b"").lower()
    return streams(headers) if said not in (b"no", b"yes") else said == b"no"


def streams(headers: Headers) -> bool:
    """Tell whether the content of a message with ``headers`` is read as it comes."""
    value = headers.first(b"content-type")
    if value is None:
        return False
    try:
        return is_stream(media_type(value.decode("latin-1")))
    except MediaTypeError:
        return False
