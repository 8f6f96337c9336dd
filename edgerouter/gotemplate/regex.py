"""The regular-expression functions: RE2 syntax, Go's ``$1`` replacements, linear time."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import re2  # type: ignore[import-untyped]

from edgerouter.gotemplate.values import (
    FunctionError,
    Value,
    bounded,
    bounded_items,
    integer,
    text,
)

_options = re2.Options()
_options.max_mem = 4 << 20
_options.log_errors = False
_REFERENCE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})")


def _compile(expression: Value) -> Any:
    try:
        return re2.compile(text(expression), options=_options)
    except re2.error as error:
        reason = error.args[0] if error.args else b""
        shown = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise FunctionError(f"bad regular expression {expression!r}: {shown}") from None


def _matches(expression: Value, subject: Value) -> Iterator[Any]:
    return iter(_compile(expression).finditer(text(subject)))


def expand(template: str, match: Any) -> str:
    """Resolve ``$1``, ``${1}``, ``$name`` and ``$$`` as Go's ``Expand`` does."""

    def group(reference: "re.Match[str]") -> str:
        dollar, bare, braced = reference.groups()
        name = bare or braced
        if dollar:
            return "$"
        if name.isdecimal():
            return (match.group(int(name)) or "") if int(name) <= match.re.groups else ""
        return (match.group(name) or "") if name in match.re.groupindex else ""

    return _REFERENCE.sub(group, template)


def _replace(expression: Value, subject: Value, replacement: Callable[[Any], str]) -> str:
    source = text(subject)
    parts: list[str] = []
    size = position = 0
    for match in _matches(expression, source):
        for part in (source[position : match.start()], replacement(match)):
            size += len(part)
            bounded(size)
            parts.append(part)
        position = match.end()
    return "".join(parts) + source[position:]


def _replace_all(expression: Value, subject: Value, template: Value) -> str:
    wanted = text(template)
    return _replace(expression, subject, lambda match: expand(wanted, match))


def _replace_literal(expression: Value, subject: Value, replacement: Value) -> str:
    wanted = text(replacement)
    return _replace(expression, subject, lambda _: wanted)


def _match(expression: Value, subject: Value) -> bool:
    return _compile(expression).search(text(subject)) is not None


def _find(expression: Value, subject: Value) -> str:
    found = _compile(expression).search(text(subject))
    return found.group(0) if found else ""


def _find_all(expression: Value, subject: Value, limit: Value) -> list[str]:
    found = [match.group(0) for match in _matches(expression, subject)]
    bounded_items(len(found))
    return found if integer(limit) < 0 else found[: integer(limit)]


def _split(expression: Value, subject: Value, limit: Value) -> list[str]:
    source, count = text(subject), integer(limit)
    if count == 0:
        return []
    pieces: list[str] = []
    position = 0
    for match in _matches(expression, source):
        if len(pieces) == count - 1:
            break
        if match.end() and (match.end() > match.start() or match.start() < len(source)):
            pieces.append(source[position : match.start()])
            position = match.end()
    bounded_items(len(pieces))
    return [*pieces, source[position:]]


def _quote(subject: Value) -> str:
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", text(subject))


REGEX: dict[str, Callable[..., Value]] = {
    "regexFind": _find,
    "regexFindAll": _find_all,
    "regexMatch": _match,
    "regexQuoteMeta": _quote,
    "regexReplaceAll": _replace_all,
    "regexReplaceAllLiteral": _replace_literal,
    "regexSplit": _split,
}
