"""``HostRegexp``: an expression that matches somewhere in the lower-case host."""

from edgerouter.routing.matchers.base import ArgumentError, Arguments, Matcher, Predicate
from edgerouter.routing.regex import compile_search


def build(arguments: Arguments) -> Predicate:
    """Match the host, unanchored."""
    expression = arguments[0]
    if not expression.isascii():
        raise ArgumentError(
            f"the expression {expression!r} is not ASCII; hosts are in their xn-- form (punycode)"
        )
    search = compile_search(expression)
    return lambda request: search(request.host)


MATCHER = Matcher(build, "HostRegexp(`^.+\\.example\\.com$`)")
