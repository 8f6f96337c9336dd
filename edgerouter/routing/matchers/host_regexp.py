"""``HostRegexp``: an expression that matches somewhere in the lower-case host."""

from edgerouter.http.message import Request
from edgerouter.routing.matchers.base import ArgumentError, Arguments, Matcher, Predicate
from edgerouter.routing.regex import Search, compile_search


def build(arguments: Arguments) -> Predicate:
    """Match the host, unanchored."""
    search = _search(arguments)
    return lambda request: search(request.host)


def build_as_traefik(arguments: Arguments) -> Predicate:
    """Match the host as it came: with the dot that may stand at its end."""
    search = _search(arguments)

    def matches(request: Request) -> bool:
        dotted = request.authority.partition(":")[0].endswith(".")
        return search(f"{request.host}." if dotted else request.host)

    return matches


def _search(arguments: Arguments) -> Search:
    expression = arguments[0]
    if not expression.isascii():
        raise ArgumentError(
            f"the expression {expression!r} is not ASCII; hosts are in their xn-- form (punycode)"
        )
    return compile_search(expression)


_EXAMPLE = "HostRegexp(`^.+\\.example\\.com$`)"
MATCHER: Matcher = Matcher(build, _EXAMPLE)
AS_TRAEFIK = Matcher(build_as_traefik, _EXAMPLE)
"""For ``edgerouter.compat=traefik``."""
