"""Search, sort order and pages of the API's lists, by the rules of Traefik's API."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Item = dict[str, Any]
"""One element as the API shows it."""

Query = Mapping[str, str]

PER_PAGE = 100

_TEXT_KEYS = ("provider", "status", "type", "rule", "service")


class QueryError(ValueError):
    """A page that does not exist; the message is Traefik's."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list; ``next_page`` is 1 on the last."""

    items: list[Item]
    next_page: int


def page_of(items: Iterable[Item], query: Query) -> Page:
    """Return the page of ``items`` that ``query`` asks for.

    Raises:
        QueryError: The page number or size is no positive number or beyond the end.
    """
    return paginate(sort([item for item in items if matches(item, query)], query), query)


def matches(item: Item, query: Query) -> bool:
    """Tell whether ``item`` meets ``search``, ``status``, ``serviceName`` and ``middlewareName``.

    The last two concern routers alone; other elements pass.
    """
    status, search = query.get("status", ""), query.get("search", "").lower()
    if status and item["status"].lower() != status.lower():
        return False
    if search and not any(search in text.lower() for text in _searched(item)):
        return False
    if not is_router(item):
        return True
    middleware = query.get("middlewareName", "")
    if middleware and middleware not in item.get("middlewares", ()):
        return False
    return _uses_service(item.get("service", ""), query.get("serviceName", ""))


def _searched(item: Item) -> Iterable[str]:
    if is_certificate(item):
        issuer = (item.get(key, "") for key in ("issuerOrg", "issuerCN"))
        return (item["commonName"], *issuer, *item["sans"])
    return item.get("rule", ""), item["name"]


def is_certificate(item: Item) -> bool:
    """Tell whether ``item`` is a certificate; its ``name`` is its fingerprint."""
    return "certFingerprint" in item


def is_router(item: Item) -> bool:
    """Tell whether ``item`` is a router; only they carry ``priorityStr``."""
    return "priorityStr" in item


def _uses_service(service: str, wanted: str) -> bool:
    if not wanted:
        return True
    return service == (wanted if "@" in service else wanted.partition("@")[0])


def sort(items: list[Item], query: Query) -> list[Item]:
    """Return ``items`` in the order of ``sortBy`` and ``direction``; by name unless said.

    The name of a certificate is its common name here.
    """
    key = _sort_key(query.get("sortBy", ""))
    descending = query.get("direction", "") not in ("", "asc")
    return sorted(
        items,
        key=lambda item: (key(item), item.get("commonName", ""), item["name"]),
        reverse=descending,
    )


def _sort_key(name: str) -> Callable[[Item], Any]:
    if name in _TEXT_KEYS:
        return lambda item: item.get(name, "")
    match name:
        case "priority":
            return lambda item: item.get("priority", 0)
        case "entryPoints":
            return lambda item: len(item.get("entryPoints", ()))
        case "issuer":
            return lambda item: item.get("issuerOrg") or item.get("issuerCN", "")
        case "validUntil":
            return lambda item: item.get("notAfter", "")
        case "servers":
            return lambda item: len(item.get("loadBalancer", {}).get("servers", ()))
        case _:
            return lambda item: ""


def paginate(items: list[Item], query: Query) -> Page:
    """Cut the page ``page`` of ``per_page`` elements out of ``items``.

    Raises:
        QueryError: The page number or size is no positive number or beyond the end.
    """
    per_page = _positive(query, "per_page", PER_PAGE)
    page = _positive(query, "page", 1)
    start = (page - 1) * per_page
    if start and start >= len(items):
        raise QueryError(f"invalid request: page: {page}, per_page: {per_page}")
    end = start + per_page
    return Page(items[start:end], page + 1 if end < len(items) else 1)


def _positive(query: Query, name: str, default: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number <= 0:
        raise QueryError(f"invalid request: {name}: {number}")
    return number
