"""What ``basicAuth`` and ``digestAuth`` have in common: the refusal, and a request with a user."""

from edgerouter.http import fields
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request
from edgerouter.middleware.field_names import field_value, written_name

DEFAULT_REALM = "traefik"
UNAUTHORIZED = b"401 Unauthorized\n"


def realm_of(realm: str, *, as_traefik: bool = False) -> bytes:
    """Return ``realm`` for a quoted string; ``as_traefik`` as it is, which may end the string.

    Raises:
        BuildError: It holds control characters.
    """
    value = field_value(realm, "realm")
    return value if as_traefik else value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


class Identified:
    """Makes the request that goes on once its user is known."""

    def __init__(self, header_field: str, *, remove_header: bool) -> None:
        """Prepare.

        Raises:
            BuildError: ``header_field`` is no header name, or one that the router itself sets.
        """
        self._field = written_name(header_field, "headerField") if header_field else b""
        self._dropped = {fields.without_signs(self._field)} if self._field else set()
        """Without signs: a client must not name itself in a spelling that the server takes, too."""
        if remove_header:
            self._dropped.add(b"authorization")

    def as_user(self, request: Request, user: str) -> Request:
        """Return ``request`` with the user's name where the server looks for it."""
        if not self._dropped:
            return request
        headers = Headers(
            [pair for pair in request.headers if fields.without_signs(pair[0]) not in self._dropped]
        )
        if self._field:
            name = user.encode("utf-8", "surrogateescape")
            headers.append((self._field, name.translate(None, b"\r\n\0")))
        return request.evolve(headers=headers)
