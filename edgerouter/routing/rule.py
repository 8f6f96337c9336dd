"""The grammar of rules: text to tree and back, and what a tree says without being run.

``&&`` binds tighter than ``||``, ``!`` tighter than both. Matcher names are
accepted as declared, in lower, upper and title case. Arguments are checked
for number and emptiness here; what they mean is checked by ``compile_rule``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import NoReturn, TypeAlias

from edgerouter.routing.lexer import RuleError, Token, TokenKind, quote, tokenize
from edgerouter.routing.matchers import MATCHERS, MATCHERS_V2
from edgerouter.routing.matchers.base import Matcher

MAX_DEPTH = 100
"""How deeply parentheses and ``!`` may nest."""


@dataclass(frozen=True, slots=True)
class Call:
    """One matcher with its arguments, e.g. ``Host(`example.com`)``; ``name`` as declared."""

    name: str
    arguments: tuple[str, ...]
    columns: tuple[int, ...] = field(default=(), compare=False)
    """Where the name and each argument stand in the rule, from 1; empty for made-up trees."""

    def column(self, argument: int = -1) -> int:
        """Return the column of an argument, or of the name."""
        place = argument + 1
        return self.columns[place] if place < len(self.columns) else 1


@dataclass(frozen=True, slots=True)
class Not:
    """True when ``term`` is not."""

    term: "Node"


@dataclass(frozen=True, slots=True)
class And:
    """True when all of ``terms`` (two or more) are."""

    terms: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    """True when one of ``terms`` (two or more) is."""

    terms: "tuple[Node, ...]"


Node: TypeAlias = Call | Not | And | Or


def parse_rule(text: str, syntax: str = "v3") -> Node:
    """Parse a rule; ``syntax`` is ``v3`` or ``v2`` (anything else means v3, as in Traefik).

    Raises:
        RuleError: The text is no rule; the message carries the remedy.
    """
    if not text.strip():
        raise RuleError("the rule is empty; write a matcher such as Host(`example.com`)", 1)
    return _Parser(tokenize(text), matchers_of(syntax), syntax).parse()


def matchers_of(syntax: str) -> dict[str, Matcher]:
    """Return the matchers of a syntax by declared name."""
    return MATCHERS_V2 if syntax == "v2" else MATCHERS


def format_rule(node: Node) -> str:
    """Write a tree as a rule that parses to the same tree."""
    match node:
        case Call(name, arguments):
            return f"{name}({', '.join(map(quote, arguments))})"
        case Not(term):
            return "!" + _format_in(term, (And, Or))
        case And(terms):
            return " && ".join(_format_in(term, (And, Or)) for term in terms)
        case Or(terms):
            return " || ".join(_format_in(term, Or) for term in terms)


def _format_in(node: Node, enclosed: type | tuple[type, ...]) -> str:
    text = format_rule(node)
    return f"({text})" if isinstance(node, enclosed) else text


def rule_hosts(node: Node) -> list[str]:
    """Return the names of all ``Host`` matchers that are not negated, once each, in lower case.

    ``*.example.com`` is kept; ``*`` alone names nothing and is left out.
    """
    names = (
        name.lower().removesuffix(".")
        for call, negated in calls(node)
        if call.name in ("Host", "HostHeader") and not negated
        for name in call.arguments
    )
    return [name for name in dict.fromkeys(names) if name != "*"]


def calls(node: Node, *, negated: bool = False) -> Iterator[tuple[Call, bool]]:
    """Yield the matchers of a tree from left to right, each with whether it is negated."""
    match node:
        case Call():
            yield node, negated
        case Not(term):
            yield from calls(term, negated=not negated)
        case And(terms) | Or(terms):
            for term in terms:
                yield from calls(term, negated=negated)


class _Parser:
    """Recursive descent over the tokens; one instance per rule."""

    def __init__(self, tokens: list[Token], matchers: dict[str, Matcher], syntax: str) -> None:
        self._tokens = tokens
        self._position = 0
        self._matchers = matchers
        self._names = _spellings(tuple(matchers))
        self._syntax = syntax
        self._depth = 0

    @property
    def _token(self) -> Token:
        return self._tokens[self._position]

    def parse(self) -> Node:
        node = self._or()
        broken = self._accept("newline")
        token = self._token
        if token.kind == "end":
            return node
        if broken:
            raise RuleError(_LINE_BREAK, token.column)
        if token.kind == ")":
            raise RuleError("')' without '('; remove it or open a parenthesis", token.column)
        raise RuleError(f"expected && or || before {token}", token.column)

    def _or(self) -> Node:
        terms = [self._and()]
        while self._accept("||"):
            terms.append(self._and())
        return terms[0] if len(terms) == 1 else Or(tuple(terms))

    def _and(self) -> Node:
        terms = [self._unary()]
        while self._accept("&&"):
            terms.append(self._unary())
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def _unary(self) -> Node:
        token = self._token
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise RuleError(f"more than {MAX_DEPTH} nested parentheses or '!'", token.column)
        if self._accept("!"):
            node: Node = Not(self._unary())
        elif self._accept("("):
            node = self._or()
            self._expect_closing(token)
        elif token.kind == "name":
            node = self._call()
        else:
            raise RuleError(
                f"expected a matcher such as Host(`example.com`) instead of {token}", token.column
            )
        self._depth -= 1
        return node

    def _expect_closing(self, opening: Token) -> None:
        token = self._token
        if self._accept(")"):
            return
        if token.kind == "newline":
            raise RuleError(_LINE_BREAK, token.column)
        if token.kind == "end":
            raise RuleError("the parenthesis is never closed; add ')'", opening.column)
        raise RuleError(f"expected &&, || or ')' before {token}", token.column)

    def _call(self) -> Node:
        token = self._take()
        name = self._names.get(token.value) or self._unknown(token)
        if not self._accept("("):
            raise RuleError(
                f"expected '(' after {name} instead of {self._token}; "
                f"write {self._matchers[name].usage}",
                self._token.column,
            )
        arguments: list[Token] = []
        while not self._accept(")"):
            arguments.append(self._argument(name))
            if not self._accept(",") and self._token.kind != ")":
                self._bad_end(name, token)
        call = Call(
            name,
            tuple(argument.value for argument in arguments),
            (token.column, *(argument.column for argument in arguments)),
        )
        self._check(call)
        return call

    def _argument(self, matcher: str) -> Token:
        if self._token.kind == "text":
            return self._take()
        token = self._token
        remedy = f"put it in back-quotes: `{token.value}`" if token.kind == "name" else ""
        raise RuleError(
            f"expected an argument of {matcher} in back-quotes instead of {token}"
            + (f"; {remedy}" if remedy else f"; write {self._matchers[matcher].usage}"),
            token.column,
        )

    def _bad_end(self, name: str, opening: Token) -> NoReturn:
        token = self._token
        match token.kind:
            case "end":
                raise RuleError(
                    f"the parenthesis of {name} is never closed; add ')'", opening.column
                )
            case "newline":
                raise RuleError(
                    "a line break after an argument needs a ',' or the ')' before it", token.column
                )
            case _:
                raise RuleError(
                    f"expected ',' or ')' after an argument of {name} instead of {token}",
                    token.column,
                )

    def _check(self, call: Call) -> None:
        matcher = self._matchers[call.name]
        count = len(call.arguments)
        if not matcher.accepts(count):
            raise RuleError(
                f"{call.name} takes {matcher.counts}, not {count}; {_remedy(call, matcher)}",
                call.column(matcher.maximum if count > matcher.maximum else -1),
            )
        for index, argument in enumerate(call.arguments):
            if not argument:
                raise RuleError(
                    f"an argument of {call.name} is empty; write {matcher.usage}",
                    call.column(index),
                )

    def _unknown(self, token: Token) -> NoReturn:
        other = "v3" if self._syntax == "v2" else "v2"
        if replacement := _RENAMED.get(token.value) if self._syntax != "v2" else None:
            hint = f"it is called {replacement} in v3 rules"
        elif near := get_close_matches(token.value.lower(), [n.lower() for n in self._matchers], 1):
            declared = next(n for n in self._matchers if n.lower() == near[0])
            hint = f"did you mean {declared}?"
        elif token.value in matchers_of(other):
            hint = f"it exists in {other} rules only"
        else:
            hint = f"there are {', '.join(sorted(self._matchers))}"
        raise RuleError(f"there is no matcher {token.value!r}; {hint}", token.column)

    def _take(self) -> Token:
        token = self._token
        self._position += 1
        return token

    def _accept(self, kind: TokenKind) -> bool:
        if self._token.kind != kind:
            return False
        self._position += 1
        return True


_LINE_BREAK = (
    "a line break ends a rule, unless it follows an operator, '(' or ','; "
    "put && or || at the end of the line instead of the start of the next"
)
_RENAMED = {
    "Headers": "Header",
    "HeadersRegexp": "HeaderRegexp",
    "HostHeader": "Host",
    "Methods": "Method",
    "QueryRegex": "QueryRegexp",
}
_spelling_cache: dict[tuple[str, ...], dict[str, str]] = {}


def _spellings(names: tuple[str, ...]) -> dict[str, str]:
    """Map every accepted spelling of the matchers' names to the declared one."""
    known = _spelling_cache.get(names)
    if known is None:
        known = _spelling_cache[names] = {
            spelling: name
            for name in names
            for spelling in (name, name.lower(), name.upper(), name.lower().capitalize())
        }
    return known


def _remedy(call: Call, matcher: Matcher) -> str:
    if len(call.arguments) > matcher.maximum == 1:
        return "write " + " || ".join(f"{call.name}({quote(a)})" for a in call.arguments[:3])
    return f"write {matcher.usage}"
