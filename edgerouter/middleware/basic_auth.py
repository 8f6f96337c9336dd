"""``basicAuth``: user names and passwords (RFC 7617)."""

import base64
import binascii
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field

from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Request, Response
from edgerouter.middleware import htpasswd
from edgerouter.middleware.answer import answer
from edgerouter.middleware.base import BuildContext
from edgerouter.middleware.credentials import DEFAULT_REALM, UNAUTHORIZED, Identified, realm_of
from edgerouter.middleware.password_check import CHECKS, Busy
from edgerouter.middleware.user_file import Users


@dataclass(frozen=True, slots=True)
class Options:
    """Traefik's options."""

    users: tuple[str, ...] = field(default=(), metadata={"secret": True})
    users_file: str = ""
    realm: str = ""
    """Empty: ``traefik``."""
    remove_header: bool = False
    header_field: str = ""


def build(options: Options, context: BuildContext) -> Middleware:
    """Return the middleware.

    Raises:
        BuildError: There is no user, an entry is malformed, or the file cannot be read.
    """
    users = Users(options.users, options.users_file, parse_user, follows=not context.as_traefik)
    unknown = [user for user, secret in users.current().items() if not htpasswd.is_known(secret)]
    if unknown:
        context.warn(
            f"there is no such hash as that of {', '.join(map(repr, unknown))}, who can never log"
            " in; make it with htpasswd -B"
        )
    identified = Identified(options.header_field, remove_header=options.remove_header)
    realm = realm_of(options.realm or DEFAULT_REALM, as_traefik=context.as_traefik)
    challenge = (
        (b"Content-Type", b"text/plain"),
        (b"WWW-Authenticate", b'Basic realm="%b"' % realm),
    )

    def basic_auth(handler: Handler) -> Handler:
        def refuse() -> Response:
            return answer(401, UNAUTHORIZED, challenge)

        async def check(request: Request, user: str, password: bytes) -> Response:
            is_known, secret = _secret(users.current(), user)
            key = CHECKS.key(user, password, secret)
            try:
                is_right = await CHECKS.check(key, password, secret)
            except Busy:
                request.exchange.error = "too many passwords wait to be checked"
                return answer(503, b"Service Unavailable", ((b"Retry-After", b"1"),))
            if not (is_right and is_known):
                return refuse()
            return await handler(identified.as_user(request, user))

        def handle(request: Request) -> Awaitable[Response]:
            pair = credentials(request)
            if pair is None:
                return refuse()
            user, password = pair
            request.exchange.user = user
            secret = users.current().get(user)
            if secret is not None and CHECKS.remembers(CHECKS.key(user, password, secret)):
                return handler(identified.as_user(request, user))
            return check(request, user, password)

        return handle

    return basic_auth


def parse_user(entry: str) -> tuple[str, str]:
    """Split ``user:hash``.

    Raises:
        ValueError: There is not exactly one colon.
    """
    user, colon, secret = entry.partition(":")
    if not colon or ":" in secret:
        raise ValueError("expected user:hash with exactly one colon, as htpasswd -nB writes it")
    return user, secret


def credentials(request: Request) -> tuple[str, bytes] | None:
    """Return user and password of ``Authorization: Basic``, None where there are none."""
    value = request.headers.first(b"authorization")
    if value is None or value[:6].lower() != b"basic ":
        return None
    try:
        pair = base64.b64decode(value[6:], validate=True)
    except binascii.Error:
        return None
    user, colon, password = pair.partition(b":")
    return (user.decode("utf-8", "surrogateescape"), password) if colon else None


def _secret(users: Mapping[str, str], user: str) -> tuple[bool, str]:
    """Return whether ``user`` exists, and a hash to check: another's costs the same time."""
    secret = users.get(user)
    if secret is not None:
        return True, secret
    return False, next(iter(users.values()), "")  # None at all: the file has been emptied.
