"""``HeaderRegexp``: a header field one of whose values fits an expression."""

from edgerouter.http.message import Request
from edgerouter.routing.matchers.base import ArgumentError, Arguments, Matcher, Predicate
from edgerouter.routing.regex import RegexError, compile_search


def build(arguments: Arguments) -> Predicate:
    """Match one value of the field, unanchored."""
    name = arguments[0].encode("utf-8", "surrogateescape").lower()
    try:
        search = compile_search(arguments[1])
    except RegexError as error:
        raise ArgumentError(str(error), 1) from None

    def has_match(request: Request) -> bool:
        return any(
            key.lower() == name and search(value.decode("utf-8", "surrogateescape"))
            for key, value in request.headers
        )

    return has_match


MATCHER: Matcher = Matcher(build, "HeaderRegexp(`Accept`, `json`)", minimum=2, maximum=2)
