"""What a matcher is made of.

A matcher turns its arguments into a ``Predicate`` once, when a table is
built; ``claims`` tells the index which hosts and paths it can be true for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgerouter.http.message import Request
from edgerouter.routing.claims import ANY, Claim

Predicate = Callable[[Request], bool]
Arguments = Sequence[str]

UNLIMITED = 1_000_000


class ArgumentError(ValueError):
    """An argument that the matcher cannot use; ``index`` counts arguments from 0."""

    def __init__(self, message: str, index: int = 0) -> None:
        super().__init__(message)
        self.index = index


def anything(_: Arguments) -> list[Claim]:
    """Say nothing about host and path: the claim of most matchers."""
    return [ANY]


@dataclass(frozen=True, slots=True)
class Matcher:
    """One matcher of a rule syntax."""

    build: Callable[[Arguments], Predicate]
    """Make the predicate; raises ``ArgumentError`` (or ``RegexError``)."""
    usage: str
    """An example, for messages."""
    minimum: int = 1
    maximum: int = 1
    claims: Callable[[Arguments], list[Claim]] = anything
    """The hosts and paths it can be true for, as alternatives."""
    even: bool = False
    """Whether arguments come in pairs."""

    def accepts(self, count: int) -> bool:
        """Tell whether ``count`` arguments are right."""
        return self.minimum <= count <= self.maximum and not (self.even and count % 2)

    @property
    def counts(self) -> str:
        """The accepted numbers of arguments in words."""
        if self.even:
            return "pairs of arguments"
        if self.maximum == UNLIMITED:
            return "one argument or more"
        if self.minimum == self.maximum:
            return "1 argument" if self.minimum == 1 else f"{self.minimum} arguments"
        return f"{self.minimum} or {self.maximum} arguments"
