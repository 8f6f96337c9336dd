"""``Method``: the request's method; the argument may be in any case."""

from edgerouter.routing.matchers.base import Arguments, Matcher, Predicate


def build(arguments: Arguments) -> Predicate:
    """Match one method."""
    method = arguments[0].upper()
    return lambda request: request.method == method


MATCHER: Matcher = Matcher(build, "Method(`GET`)")
