"""The hosts a rule names, for whoever must know them without a request."""

from collections.abc import Iterator

from edgerouter.routing.matchers.base import ArgumentError
from edgerouter.routing.matchers.host import host_names
from edgerouter.routing.rule import Call, Node, Not

_MATCHERS = frozenset({"Host", "HostSNI"})


def hosts_of(node: Node) -> tuple[str, ...]:
    """Return the names in ``Host`` and ``HostSNI`` that are not negated, each once, in order.

    Lower case, without a trailing dot; ``*.x`` stands for one label before ``.x``. What
    stands for every host (``*``) is no name.
    """
    return tuple(dict.fromkeys(name for name in _names(node) if name not in ("", "*")))


def _names(node: Node) -> Iterator[str]:
    if isinstance(node, Call):
        if node.name in _MATCHERS:
            for argument in node.arguments:
                try:
                    yield host_names(argument)[0]
                except ArgumentError:
                    continue
    elif not isinstance(node, Not):
        for term in node.terms:
            yield from _names(term)
