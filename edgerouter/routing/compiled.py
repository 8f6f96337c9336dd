"""Rules made ready to run: a predicate, and the claims the index works with."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from edgerouter.http.message import Request
from edgerouter.routing.claims import ANY, Claim, intersection, union
from edgerouter.routing.lexer import RuleError
from edgerouter.routing.matchers import host_regexp
from edgerouter.routing.matchers.base import ArgumentError, Matcher, Predicate
from edgerouter.routing.regex import RegexError
from edgerouter.routing.rule import And, Call, Node, Not, Or, matchers_of, parse_rule


@dataclass(frozen=True, slots=True, eq=False)
class CompiledRule:
    """A rule that can be asked; immutable, free of state, shared between tables."""

    text: str
    syntax: str
    node: Node
    matches: Callable[[Request], bool]
    claims: tuple[Claim, ...]
    """The hosts and paths it can be true for; none: it can never be true."""


@lru_cache(maxsize=32_768)
def compile_rule(text: str, syntax: str = "v3") -> CompiledRule:
    """Parse a rule and make it ready, or find it among those made before.

    For whoever sees all rules again and again. The memory is bounded, but large:
    who keeps rules itself calls ``compile_anew``.

    Raises:
        RuleError: The text is no rule, or an argument cannot be used.
    """
    return compile_anew(text, syntax)


def compile_anew(text: str, syntax: str = "v3", *, as_traefik: bool = False) -> CompiledRule:
    """Parse a rule and make it ready; ``as_traefik``: matchers are no better than Traefik's.

    Raises:
        RuleError: The text is no rule, or an argument cannot be used.
    """
    node = parse_rule(text, syntax)
    matchers = matchers_of(syntax)
    if as_traefik and syntax != "v2":
        matchers = {**matchers, "HostRegexp": host_regexp.AS_TRAEFIK}
    predicate = build(node, matchers)
    return CompiledRule(text, syntax, node, predicate, tuple(claims_of(node, matchers)))


def build(node: Node, matchers: dict[str, Matcher]) -> Predicate:
    """Turn a tree into one function.

    Raises:
        RuleError: An argument cannot be used.
    """
    match node:
        case Call():
            return _build_call(node, matchers[node.name])
        case Not(term):
            inner = build(term, matchers)
            return lambda request: not inner(request)
        case And(terms):
            return _all([build(term, matchers) for term in terms])
        case Or(terms):
            return _any([build(term, matchers) for term in terms])


def _build_call(call: Call, matcher: Matcher) -> Predicate:
    try:
        return matcher.build(call.arguments)
    except ArgumentError as error:
        raise RuleError(f"{call.name}: {error}", call.column(error.index)) from None
    except RegexError as error:
        raise RuleError(f"{call.name}: {error}", call.column(0)) from None


def _all(predicates: list[Predicate]) -> Predicate:
    if len(predicates) == 2:
        first, second = predicates
        return lambda request: first(request) and second(request)

    def every(request: Request) -> bool:
        for predicate in predicates:  # noqa: SIM110 - a generator per request costs more
            if not predicate(request):
                return False
        return True

    return every


def _any(predicates: list[Predicate]) -> Predicate:
    if len(predicates) == 2:
        first, second = predicates
        return lambda request: first(request) or second(request)

    def some(request: Request) -> bool:
        for predicate in predicates:  # noqa: SIM110 - a generator per request costs more
            if predicate(request):
                return True
        return False

    return some


def claims_of(node: Node, matchers: dict[str, Matcher]) -> list[Claim]:
    """Return what hosts and paths the tree can be true for."""
    match node:
        case Call(name, arguments):
            return matchers[name].claims(arguments)
        case Not():
            return [ANY]
        case And(terms):
            claims = claims_of(terms[0], matchers)
            for term in terms[1:]:
                claims = intersection(claims, claims_of(term, matchers))
            return claims
        case Or(terms):
            return union(claims_of(term, matchers) for term in terms)
