"""``PathRegexp``: an expression that matches somewhere in the path."""

from edgerouter.routing.matchers.base import Arguments, Matcher, Predicate
from edgerouter.routing.paths import routing_path
from edgerouter.routing.regex import compile_search


def build(arguments: Arguments) -> Predicate:
    """Match the path, unanchored."""
    search = compile_search(arguments[0])
    return lambda request: search(routing_path(request.path))


MATCHER: Matcher = Matcher(build, "PathRegexp(`^/products/[0-9]+$`)")
