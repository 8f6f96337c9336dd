"""``digestAuth``: user names and digests (RFC 7616 and 2617, MD5 with ``qop=auth``, as Traefik).

A nonce is a time and its keyed hash, so that every worker accepts those of the
others; the key comes from the users' secrets. A nonce count is taken once, by
whichever worker.
"""

import hashlib
import hmac
import math
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from edgerouter.http.handler import Handler, Middleware
from edgerouter.http.message import Request, Response
from edgerouter.middleware.answer import answer
from edgerouter.middleware.base import BuildContext
from edgerouter.middleware.credentials import DEFAULT_REALM, UNAUTHORIZED, Identified, realm_of
from edgerouter.middleware.user_file import Users
from edgerouter.shared.nonces import Nonces

LIFETIME = 600
"""Seconds a nonce is valid; browsers then fetch a new one without asking the user."""
_TICKS = 1_000_000
"""Parts of a second in which a nonce says when it was made."""

# Possessive, and matched only where the last one ended: a client must not choose how long it takes.
_PARAMETER = re.compile(r'[\s,]*+([\w-]++)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"|([^\s,]++))\s*+(?:,|$)')
_COUNT = re.compile("[0-9A-Fa-f]{1,8}").fullmatch
_NEEDED = frozenset(("username", "nonce", "uri", "nc", "cnonce", "response", "qop", "opaque"))


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
    identified = Identified(options.header_field, remove_header=options.remove_header)
    digest = Digest(
        users,
        options.realm or DEFAULT_REALM,
        context.shared.nonces,
        as_traefik=context.as_traefik,
        generation=context.generation,
    )

    def digest_auth(handler: Handler) -> Handler:
        def refuse(*, stale: bool) -> Response:
            return answer(401, UNAUTHORIZED, digest.challenge(stale=stale))

        def handle(request: Request) -> Awaitable[Response]:
            user, stale = digest.check(request)
            if not user:
                return refuse(stale=stale)
            return handler(identified.as_user(request, user))

        return handle

    return digest_auth


def parse_user(entry: str) -> tuple[str, str]:
    """Split ``user:realm:ha1`` into ``user:realm`` and ``ha1``.

    Raises:
        ValueError: There are not exactly two colons.
    """
    parts = entry.split(":")
    if len(parts) != 3:
        raise ValueError("expected user:realm:hash, as htdigest writes it")
    return f"{parts[0]}:{parts[1]}", parts[2]


class Digest:
    """Challenges and checks answers to them."""

    def __init__(
        self,
        users: Users,
        realm: str,
        nonces: Nonces,
        clock: Callable[[], float] = time.time,
        *,
        as_traefik: bool = False,
        generation: int = 0,
    ) -> None:
        """Prepare; ``as_traefik``: nonces do not age, and digests of shorter paths will do.

        With another ``generation`` than 0 nonces are those of this one alone.
        """
        self._users = users
        self._nonces = nonces
        self._lifetime = math.inf if as_traefik else LIFETIME
        self._is_for = _begins_with if as_traefik else _is_for
        self._realm = realm
        self._quoted_realm = realm_of(realm, as_traefik=as_traefik)
        self._clock = clock
        self._generation = b"%d\0" % generation if generation else b""
        self._key = b""
        self._key_of: Mapping[str, str] | None = None

    def challenge(self, *, stale: bool = False) -> tuple[tuple[bytes, bytes], ...]:
        """Return the fields of a refusal; ``stale`` says that only the nonce was too old."""
        self._renew_key()
        value = b'Digest realm="%b", nonce="%b", opaque="%b", algorithm="MD5", qop="auth"' % (
            self._quoted_realm,
            self._nonce(int(self._clock() * _TICKS), os.urandom(8).hex()).encode(),
            self._opaque().encode(),
        )
        if stale:
            value += b', stale="true"'
        return ((b"Content-Type", b"text/plain"), (b"WWW-Authenticate", value))

    def check(self, request: Request) -> tuple[str, bool]:
        """Return the user, empty unless all is right, and whether only the nonce was too old."""
        self._renew_key()
        given = parameters(request.headers.first(b"authorization") or b"")
        if given is None:
            return "", False
        request.exchange.user = given["username"]  # The access log also tells who was refused.
        if given["opaque"] != self._opaque() or given["qop"] != "auth":
            return "", False
        if given.get("algorithm", "MD5").upper() != "MD5" or not self._is_for(
            request, given["uri"]
        ):
            return "", False
        secret = self._users.current().get(f"{given['username']}:{self._realm}", "")
        expected = _response(request.method, secret, given)
        # Compared for unknown users, too: they take the same time.
        matches = hmac.compare_digest(expected.encode(), _bytes(given["response"]))
        issued = self._issued(given["nonce"])
        if not matches or not secret or issued is None:
            return "", False
        if not -self._lifetime < self._clock() - issued < self._lifetime:
            return "", True
        verdict = self._nonces.use(given["nonce"].encode(), issued, _count(given["nc"]))
        return (given["username"] if verdict == "new" else ""), verdict == "forgotten"

    def _renew_key(self) -> None:
        """Derive the key from the secrets; a change of users makes old nonces invalid."""
        users = self._users.current()
        if users is not self._key_of:
            text = "\n".join(f"{user}\0{secret}" for user, secret in sorted(users.items()))
            self._key = hashlib.sha256(b"nonce\0" + self._generation + _bytes(text)).digest()
            self._key_of = users

    def _opaque(self) -> str:
        return hmac.digest(self._key, b"opaque", "sha256").hex()[:16]

    def _nonce(self, moment: int, salt: str) -> str:
        text = f"{moment:x}-{salt}"
        return f"{text}-{hmac.digest(self._key, _bytes(text), 'sha256').hex()[:32]}"

    def _issued(self, nonce: str) -> float | None:
        """Return when ``nonce`` was made, None if nobody with this key made it."""
        moment, _, rest = nonce.partition("-")
        salt = rest.partition("-")[0]
        try:
            issued = int(moment, 16)
        except ValueError:
            return None
        is_ours = hmac.compare_digest(_bytes(self._nonce(issued, salt)), _bytes(nonce))
        return issued / _TICKS if is_ours else None


def parameters(value: bytes) -> dict[str, str] | None:
    """Return the parameters of ``Authorization: Digest``, None unless all needed are there."""
    if value[:7].lower() != b"digest ":
        return None
    text = value[7:].decode("utf-8", "surrogateescape")
    given = {}
    position = 0
    while (found := _PARAMETER.match(text, position)) is not None:
        name, quoted, token = found.groups("")
        given[name.lower()] = quoted or token
        position = found.end()
    return given if given.keys() >= _NEEDED else None


def _is_for(request: Request, uri: str) -> bool:
    """Tell whether ``uri`` is what the client asked for, or what middlewares made of it."""
    changed = request.path if request.query is None else f"{request.path}?{request.query}"
    return uri in (request.target, changed)


def _begins_with(request: Request, uri: str) -> bool:
    """Tell whether the path of ``uri`` is what the path asked for begins with."""
    return _is_for(request, uri) or unquote(request.path).startswith(unquote(uri.partition("?")[0]))


def _count(text: str) -> int:
    """Return a nonce count, 0 for what is none."""
    return int(text, 16) if _COUNT(text) else 0


def _response(method: str, secret: str, given: Mapping[str, str]) -> str:
    request = _md5(f"{method}:{given['uri']}")
    parts = (secret, given["nonce"], given["nc"], given["cnonce"], given["qop"], request)
    return _md5(":".join(parts))


def _md5(text: str) -> str:
    return hashlib.md5(_bytes(text), usedforsecurity=False).hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
