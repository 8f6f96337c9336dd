"""``Host``: the name the client asked for."""

from edgerouter.http.message import Request
from edgerouter.routing.claims import ANY, Claim
from edgerouter.routing.matchers.base import ArgumentError, Arguments, Matcher, Predicate


def host_names(argument: str, index: int = 0) -> tuple[str, ...]:
    """Return the forms of a host that a request may carry: lower case, no trailing dot.

    Raises:
        ArgumentError: The name is not ASCII.
    """
    if not argument.isascii():
        raise ArgumentError(
            f"the host {argument!r} is not ASCII; write it in its xn-- form (punycode)", index
        )
    name = argument.lower().removesuffix(".")
    bare = name.removeprefix("[").removesuffix("]")
    return (bare, f"[{bare}]") if ":" in bare and bare.count(":") > 1 else (name,)


def build(arguments: Arguments) -> Predicate:
    """Match one name; ``*.x`` is any one label before ``.x``, ``*`` any name."""
    names = host_names(arguments[0])
    name = names[0]
    if not name:
        return lambda _: False
    if name == "*":
        return lambda request: request.host != ""
    if name.startswith("*."):
        suffix = name[1:]

        def one_label_before(request: Request) -> bool:
            dot = request.host.find(".")
            return dot >= 0 and request.host[dot:] == suffix

        return one_label_before
    if len(names) > 1:
        return lambda request: request.host in names
    return lambda request: request.host == name


def claims(arguments: Arguments) -> list[Claim]:
    """Claim the names."""
    names = host_names(arguments[0])
    if names[0] == "*":
        return [ANY]
    return [
        Claim(host=name[1:], exact=True) if name.startswith("*.") else exactly(name)
        for name in names
    ]


def exactly(name: str) -> Claim:
    """Claim one name; a leading dot would mean something else in a claim."""
    return ANY if name[:1] in ("", ".") else Claim(host=name, exact=True)


MATCHER: Matcher = Matcher(build, "Host(`example.com`)", claims=claims)
