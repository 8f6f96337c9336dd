"""``Query``: a parameter of the query with exactly this value.

With one argument the parameter must be there with an empty value
(``?mobile`` or ``?mobile=``), as in Traefik.
"""

from urllib.parse import unquote_to_bytes

from edgerouter.http.memory import remembered
from edgerouter.http.message import Request
from edgerouter.routing.matchers.base import Arguments, Matcher, Predicate


def build(arguments: Arguments) -> Predicate:
    """Match one value of the parameter."""
    wanted = (arguments[0], arguments[1] if len(arguments) > 1 else "")
    return lambda request: wanted in parameters(request.query)


def parameters(query: str | None) -> tuple[tuple[str, str], ...]:
    """Return the decoded parameters of a query in order, as Go's ``url.ParseQuery`` does.

    A part with ``;`` or a broken escape is left out.
    """
    return _parse(query) if query else ()


@remembered(256)
def _parse(query: str) -> tuple[tuple[str, str], ...]:
    """Parse once for all matchers that look at the same query."""
    found = []
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if part and ";" not in part and not (_broken(name) or _broken(value)):
            found.append((_unescape(name), _unescape(value)))
    return tuple(found)


def _broken(text: str) -> bool:
    return "%" in text and any(
        len(rest) < 2 or not set(rest[:2]) <= _HEX for rest in text.split("%")[1:]
    )


_HEX = frozenset("0123456789abcdefABCDEF")


def _unescape(text: str) -> str:
    raw = unquote_to_bytes(text.replace("+", " ").encode("utf-8", "surrogateescape"))
    return raw.decode("utf-8", "surrogateescape")


def values(request: Request, name: str) -> list[str]:
    """Return the values of a parameter."""
    return [value for key, value in parameters(request.query) if key == name]


MATCHER: Matcher = Matcher(build, "Query(`mobile`, `true`)", maximum=2)
