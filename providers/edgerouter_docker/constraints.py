"""The ``constraints`` expression: which containers a provider looks at.

``Label(name, value)`` and ``LabelRegex(name, expression)`` joined by ``&&``,
``||``, ``!`` and parentheses; texts stand in back-quotes or double quotes. A
label that is not there counts as empty, as in Traefik. Regular expressions are
RE2's and unanchored.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import re2  # type: ignore[import-untyped]

from edgerouter.config.types import suggestion

Constraint = Callable[[Mapping[str, str]], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>`[^`]*`|"(?:[^"\\]|\\.)*")|(?P<name>[A-Za-z_]\w*)|(?P<sign>&&|\|\||[!(),]))"""
)
MAX_DEPTH = 50
_FUNCTIONS = ("Label", "LabelRegex")


class ConstraintError(ValueError):
    """The expression is malformed; the message names the column, from 1."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    value: str
    column: int

    def __str__(self) -> str:
        return f'"{self.value}"' if self.kind != "end" else "the end"


def parse_constraints(expression: str) -> Constraint:
    """Return the predicate over labels that ``expression`` says; empty text accepts everything.

    Raises:
        ConstraintError: The expression is malformed.
    """
    if not expression.strip():
        return lambda _labels: True
    parser = _Parser(_tokens(expression))
    constraint = parser.any_of()
    parser.expect("end")
    return constraint


def _tokens(expression: str) -> list[_Token]:
    tokens = []
    position = 0
    end = len(expression.rstrip())
    while position < end:
        match = _TOKEN.match(expression, position)
        if match is None:
            rest = expression[position:].lstrip()
            column = len(expression) - len(rest) + 1
            raise ConstraintError(_unreadable(rest, column))
        kind = str(match.lastgroup)
        tokens.append(_Token(kind, match.group(kind), match.start(kind) + 1))
        position = match.end()
    return [*tokens, _Token("end", "", end + 1)]


def _unreadable(rest: str, column: int) -> str:
    if rest[0] in '`"':
        return f"column {column}: the quoted text has no end"
    if rest[0] in "&|":
        return f'column {column}: write "{rest[0] * 2}" instead of "{rest[0]}"'
    return f'column {column}: unexpected "{rest[0]}"'


class _Parser:
    """Recursive descent; ``!`` binds tightest, then ``&&``, then ``||``."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def expect(self, value: str) -> _Token:
        token = self._take()
        if value not in {token.kind, token.value}:
            wanted = {"end": "&& or ||", "text": "a quoted text"}.get(value, f'"{value}"')
            raise ConstraintError(f"column {token.column}: expected {wanted}, got {token}")
        return token

    def any_of(self) -> Constraint:
        choices = [self._all_of()]
        while self._accept("||"):
            choices.append(self._all_of())
        return lambda labels: any(choice(labels) for choice in choices)

    def _all_of(self) -> Constraint:
        parts = [self._not()]
        while self._accept("&&"):
            parts.append(self._not())
        return lambda labels: all(part(labels) for part in parts)

    def _not(self) -> Constraint:
        if self._accept("!"):
            with self._deeper():
                inner = self._not()
            return lambda labels: not inner(labels)
        if self._accept("("):
            with self._deeper():
                inside = self.any_of()
            self.expect(")")
            return inside
        return self._call()

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            column = self._tokens[self._next].column
            raise ConstraintError(f"column {column}: nested too deeply")
        yield
        self._depth -= 1

    def _call(self) -> Constraint:
        function = self._take()
        if function.kind != "name":
            raise ConstraintError(
                f"column {function.column}: expected Label(...) or LabelRegex(...), got {function}"
            )
        if function.value not in _FUNCTIONS:
            hint = suggestion(function.value, _FUNCTIONS) or "; there are Label and LabelRegex"
            raise ConstraintError(
                f'column {function.column}: unknown function "{function.value}"{hint}'
            )
        self.expect("(")
        name = _unquoted(self.expect("text"))
        self.expect(",")
        argument = self.expect("text")
        self.expect(")")
        if function.value == "Label":
            return _label(name, _unquoted(argument))
        return _label_regex(name, argument)

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next += token.kind != "end"
        return token

    def _accept(self, sign: str) -> bool:
        token = self._tokens[self._next]
        if token.kind == "sign" and token.value == sign:
            self._next += 1
            return True
        return False


def _unquoted(token: _Token) -> str:
    if token.value.startswith("`"):
        return token.value[1:-1]
    try:
        return str(json.loads(token.value))
    except json.JSONDecodeError as error:
        raise ConstraintError(f"column {token.column}: {error.msg}; use back-quotes") from error


def _label(name: str, value: str) -> Constraint:
    return lambda labels: labels.get(name, "") == value


def _label_regex(name: str, argument: _Token) -> Constraint:
    options = re2.Options()
    options.log_errors = False
    try:
        expression = re2.compile(_unquoted(argument), options)
    except re2.error as error:
        reason = error.args[0] if error.args else "malformed"
        shown = reason.decode() if isinstance(reason, bytes) else reason
        raise ConstraintError(
            f"column {argument.column}: not a regular expression: {shown}"
        ) from error
    return lambda labels: expression.search(labels.get(name, "")) is not None
