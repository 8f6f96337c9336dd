"""Conditions such as ``NetworkErrorRatio() > 0.3 || ResponseCode() == 502``.

Comparisons of functions with numbers or text, joined by ``&&`` and ``||``, in
parentheses if need be; the language of Traefik's circuit breaker and buffering.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgerouter.config.types import suggestion
from edgerouter.middleware.base import BuildError

Term = Callable[[Any], Any]
"""What an expression comes down to: a function of the state it is asked about."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the language: its number of arguments, and what it gives."""

    arguments: int
    make: Callable[..., Term]
    """Called once with the arguments."""
    gives: type


_TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<text>\"[^\"\\]*\"|`[^`]*`)|(?P<symbol>&&|\|\||[=!<>]=|[<>(),]))"
)
_OPENING = ("symbol", "(")
_DEEPEST = 50
"""Parentheses within each other."""
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def condition(option: str, text: str, functions: Mapping[str, Function]) -> Callable[[Any], bool]:
    """Return ``text`` as a function that tells of a state whether it is met.

    Raises:
        BuildError: It is no such condition; the message names ``option`` and the place.
    """
    try:
        parser = _Parser(text, functions)
        term, gives = parser.either()
        parser.expect_end()
        if gives is not bool:
            raise _Mistake("it is a value, not a condition; compare it with something")
    except _Mistake as mistake:
        raise BuildError(f"{option}: {_short(text)!r} is no condition: {mistake}") from None
    return term


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"


class _Mistake(Exception):
    pass


class _Parser:
    def __init__(self, text: str, functions: Mapping[str, Function]) -> None:
        self._functions = functions
        self._tokens = _tokens(text)
        self._position = 0
        self._depth = 0

    def either(self) -> tuple[Term, type]:
        return self._joined("||", self.both, _any)

    def both(self) -> tuple[Term, type]:
        return self._joined("&&", self._comparison, _all)

    def _joined(
        self,
        symbol: str,
        operand: Callable[[], tuple[Term, type]],
        join: Callable[[Sequence[Term]], Term],
    ) -> tuple[Term, type]:
        term, gives = operand()
        terms = [term]
        while self._take(symbol):
            other, other_gives = operand()
            _conditions(symbol, gives, other_gives)
            terms.append(other)
        return (join(terms) if len(terms) > 1 else term), gives

    def expect_end(self) -> None:
        if self._position < len(self._tokens):
            raise _Mistake(f"{self._tokens[self._position][1][:20]!r} was not expected")

    def _comparison(self) -> tuple[Term, type]:
        term, gives = self._operand()
        kind, symbol = self._peek()
        if kind != "symbol" or symbol not in _COMPARISONS:
            return term, gives
        self._position += 1
        other, other_gives = self._operand()
        if bool in (gives, other_gives) or (gives is str) != (other_gives is str):
            raise _Mistake(f"the two sides of {symbol} cannot be compared")
        if gives is str and symbol not in ("==", "!="):
            raise _Mistake(f"text can only be compared with == and !=, not with {symbol}")
        return _compare(_COMPARISONS[symbol], term, other), bool

    def _operand(self) -> tuple[Term, type]:
        kind, token = self._peek()
        self._position += 1
        if kind == "number":
            return _constant(float(token)), float
        if kind == "text":
            return _constant(token[1:-1]), str
        if kind == "name":
            return self._call(token)
        if (kind, token) == _OPENING:
            self._depth += 1
            if self._depth > _DEEPEST:
                raise _Mistake(f"parentheses are nested more than {_DEEPEST} deep")
            term = self.either()
            if not self._take(")"):
                raise _Mistake("a parenthesis is not closed")
            self._depth -= 1
            return term
        raise _Mistake(f"{token[:20]!r} was not expected" if token else "it ends too early")

    def _call(self, name: str) -> tuple[Term, type]:
        function = self._functions.get(name)
        if function is None:
            near = suggestion(name, self._functions)
            raise _Mistake(f'there is no function "{name}"{near}')
        arguments: list[float] = []
        if not self._take("("):
            raise _Mistake(f"write {name}()")
        while not self._take(")"):
            if arguments and not self._take(","):
                raise _Mistake(f"the parenthesis of {name} is not closed")
            kind, token = self._peek()
            if kind != "number":
                raise _Mistake(f"{name} takes numbers")
            self._position += 1
            arguments.append(float(token))
        if len(arguments) != function.arguments:
            raise _Mistake(f"{name} takes {function.arguments} arguments, not {len(arguments)}")
        return function.make(*arguments), function.gives

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._position] if self._position < len(self._tokens) else ("", "")

    def _take(self, symbol: str) -> bool:
        found = self._peek() == ("symbol", symbol)
        self._position += found
        return found


def _tokens(text: str) -> list[tuple[str, str]]:
    found = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _Mistake(f"{text[position:].strip()[:20]!r} cannot be read")
        found.append((match.lastgroup or "", match[match.lastgroup or 0]))
        position = match.end()
    return found


def _conditions(symbol: str, *kinds: type) -> None:
    if any(kind is not bool for kind in kinds):
        raise _Mistake(f"both sides of {symbol} must be conditions")


def _any(terms: Sequence[Term]) -> Term:
    return lambda state: any(term(state) for term in terms)


def _all(terms: Sequence[Term]) -> Term:
    return lambda state: all(term(state) for term in terms)


def _constant(value: float | str) -> Term:
    return lambda _: value


def _compare(compare: Callable[[Any, Any], bool], first: Term, second: Term) -> Term:
    return lambda state: compare(first(state), second(state))
