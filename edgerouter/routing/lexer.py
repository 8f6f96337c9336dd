"""The tokens of a rule: the part of Go's lexical grammar that rules are written in.

Traefik reads rules with Go's expression parser, so a line break after ``)``,
a name or an argument ends the expression (Go puts a semicolon there), and
comments are allowed.
"""

import re
from dataclasses import dataclass
from typing import Literal

TokenKind = Literal["name", "text", "&&", "||", "!", "(", ")", ",", "newline", "end"]


class RuleError(Exception):
    """A rule that cannot be used.

    ``message`` says what is wrong and what would be right; ``column`` is the
    place in the rule's text, counted in characters from 1.
    """

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message, column)
        self.message = message
        self.column = column

    def __str__(self) -> str:
        return f"{self.message} (column {self.column})"


@dataclass(frozen=True, slots=True)
class Token:
    """One token; ``value`` is the name or the argument's text without its quotes."""

    kind: TokenKind
    value: str
    column: int

    def __str__(self) -> str:
        match self.kind:
            case "end":
                return "the end of the rule"
            case "newline":
                return "a line break"
            case "text":
                return f"the text {quote(self.value)}"
            case "name":
                return f"the name {self.value!r}"
            case _:
                return repr(self.kind)


def quote(text: str) -> str:
    """Return ``text`` as an argument of a rule: in back-quotes, or in double quotes if need be."""
    if "`" not in text and "\r" not in text:
        return f"`{text}`"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r") + '"'


_SPACE = re.compile(r"[ \t\r]+|\n|//[^\n]*|/\*.*?\*/", re.DOTALL)
_NAME = re.compile(r"[^\W\d]\w*")
_RAW = re.compile(r"`([^`]*)`")
_QUOTED = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\\"])|([0-7]{3})|x([0-9a-fA-F]{2})"
    r"|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))"
)
_SIMPLE = dict(zip('abfnrtv\\"', '\a\b\f\n\r\t\v\\"', strict=True))
_ENDS_EXPRESSION = frozenset({"name", "text", ")"})


def tokenize(text: str) -> list[Token]:
    """Split a rule into tokens, the last of kind ``end``.

    Raises:
        RuleError: A character or a quoted text that Go would not accept.
    """
    try:
        _encode(text)
    except UnicodeEncodeError as error:
        raise RuleError("the rule is not valid Unicode text here", error.start + 1) from None
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        if space := _SPACE.match(text, position):
            if "\n" in space[0] and tokens and tokens[-1].kind in _ENDS_EXPRESSION:
                tokens.append(Token("newline", "", position + 1))
            position = space.end()
        else:
            token, position = _next(text, position)
            tokens.append(token)
    tokens.append(Token("end", "", len(text) + 1))
    return tokens


def _next(text: str, position: int) -> tuple[Token, int]:
    column = position + 1
    for operator in ("&&", "||", "!", "(", ")", ","):
        if text.startswith(operator, position):
            return Token(operator, operator, column), position + len(operator)
    if name := _NAME.match(text, position):
        return Token("name", name[0], column), name.end()
    if raw := _RAW.match(text, position):
        return Token("text", raw[1].replace("\r", ""), column), raw.end()
    if quoted := _QUOTED.match(text, position):
        return Token("text", _unquote(quoted[1], column + 1), column), quoted.end()
    raise RuleError(_complaint(text[position]), column)


def _complaint(character: str) -> str:
    match character:
        case "`":
            reason = "the back-quote is never closed; end the argument with another `"
        case '"':
            reason = 'the double quote is never closed on its line; end the argument with "'
        case "'":
            reason = "single quotes are no quotes here; put arguments in back-quotes: `text`"
        case "&" | "|":
            reason = f"a single {character} is no operator; write {character * 2}"
        case "“" | "”" | "‘" | "’" | "´":  # noqa: RUF001 - what word processors make of quotes
            reason = f"{character} is no quote; put arguments in back-quotes: `text`"
        case _:
            reason = (
                f"unexpected character {character!r}; a rule is made of matchers such as "
                "Host(`example.com`), &&, ||, ! and parentheses"
            )
    return reason


def _unquote(text: str, column: int) -> str:
    """Resolve Go's escapes; some stand for single bytes, so the result is put together in bytes."""
    if "\\" not in text:
        return text
    result = bytearray()
    position = 0
    for escape in _ESCAPE.finditer(text):
        result += _encode(text[position : escape.start()])
        result += _resolve(escape, column + escape.start())
        position = escape.end()
    result += _encode(text[position:])
    return result.decode("utf-8", "surrogateescape")


def _resolve(escape: "re.Match[str]", column: int) -> bytes:
    simple, octal, byte, short, long, _ = escape.groups()
    if simple:
        return _SIMPLE[simple].encode()
    number = int(octal, 8) if octal else int(byte or short or long or "-1", 16)
    if octal or byte:
        if number < 256:
            return bytes([number])
    elif 0 <= number < 0xD800 or 0xDFFF < number <= 0x10FFFF:
        return chr(number).encode()
    raise RuleError(
        f"{escape[0]!r} is no escape Go knows; use back-quotes, in which a backslash is itself",
        column,
    )


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
