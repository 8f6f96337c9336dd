"""``Path``: the whole path."""

from edgerouter.routing.claims import Claim
from edgerouter.routing.matchers.base import ArgumentError, Arguments, Matcher, Predicate
from edgerouter.routing.paths import routing_path


def check_path(path: str, index: int = 0) -> str:
    """Return ``path``.

    Raises:
        ArgumentError: It does not start with a slash.
    """
    if not path.startswith("/"):
        raise ArgumentError(f"the path {path!r} does not start with '/'; write `/{path}`", index)
    return path


def build(arguments: Arguments) -> Predicate:
    """Match the path as it is."""
    path = check_path(arguments[0])
    return lambda request: routing_path(request.path) == path


def claims(arguments: Arguments) -> list[Claim]:
    """Claim the path."""
    return [Claim(path=arguments[0], exact=True)]


MATCHER: Matcher = Matcher(build, "Path(`/products`)", claims=claims)
