"""The tokens of a template: text, and what stands between ``{{`` and ``}}``."""

import ast
import re
from dataclasses import dataclass
from typing import Literal

TokenKind = Literal[
    "name", "field", "variable", "text", "number", "dot", "|", ":=", "=", "(", ")", ",", "end"
]
Value = object


class TemplateError(Exception):
    """A template that cannot be parsed or rendered; ``line`` and ``column`` count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message, line, column)
        self.message = message
        self.line = line
        self.column = column

    def __str__(self) -> str:
        return f"{self.message} (line {self.line}, column {self.column})"


@dataclass(frozen=True, slots=True)
class Token:
    """One token inside an action; ``glued`` means that no space stands before it."""

    kind: TokenKind
    value: str | int | float
    position: int
    glued: bool = False

    def __str__(self) -> str:
        return "end of the action" if self.kind == "end" else repr(str(self.value))


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is copied."""

    text: str


@dataclass(frozen=True, slots=True)
class Action:
    """What stands between one pair of double braces."""

    tokens: tuple[Token, ...]
    position: int


_COMMENT = re.compile(r"/\*.*?\*/\s*(-?\}\})", re.DOTALL)
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<field>\.[^\W\d]\w*)
    |(?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+
        |(?:[0-9][0-9_]*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?![\w.]))
    |(?P<dot>\.)
    |(?P<variable>\$\w*)
    |(?P<name>[^\W\d]\w*)
    |(?P<raw>`[^`]*`)
    |(?P<quoted>"(?:[^"\\\n]|\\.)*")
    |(?P<char>'(?:[^'\\\n]|\\.[0-9a-fA-F]*)')
    |(?P<operator>:=|[|=(),])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(
    r"\\(?:[abfnrtv\\\"']|[0-7]{3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|(.))"
)


class Source:
    """The text of a template, which knows lines and columns."""

    def __init__(self, text: str) -> None:
        self.text = text

    def error(self, message: str, position: int) -> TemplateError:
        """Return an error for a place in the text."""
        line = self.text.count("\n", 0, position) + 1
        return TemplateError(message, line, position - self.text.rfind("\n", 0, position))


def split(source: Source) -> list[Text | Action]:
    """Split a template into texts and actions; trim markers and comments are gone.

    Raises:
        TemplateError: An action is not closed or holds something that is no token.
    """
    text = source.text
    pieces: list[Text | Action] = []
    position = 0
    trim = False
    while (start := text.find("{{", position)) >= 0:
        inner = start + 2
        trim_before = text.startswith("-", inner) and text[inner + 1 : inner + 2].isspace()
        _add_text(pieces, text[position:start], left=trim, right=trim_before)
        inner += 2 if trim_before else 0
        if comment := _COMMENT.match(text, inner):
            trim, position = comment[1].startswith("-"), comment.end()
            continue
        if text.startswith("/*", inner):
            raise source.error("the comment is not closed; it ends with */}}", start)
        action, position, trim = _action(source, start, inner)
        pieces.append(action)
    _add_text(pieces, text[position:], left=trim, right=False)
    return pieces


def _add_text(pieces: list[Text | Action], text: str, *, left: bool, right: bool) -> None:
    text = text.lstrip(" \t\r\n") if left else text
    text = text.rstrip(" \t\r\n") if right else text
    if text:
        pieces.append(Text(text))


def _action(source: Source, start: int, position: int) -> tuple[Action, int, bool]:
    """Read one action; return it, where it ends and whether it trims what follows."""
    text = source.text
    tokens: list[Token] = []
    spaced = True
    while True:
        trim = spaced and text.startswith("-}}", position)
        if trim or text.startswith("}}", position):
            position += trim
            break
        match = _TOKEN.match(text, position)
        if match is None:
            place = start if position >= len(text) else position
            raise source.error(_complaint(text, position), place)
        if match.lastgroup == "space":
            spaced = True
        else:
            tokens.append(_token(source, match, glued=not spaced))
            spaced = False
        position = match.end()
    tokens.append(Token("end", "", position))
    return Action(tuple(tokens), start), position + 2, trim


def _complaint(text: str, position: int) -> str:
    if position >= len(text):
        return "the action is not closed; it ends with }}"
    character = text[position]
    if character in "\"'`":
        return f"the quote {character} is not closed"
    return f"unexpected {character!r} in an action"


def _token(source: Source, match: "re.Match[str]", *, glued: bool) -> Token:
    text, position = match[0], match.start()
    match match.lastgroup:
        case "operator":
            return Token(text, text, position, glued)  # type: ignore[arg-type]
        case "field":
            return Token("field", text[1:], position, glued)
        case "number":
            return Token("number", _number(source, text, position), position, glued)
        case "raw":
            return Token("text", text[1:-1].replace("\r", ""), position, glued)
        case "quoted":
            return Token("text", _unquote(source, text, position), position, glued)
        case "char":
            return Token("number", _character(source, text, position), position, glued)
        case kind:
            return Token(kind, text, position, glued)  # type: ignore[arg-type]


def _number(source: Source, text: str, position: int) -> int | float:
    digits = text.lstrip("+-")
    try:
        if re.fullmatch(r"0[0-7]+", digits):
            number: int | float = int(digits, 8)
            number = -number if text.startswith("-") else number
        elif re.match(r"0[xXbBoO]", digits) or not re.search(r"[.eE]", digits):
            number = int(text, 0)
        else:
            number = float(text)
    except ValueError:
        raise source.error(f"{text!r} is no number", position) from None
    if isinstance(number, int) and not -(1 << 63) <= number < 1 << 64:
        raise source.error(f"the number {text} is too large", position)
    return number


def _character(source: Source, text: str, position: int) -> int:
    value = _unquote(source, f'"{text[1:-1]}"' if text != "'\"'" else r'"\""', position)
    if len(value) != 1:
        raise source.error("single quotes hold one character; use double quotes", position)
    return ord(value)


def _unquote(source: Source, text: str, position: int) -> str:
    if "\\" not in text:
        return text[1:-1]
    for escape in _ESCAPE.finditer(text):
        if escape[1]:
            message = f"{escape[0]!r} is no escape Go knows; use back-quotes for plain backslashes"
            raise source.error(message, position + escape.start())
    try:
        return str(ast.literal_eval(text))
    except (ValueError, SyntaxError):
        raise source.error(
            "the text has an escape that stands for no character", position
        ) from None
