"""``QueryRegexp``: a parameter of the query one of whose values fits an expression.

With one argument it is ``Query``.
"""

from edgerouter.http.message import Request
from edgerouter.routing.matchers import query
from edgerouter.routing.matchers.base import ArgumentError, Arguments, Matcher, Predicate
from edgerouter.routing.regex import RegexError, compile_search


def build(arguments: Arguments) -> Predicate:
    """Match one value of the parameter, unanchored."""
    if len(arguments) == 1:
        return query.build(arguments)
    name = arguments[0]
    try:
        search = compile_search(arguments[1])
    except RegexError as error:
        raise ArgumentError(str(error), 1) from None

    def has_match(request: Request) -> bool:
        return any(map(search, query.values(request, name)))

    return has_match


MATCHER: Matcher = Matcher(build, "QueryRegexp(`mobile`, `^(true|yes)$`)", maximum=2)
