"""Near misses: for a request that no router takes, who came nearest and why not.

Only asked after a 404, and bounded whatever the number of routers: a handful
of candidates is looked at, and long rules are not taken apart.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice

from edgerouter.http.message import Request
from edgerouter.routing.compiled import build
from edgerouter.routing.matchers.base import Matcher
from edgerouter.routing.paths import routing_path
from edgerouter.routing.route import Route
from edgerouter.routing.rule import And, Call, Node, Not, Or, calls, format_rule, matchers_of

MAX_CALLS = 32
"""Rules with more matchers than this are not explained."""
MAX_TEXT = 100
"""How much of a text from the request or a rule is shown."""
NEIGHBOURS = 4
_ONLY = "they differ only by"

_WEIGHTS = {"Host": 8, "HostHeader": 8, "HostRegexp": 4, "Path": 4, "PathPrefix": 3}


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A router that nearly took a request, and why it did not."""

    router: str
    reason: str


def near_misses(routes: Iterable[Route], request: Request, limit: int) -> list[NearMiss]:
    """Return the routes for which most of the rule matches, the nearest first."""
    scored = []
    for order, route in enumerate(dict.fromkeys(routes)):
        score, reason = _explain(route, request)
        if score > 0:
            scored.append((-score, order, NearMiss(route.name, reason)))
    return [miss for *_, miss in sorted(scored, key=lambda item: item[:2])[:limit]]


class HostNames:
    """The hosts of a table, ordered so that similar names are found without asking them all."""

    __slots__ = ("_backward", "_forward")

    def __init__(self, hosts: Iterable[str]) -> None:
        self._forward = sorted(hosts)
        self._backward = sorted(host[::-1] for host in self._forward)

    def similar(self, host: str) -> list[str]:
        """Return up to two hosts that differ from ``host`` by little."""
        other = host.removeprefix("www.") if host.startswith("www.") else f"www.{host}"
        if other in _around(self._forward, other):
            return [other]
        candidates = set(_around(self._forward, host))
        candidates.update(name[::-1] for name in _around(self._backward, host[::-1]))
        if len(host) > MAX_TEXT:
            return []
        close = [name for name in candidates if abs(len(name) - len(host)) <= 3]
        return get_close_matches(host, sorted(close), n=2, cutoff=0.85)


def _around(ordered: list[str], text: str) -> list[str]:
    place = bisect_left(ordered, text)
    return ordered[max(place - NEIGHBOURS, 0) : place + NEIGHBOURS]


def other_host(host: str, similar: str, route: Route) -> NearMiss:
    """Say that ``host`` is unknown, but ``similar`` is not."""
    return NearMiss(
        route.name, f"no router has the host {_show(host)}; did you mean {_show(similar)}?"
    )


def _explain(route: Route, request: Request) -> tuple[int, str]:
    """Return how much of the rule matches, and what does not."""
    node = route.rule.node
    if len(list(islice(calls(node), MAX_CALLS + 1))) > MAX_CALLS:
        return 1, f"its rule of more than {MAX_CALLS} matchers does not match"
    matchers = matchers_of(route.rule.syntax)
    alternatives = node.terms if isinstance(node, Or) else (node,)
    found = (_alternative(term, request, matchers) for term in alternatives)
    return max(found, key=lambda item: item[0])


def _alternative(node: Node, request: Request, matchers: dict[str, Matcher]) -> tuple[int, str]:
    terms = node.terms if isinstance(node, And) else (node,)
    fitting = [term for term in terms if build(term, matchers)(request)]
    failing = [term for term in terms if term not in fitting]
    reasons = " and ".join(_why(term, request, matchers) for term in failing[:3])
    score = sum(map(_weight, fitting)) + (2 if _ONLY in reasons else 0)
    if not fitting:
        return score, reasons
    named = ", ".join(_shorten(format_rule(term)) for term in fitting[:3])
    verb = "matches" if len(fitting) == 1 else "match"
    return score, f"{named} {verb}, but {reasons}"


def _weight(node: Node) -> int:
    """Weigh a fitting term; that a negation fits says little."""
    return 0 if isinstance(node, Not) else max(_weights(node), default=0)


def _weights(node: Node) -> Iterator[int]:
    for call, negated in calls(node):
        trivial = call.arguments in (("*",), ("/",)) and call.name in ("Host", "PathPrefix")
        if not negated and not trivial:
            yield _WEIGHTS.get(call.name, 1)


def _why(node: Node, request: Request, matchers: dict[str, Matcher]) -> str:
    text = _shorten(format_rule(node))
    match node:
        case Call():
            return f"{text} does not match {_subject(node, request)}{_nearly(node, request)}"
        case Not(Call() as call):
            return f"{text} excludes {_subject(call, request)}"
        case Not():
            return f"{text} does not match"
        case Or(terms):
            shown = " || ".join(_shorten(format_rule(term)) for term in terms[:3])
            return f"none of {shown}{' || …' if len(terms) > 3 else ''} matches"
        case And(terms):
            failing = [term for term in terms if not build(term, matchers)(request)]
            return " and ".join(_why(term, request, matchers) for term in failing[:2])


def _subject(call: Call, request: Request) -> str:
    """Name what a matcher looked at; the query and values of fields stay private."""
    name = call.name
    if name.startswith("Host"):
        return f"the host {_show(request.host)}"
    if name.startswith("Path"):
        return f"the path {_show(request.path)}"
    if name.startswith("Query"):
        return "the query"
    if name.startswith("Header"):
        field = call.arguments[0]
        sent = request.headers.has(field.encode("utf-8", "surrogateescape").lower())
        return f"the value of {_shorten(field)}" if sent else f"({_shorten(field)} was not sent)"
    if name == "Method":
        return f"the method {_show(request.method)}"
    return f"the address {_show(request.peer.ip)}"


def _nearly(call: Call, request: Request) -> str:
    """Return a hint when only a slash or the case is wrong."""
    if call.name not in ("Path", "PathPrefix"):
        return ""
    path, wanted = routing_path(request.path), call.arguments[0]
    if path.rstrip("/") == wanted.rstrip("/"):
        return f" ({_ONLY} the slash at the end)"
    if call.name == "Path" and path.lower() == wanted.lower():
        return f" ({_ONLY} upper and lower case)"
    if call.name == "PathPrefix" and path.lower().startswith(wanted.lower()):
        return f" ({_ONLY} upper and lower case)"
    return ""


def _show(text: str) -> str:
    return f"`{_shorten(text)}`"


def _shorten(text: str) -> str:
    text = text.encode("ascii", "backslashreplace").decode().replace("\n", "\\n")
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
