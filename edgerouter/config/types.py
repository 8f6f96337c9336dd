"""The scalar types of configuration: durations, booleans, and markers that models put on fields.

Standard library only: workers read middleware options through these types and
stay free of pydantic. The counterpart is ``config/decode.py``.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any

MAX_INT = 2**63 - 1
"""Go's largest ``int``; Traefik's priorities count down from it."""

_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, micro sign
    "μs": 1_000,  # U+03BC, the Greek letter, which Go accepts as well.
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_INTEGER = re.compile(r"[+-]?[0-9]+")
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


def parse_duration(text: str) -> float:
    """Return the seconds of ``text``: an integer (seconds) or Go's syntax (``1m30s``, ``-5ms``).

    Raises:
        ValueError: The text is neither, or longer than Go's 292 years.
    """
    seconds = _INTEGER.fullmatch(text) is not None
    nanoseconds = int(text) * _NANOSECONDS["s"] if seconds else _go_duration(text)
    if abs(nanoseconds) > MAX_INT:
        raise ValueError(f'the duration "{text}" is too long')
    return nanoseconds / 1_000_000_000


def _go_duration(text: str) -> int:
    body = text.removeprefix("-") if text.startswith("-") else text.removeprefix("+")
    parts = _PART.findall(body)
    if not parts or "".join(number + unit for number, unit in parts) != body:
        raise ValueError(f'"{text}" is not a duration such as 30s, 1m30s or 500ms')
    try:
        total = sum(round(float(number) * _NANOSECONDS[unit]) for number, unit in parts)
    except OverflowError:
        total = MAX_INT + 1
    return -total if text.startswith("-") else total


def format_duration(seconds: float) -> str:
    """Return ``seconds`` as Go prints a duration: ``1m30s``, ``100ms``, ``0s``."""
    if 0.001 <= seconds < 0.999:  # For waits, at any rate of requests.
        return f"{seconds * 1000:.6f}".rstrip("0").rstrip(".") + "ms"
    nanoseconds = round(seconds * 1_000_000_000)
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if rest == 0:
        return "0s"
    for unit in ("ns", "µs", "ms"):
        size = _NANOSECONDS[unit]
        if rest < size * 1000:
            return f"{sign}{_decimal(rest, size)}{unit}"
    minutes, rest = divmod(rest, _NANOSECONDS["m"])
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, _NANOSECONDS['s'])}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{text}"
    return f"{sign}{minutes}m{text}" if minutes else sign + text


def _decimal(value: int, unit: int) -> str:
    whole, fraction = divmod(value, unit)
    if not fraction:
        return str(whole)
    digits = str(unit + fraction)[1:].rstrip("0")
    return f"{whole}.{digits}"


def parse_bool(text: str) -> bool:
    """Return what Go's ``strconv.ParseBool`` says: ``1 t T TRUE true True`` and their opposites.

    Raises:
        ValueError: The text is none of the twelve.
    """
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f'expected true or false, got "{text}"')


def is_unicode(text: str) -> bool:
    """Tell whether ``text`` can be encoded; JSON and YAML escapes can make text that cannot."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def printable(text: str) -> str:
    """Return ``text`` for a message: what cannot be encoded becomes ``?``."""
    return text if is_unicode(text) else text.encode("utf-8", "replace").decode()


def did_you_mean(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that ``name`` most likely stands for, case apart, or None."""
    by_folded = {candidate.casefold(): candidate for candidate in candidates}
    close = get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None


def suggestion(name: str, candidates: Iterable[str]) -> str:
    """Return ``; did you mean "x"?`` or an empty string, to be put after a message."""
    match = did_you_mean(name, candidates)
    return f'; did you mean "{match}"?' if match else ""


@dataclass(frozen=True, slots=True)
class DurationMarker:
    """Marks a float field as seconds that may be written as a duration."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Let a pydantic field of this type take duration text too."""
        from pydantic_core import core_schema  # noqa: PLC0415 - workers have no pydantic.

        return core_schema.no_info_before_validator_function(self.coerce, handler(source))

    @staticmethod
    def coerce(value: Any) -> Any:
        return parse_duration(value) if isinstance(value, str) else value


Duration = Annotated[float, DurationMarker()]
"""Seconds. Text is a bare integer (seconds) or Go's syntax."""


@dataclass(frozen=True, slots=True)
class AllowEmpty:
    """Marks a group that may be switched on as a whole, as in ``tls=true``."""


@dataclass(frozen=True, slots=True)
class NotInLabels:
    """Marks an option that Traefik refuses in labels (``label:"-"`` in its source)."""


@dataclass(frozen=True, slots=True)
class LabelOnly:
    """Marks an option that exists in labels alone, such as ``server.port``."""


@dataclass(frozen=True, slots=True)
class LabelName:
    """Gives a list its singular name in labels, where it addresses the first element."""

    name: str


@dataclass(frozen=True, slots=True)
class Ours:
    """Marks an option that Traefik does not have."""


@dataclass(frozen=True, slots=True)
class NoGaps:
    """Marks a list whose empty elements are mistakes: each name in it is there for a purpose."""


ALLOW_EMPTY = AllowEmpty()
NOT_IN_LABELS = NotInLabels()
LABEL_ONLY = LabelOnly()
OURS = Ours()

Names = Annotated[list[str], NoGaps()]
"""A list of names of other elements; a middleware that is left out is a guard that is left out."""


def camel_case(name: str) -> str:
    """Return Traefik's spelling of a field: ``entry_points`` becomes ``entryPoints``."""
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)
