"""``Header``: a header field with exactly this value (case counts), in any of its lines."""

from edgerouter.http.message import Request
from edgerouter.routing.matchers.base import Arguments, Matcher, Predicate


def build(arguments: Arguments) -> Predicate:
    """Match one value of the field."""
    name, value = (text.encode("utf-8", "surrogateescape") for text in arguments)
    name = name.lower()

    def has_value(request: Request) -> bool:
        return any(found == value and key.lower() == name for key, found in request.headers)

    return has_value


MATCHER: Matcher = Matcher(build, "Header(`X-Version`, `2`)", minimum=2, maximum=2)
