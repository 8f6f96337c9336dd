"""``encodedCharacters``: which encoded characters a path may hold."""

import re
from collections.abc import Awaitable
from dataclasses import dataclass

from edgerouter.http.errors import BadRequest, BadRequestAsTraefik
from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Request, Response
from edgerouter.middleware.base import BuildContext


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    allow_encoded_slash: bool = False
    allow_encoded_back_slash: bool = False
    allow_encoded_null_character: bool = False
    allow_encoded_semicolon: bool = False
    allow_encoded_percent: bool = False
    allow_encoded_question_mark: bool = False
    allow_encoded_hash: bool = False


def build(options: Options, context: BuildContext) -> Middleware:
    """Return the middleware."""
    allowed = {
        "%2F": options.allow_encoded_slash,
        "%5C": options.allow_encoded_back_slash,
        "%00": options.allow_encoded_null_character,
        "%3B": options.allow_encoded_semicolon,
        "%25": options.allow_encoded_percent,
        "%3F": options.allow_encoded_question_mark,
        "%23": options.allow_encoded_hash,
    }
    refused = [escape for escape, passes in allowed.items() if not passes]
    if not refused:
        return lambda handler: handler
    refusal = BadRequestAsTraefik if context.as_traefik else BadRequest
    search = re.compile("|".join(refused), re.IGNORECASE).search

    def encoded_characters(handler: Handler) -> Handler:
        def handle(request: Request) -> Awaitable[Response]:
            found = search(request.path) if "%" in request.path else None
            if found is not None:
                raise refusal(f"the path holds {found[0]}, which this router does not allow")
            return handler(request)

        return handle

    return encoded_characters
