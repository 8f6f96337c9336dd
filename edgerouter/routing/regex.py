r"""Regular expressions as Go understands them, in time linear in the text.

Both Go's ``regexp`` and RE2 read the same syntax and know neither look-around
nor back-references, so an expression from a label cannot stall a worker.
Memory per expression is bounded; an expression that needs more is refused.
"""

import re
from collections.abc import Callable
from typing import Any

import re2  # type: ignore[import-untyped]

MAX_MEMORY = 4 << 20
"""Bytes one expression may take, with its caches."""
Search = Callable[[str], bool]

_options = re2.Options()
_options.max_mem = MAX_MEMORY
_options.log_errors = False
_options.never_capture = True
_capturing = re2.Options()
_capturing.max_mem = MAX_MEMORY
_capturing.log_errors = False

_HINTS = (
    ("(?=", "look-ahead does not exist in Go's expressions; use && and ! between matchers"),
    ("(?!", "look-ahead does not exist in Go's expressions; use && and ! between matchers"),
    ("(?<=", "look-behind does not exist in Go's expressions"),
    ("(?<!", "look-behind does not exist in Go's expressions"),
    ("too large", "write it shorter, with smaller repetitions"),
    ("repetition size", "a repetition may count to 1000 at most, nested ones multiplied"),
    ("invalid escape", r"write a literal backslash as \\; there are no back-references"),
)
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")


class RegexError(ValueError):
    """The expression cannot be used; the text says what RE2 said and what to do."""


def compile_search(expression: str) -> Search:
    """Return a function that tells whether ``expression`` matches anywhere in a text.

    Bytes of a text that are no UTF-8 (surrogate-escaped) count as one U+FFFD
    each, as in Go.

    Raises:
        RegexError: RE2 does not accept the expression, or it takes too much memory.
    """
    search = _compile(expression).search

    def found(text: str) -> bool:
        if not text.isascii():
            text = _ESCAPED_BYTE.sub("\ufffd", _decoded(text))
        return search(text.encode()) is not None

    return found


def compile_capturing(expression: str) -> Any:
    """Return ``expression`` as an object of RE2 that keeps what its groups matched.

    It is to be given bytes, so that positions are those of bytes.

    Raises:
        RegexError: As for ``compile_search``.
    """
    return _compile(expression, _capturing)


def _decoded(text: str) -> str:
    """Bring escaped bytes that are UTF-8 together into characters."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def _compile(expression: str, options: Any = _options) -> Any:
    try:
        return re2.compile(expression, options=options)
    except re2.error as error:
        reason = _text(error)
    except UnicodeEncodeError:
        reason = "it is not valid UTF-8"
    hint = next((hint for mark, hint in _HINTS if mark in reason), "")
    raise RegexError(
        f"bad regular expression {expression!r}: {reason}" + (f"; {hint}" if hint else "")
    )


def _text(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
