"""TLS in a worker: certificates and options of the newest snapshot, and tables that know them."""

from collections.abc import Iterable, Mapping
from typing import Any

from edgerouter.http.body import FixedBody
from edgerouter.http.date import http_date
from edgerouter.http.errors import ExchangeError
from edgerouter.http.handler import Handler
from edgerouter.http.headers import Headers
from edgerouter.http.message import Request, Response
from edgerouter.proxy.entrypoint import EntryPoint, Table
from edgerouter.routing.compiled import compile_rule
from edgerouter.routing.hosts import hosts_of
from edgerouter.routing.route import Route
from edgerouter.routing.table import RouteTable
from edgerouter.tls.options import DEFAULT_SET
from edgerouter.tls.selection import Certificates, Selector

CHALLENGE_PATH = "/.well-known/acme-challenge/"


class MisdirectedRequest(ExchangeError):
    """Host and SNI belong to different TLS options (RFC 9110, section 15.5.20)."""

    status = 421
    source = "routing"
    page = "Misdirected Request\n"


class SecureTable:
    """Routes that answer TLS connections."""

    __slots__ = ("_selector", "_table")

    def __init__(self, table: RouteTable, selector: Selector) -> None:
        self._table = table
        self._selector = selector

    def match(self, request: Request) -> Route | None:
        """Return the route that takes ``request``, or None.

        Raises:
            MisdirectedRequest: The handshake was made under the options of another host.
        """
        name = request.peer.tls.server_name
        if request.host != name:
            here, there = self._selector.options_of(request.host), self._selector.options_of(name)
            if here != there:
                message = (
                    f'the host has the TLS options "{here}", but the connection was made to '
                    f'"{name}" with the options "{there}"'
                )
                raise MisdirectedRequest(message)
        return self._table.match(request)


class ChallengeTable:
    """A table in front of which pending HTTP-01 challenges are answered (RFC 8555, 8.3)."""

    __slots__ = ("_answers", "_table")

    def __init__(self, table: Table, answers: Mapping[str, str]) -> None:
        self._table = table
        self._answers = {
            CHALLENGE_PATH + token: Route(
                "acme-http@internal",
                compile_rule(f"Path(`{CHALLENGE_PATH}`)"),
                handler=_answer(text),
                priority=1,
            )
            for token, text in answers.items()
        }

    def match(self, request: Request) -> Route | None:
        """Return the route of a challenge, else that of the table."""
        route = self._answers.get(request.path)
        return route if route is not None else self._table.match(request)


def answer_challenges(certificates: Certificates) -> Handler:
    """Return ``acme-http@internal``: pending challenges, and 404 for all other tokens."""

    async def handle(request: Request) -> Response:
        request.exchange.service = "acme-http@internal"
        text = certificates.http01.get(request.path.removeprefix(CHALLENGE_PATH))
        if text is None:
            return Response(404, Headers([(b"Date", http_date())]))
        return await _answer(text)(request)

    return handle


def _answer(text: str) -> Handler:
    async def handle(_request: Request) -> Response:
        headers = Headers([(b"Content-Type", b"text/plain; charset=utf-8"), (b"Date", http_date())])
        return Response(200, headers, FixedBody(text.encode()))

    return handle


CONFLICTING = "(conflicting)"
"""A name no options have: handshakes are refused (``core.strictTLSOptions``)."""


Secured = tuple[Mapping[str, Any], Route]
"""The definition of a router with ``tls``, and its route."""


def options_by_host(
    routers: Iterable[tuple[Mapping[str, Any], Iterable[str]]], *, strict: bool = False
) -> dict[str, str]:
    """Return the name of the TLS options of each host that routers with ``tls`` name.

    Each router is its definition and its hosts. Routers that disagree about a host leave
    it the default options, or none if ``strict``.
    """
    fallback = CONFLICTING if strict else DEFAULT_SET
    found: dict[str, str] = {}
    for definition, hosts in routers:
        options = definition["tls"].get("options") or DEFAULT_SET
        for host in hosts:
            found[host] = options if found.get(host, options) == options else fallback
    return found


def with_challenges(table: Table, answers: Mapping[str, str]) -> Table:
    """Return ``table`` with the pending challenges in front, itself when there are none."""
    return ChallengeTable(table, answers) if answers else table


class SecureRoutes:
    """The routers with ``tls`` of one entry point; what has not changed is not made anew."""

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates
        self._routers: dict[str, tuple[Mapping[str, Any], tuple[str, ...], Route]] = {}
        self._strict = False
        self.table = RouteTable(())
        self._selector = Selector(certificates, {})

    def update(self, changed: Mapping[str, Secured | None], *, strict: bool = False) -> None:
        """Exchange the routers of these names; None for those that go."""
        if not changed and strict == self._strict:
            return
        self._strict = strict
        removed, added = [], []
        for name, router in changed.items():
            old = self._routers.pop(name, None)
            if router is not None:
                definition, route = router
                self._routers[name] = (definition, hosts_of(route.rule.node), route)
            if old is not None and (router is None or old[2] is not router[1]):
                removed.append(old[2])
            if router is not None and (old is None or old[2] is not router[1]):
                added.append(router[1])
        named = ((definition, hosts) for definition, hosts, _ in self._routers.values())
        self._selector = Selector(self._certificates, options_by_host(named, strict=strict))
        if removed or added:
            self.table = self.table.updated(removed, added)

    def install(self, entrypoint: EntryPoint, challenges: Mapping[str, str]) -> None:
        """Let ``entrypoint`` answer by the present routers."""
        entrypoint.tls = self._selector
        table = SecureTable(self.table, self._selector)
        entrypoint.secure = with_challenges(table, challenges)
