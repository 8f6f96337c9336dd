"""The matchers of ``ruleSyntax: v2``: several arguments are alternatives.

``Path``, ``PathPrefix``, ``HostRegexp`` and ``Query`` take the placeholders
of gorilla/mux: ``{name}`` or ``{name:expression}``.
"""

import re
from collections.abc import Callable

from edgerouter.http.message import Request
from edgerouter.routing.claims import Claim
from edgerouter.routing.matchers import client_ip, header, header_regexp, host, query
from edgerouter.routing.matchers.base import (
    UNLIMITED,
    ArgumentError,
    Arguments,
    Matcher,
    Predicate,
)
from edgerouter.routing.matchers.path import check_path
from edgerouter.routing.paths import routing_path
from edgerouter.routing.regex import RegexError, Search, compile_search


def template_expression(template: str, default: str, index: int) -> str:
    """Translate a gorilla/mux template to an expression, not anchored.

    Raises:
        ArgumentError: Braces do not match, or a placeholder has no name or no expression.
    """
    parts = []
    position = 0
    for start, end in _placeholders(template, index):
        name, colon, expression = template[start + 1 : end - 1].partition(":")
        if not name or (colon and not expression):
            raise ArgumentError(
                f"{template[start:end]!r} lacks a name or an expression; "
                "write {name:expression} or {name}",
                index,
            )
        parts.append(re.escape(template[position:start]))
        parts.append(f"(?:{expression or default})")
        position = end
    parts.append(re.escape(template[position:]))
    return "".join(parts)


def _placeholders(template: str, index: int) -> list[tuple[int, int]]:
    found = []
    level = start = 0
    for position, character in enumerate(template):
        if character == "{":
            level += 1
            start = position if level == 1 else start
        elif character == "}":
            level -= 1
            if level == 0:
                found.append((start, position + 1))
            elif level < 0:
                break
    if level:
        raise ArgumentError(f"the braces of {template!r} do not match", index)
    return found


def _compile(expression: str, index: int) -> Search:
    try:
        return compile_search(expression)
    except RegexError as error:
        raise ArgumentError(str(error), index) from None


def build_host(arguments: Arguments) -> Predicate:
    """Match one of the names."""
    names = frozenset(
        name
        for index, argument in enumerate(arguments)
        for name in host.host_names(argument, index)
    )
    return lambda request: request.host != "" and request.host in names


def claim_hosts(arguments: Arguments) -> list[Claim]:
    """Claim the names; v2 knows no wildcard."""
    return [host.exactly(name) for argument in arguments for name in host.host_names(argument)]


def build_host_regexp(arguments: Arguments) -> Predicate:
    """Match one of the templates against the whole host, ignoring case."""
    searches = []
    for index, argument in enumerate(arguments):
        if not argument.isascii():
            raise ArgumentError(f"the host {argument!r} is not ASCII; use its xn-- form", index)
        expression = template_expression(argument, "[^.]+", index)
        searches.append(_compile(f"(?i)^{expression}$", index))
    return lambda request: any(search(request.host) for search in searches)


def _paths(end: str) -> Callable[[Arguments], Predicate]:
    def build(arguments: Arguments) -> Predicate:
        searches = [
            _compile(f"^{template_expression(check_path(text, index), '[^/]+', index)}{end}", index)
            for index, text in enumerate(arguments)
        ]

        def fits(request: Request) -> bool:
            path = routing_path(request.path)
            return any(search(path) for search in searches)

        return fits

    return build


def claim_paths(arguments: Arguments) -> list[Claim]:
    """Claim the paths; of a template what stands before its first placeholder."""
    return [
        Claim(prefix=text.partition("{")[0]) if "{" in text else Claim(path=text, exact=True)
        for text in arguments
    ]


def claim_prefixes(arguments: Arguments) -> list[Claim]:
    """Claim the prefixes; of a template what stands before its first placeholder."""
    return [Claim(prefix=text.partition("{")[0], exact="{" not in text) for text in arguments]


def build_method(arguments: Arguments) -> Predicate:
    """Match one of the methods."""
    methods = frozenset(argument.upper() for argument in arguments)
    return lambda request: request.method in methods


def _pairs(single: Callable[[Arguments], Predicate]) -> Callable[[Arguments], Predicate]:
    """All pairs of arguments must match."""

    def build(arguments: Arguments) -> Predicate:
        predicates = []
        for index in range(0, len(arguments), 2):
            try:
                predicates.append(single(arguments[index : index + 2]))
            except ArgumentError as error:
                raise ArgumentError(str(error), index + error.index) from None
        return lambda request: all(predicate(request) for predicate in predicates)

    return build


def build_query(arguments: Arguments) -> Predicate:
    """Match the first value of each parameter; arguments are ``name=template``, all must match.

    Traefik cuts the arguments at ``=`` and pairs what it gets, so
    ``Query(`a`, `1`)`` is ``Query(`a=1`)``.
    """
    parts = [(part, index) for index, text in enumerate(arguments) for part in text.split("=", 1)]
    if len(parts) % 2:
        raise ArgumentError(f"{parts[-1][0]!r} is not of the form name=value", parts[-1][1])
    checks: list[tuple[str, Search]] = []
    for (name, index), (template, _) in zip(parts[::2], parts[1::2], strict=True):
        expression = template_expression(template, ".*", index) if template else ".*"
        checks.append((name, _compile(f"^{expression}$", index)))

    def fits(request: Request) -> bool:
        return all(
            bool(found := query.values(request, name)) and search(found[0])
            for name, search in checks
        )

    return fits


def _host_matcher(name: str) -> Matcher:
    usage = f"{name}(`example.com`, `www.example.com`)"
    return Matcher(build_host, usage, maximum=UNLIMITED, claims=claim_hosts)


MATCHERS: dict[str, Matcher] = {
    "ClientIP": Matcher(client_ip.build, "ClientIP(`10.0.0.0/8`, `::1`)", maximum=UNLIMITED),
    "Headers": Matcher(
        _pairs(header.build), "Headers(`X-Version`, `2`)", 2, maximum=UNLIMITED, even=True
    ),
    "HeadersRegexp": Matcher(
        _pairs(header_regexp.build),
        "HeadersRegexp(`Accept`, `json`)",
        2,
        maximum=UNLIMITED,
        even=True,
    ),
    "Host": _host_matcher("Host"),
    "HostHeader": _host_matcher("HostHeader"),
    "HostRegexp": Matcher(
        build_host_regexp, "HostRegexp(`{sub:[a-z]+}.example.com`)", maximum=UNLIMITED
    ),
    "Method": Matcher(build_method, "Method(`GET`, `POST`)", maximum=UNLIMITED),
    "Path": Matcher(
        _paths("$"), "Path(`/products/{id:[0-9]+}`)", maximum=UNLIMITED, claims=claim_paths
    ),
    "PathPrefix": Matcher(
        _paths(""), "PathPrefix(`/api`, `/v1`)", maximum=UNLIMITED, claims=claim_prefixes
    ),
    "Query": Matcher(build_query, "Query(`mobile=true`)", maximum=UNLIMITED),
}
"""The matchers of v2 rules by declared name."""
