"""``PathPrefix``: how the path begins, as plain text: ``/foo`` fits ``/foobar``."""

from edgerouter.routing.claims import Claim
from edgerouter.routing.matchers.base import Arguments, Matcher, Predicate
from edgerouter.routing.matchers.path import check_path
from edgerouter.routing.paths import routing_path


def build(arguments: Arguments) -> Predicate:
    """Match the beginning of the path."""
    prefix = check_path(arguments[0])
    return lambda request: routing_path(request.path).startswith(prefix)


def claims(arguments: Arguments) -> list[Claim]:
    """Claim the prefix."""
    return [Claim(prefix=arguments[0], exact=True)]


MATCHER: Matcher = Matcher(build, "PathPrefix(`/api`)", claims=claims)
