"""sprig's functions for text. The subject comes last, so that it can be piped in."""

import re
from base64 import b32decode, b32encode, b64decode, b64encode
from binascii import Error as EncodingError
from collections.abc import Callable
from hashlib import sha1, sha256, sha512
from zlib import adler32

from edgerouter.gotemplate.printf import go_quote
from edgerouter.gotemplate.values import (
    Dictionary,
    FunctionError,
    Value,
    bounded,
    bounded_items,
    go_string,
    integer,
    items,
    kind,
    text,
)


def to_string(value: Value) -> str:
    """Return any value as text."""
    return value if isinstance(value, str) else go_string(value)


def _repeat(count: Value, subject: Value) -> str:
    times = max(integer(count), 0)
    bounded(times * len(text(subject)))
    return text(subject) * times


def _replace(old: Value, new: Value, subject: Value) -> str:
    source, before, after = text(subject), text(old), text(new)
    bounded(len(source) + source.count(before) * max(len(after) - len(before), 0))
    return source.replace(before, after)


def _substr(start: Value, end: Value, subject: Value) -> str:
    source, first, last = text(subject), integer(start), integer(end)
    if first < 0:
        return source[: max(last, 0)]
    return source[first:] if last < 0 or last > len(source) else source[first:last]


def _trunc(count: Value, subject: Value) -> str:
    source, number = text(subject), integer(count)
    if number < 0:
        return source[number:] if len(source) + number > 0 else source
    return source[:number]


def _abbrev(width: Value, subject: Value) -> str:
    source, room = text(subject), integer(width)
    return source if room < 4 or len(source) <= room else source[: room - 3] + "..."


def _indent(count: Value, subject: Value) -> str:
    source = text(subject)
    margin = _repeat(count, " ")
    bounded(len(source) + len(margin) * (source.count("\n") + 1))
    return margin + source.replace("\n", "\n" + margin)


def _nindent(count: Value, subject: Value) -> str:
    return "\n" + _indent(count, subject)


def _quote(*values: Value) -> str:
    return " ".join(go_quote(to_string(value)) for value in values if value is not None)


def _squote(*values: Value) -> str:
    return " ".join(f"'{to_string(value)}'" for value in values if value is not None)


def _cat(*values: Value) -> str:
    parts = [to_string(value) for value in values if value is not None]
    bounded(sum(map(len, parts)))
    return " ".join(parts)


def to_strings(value: Value) -> list[str]:
    """Return the members of a list as text, without missing ones; a single value is a list too."""
    if kind(value) != "slice":
        return [] if value is None else [to_string(value)]
    return [to_string(item) for item in items(value) if item is not None]


def _join(separator: Value, values: Value) -> str:
    parts: list[str] = []
    size = 0
    members = items(values) if kind(values) == "slice" else [values]
    for item in members:
        if item is None:
            continue
        parts.append(to_string(item))
        size += len(parts[-1]) + len(text(separator))
        bounded(size)
    return text(separator).join(parts)


def _split_list(separator: Value, subject: Value) -> list[str]:
    source, mark = text(subject), text(separator)
    bounded_items(source.count(mark))
    return source.split(mark) if mark else list(source)


def _split(separator: Value, subject: Value) -> Dictionary:
    parts = _split_list(separator, subject)
    return Dictionary({f"_{place}": part for place, part in enumerate(parts)})


def _splitn(separator: Value, count: Value, subject: Value) -> Dictionary:
    number = integer(count)
    parts = text(subject).split(text(separator), number - 1 if number > 0 else -1)
    return Dictionary({f"_{place}": part for place, part in enumerate(parts)})


def _trim_suffix(suffix: Value, subject: Value) -> str:
    return text(subject).removesuffix(text(suffix))


def _trim_prefix(prefix: Value, subject: Value) -> str:
    return text(subject).removeprefix(text(prefix))


def _trim_all(characters: Value, subject: Value) -> str:
    return text(subject).strip(text(characters)) if characters else text(subject)


def _title(subject: Value) -> str:
    return re.sub(r"(^|[^\w'])(\w)", lambda m: m[1] + m[2].upper(), text(subject))


def _untitle(subject: Value) -> str:
    return re.sub(r"(^|[^\w'])(\w)", lambda m: m[1] + m[2].lower(), text(subject))


def _words(subject: Value) -> list[str]:
    spaced = re.sub(r"([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3 \2\4", text(subject))
    return re.findall(r"[^\W_]+", spaced)


def _camel(subject: Value) -> str:
    joined = "".join(word[:1].upper() + word[1:] for word in _words(subject))
    return joined[:1].lower() + joined[1:]


def _plural(one: Value, many: Value, count: Value) -> str:
    return text(one) if integer(count) == 1 else text(many)


def _encode(value: Value) -> bytes:
    return text(value).encode("utf-8", "surrogateescape")


def _b64dec(subject: Value) -> str:
    try:
        return b64decode(_encode(subject), validate=True).decode("utf-8", "surrogateescape")
    except (EncodingError, ValueError) as error:
        raise FunctionError(f"not base64: {error}") from None


def _b32dec(subject: Value) -> str:
    try:
        return b32decode(_encode(subject)).decode("utf-8", "surrogateescape")
    except (EncodingError, ValueError) as error:
        raise FunctionError(f"not base32: {error}") from None


STRINGS: dict[str, Callable[..., Value]] = {
    "abbrev": _abbrev,
    "adler32sum": lambda value: str(adler32(_encode(value))),
    "b32dec": _b32dec,
    "b32enc": lambda value: b32encode(_encode(value)).decode(),
    "b64dec": _b64dec,
    "b64enc": lambda value: b64encode(_encode(value)).decode(),
    "camelcase": _camel,
    "cat": _cat,
    "contains": lambda part, subject: text(part) in text(subject),
    "hasPrefix": lambda prefix, subject: text(subject).startswith(text(prefix)),
    "hasSuffix": lambda suffix, subject: text(subject).endswith(text(suffix)),
    "indent": _indent,
    "initials": lambda subject: "".join(word[0] for word in text(subject).split()),
    "join": _join,
    "kebabcase": lambda subject: "-".join(_words(subject)).lower(),
    "lower": lambda subject: text(subject).lower(),
    "nindent": _nindent,
    "nospace": lambda subject: "".join(text(subject).split()),
    "plural": _plural,
    "quote": _quote,
    "repeat": _repeat,
    "replace": _replace,
    "sha1sum": lambda value: sha1(_encode(value)).hexdigest(),  # noqa: S324 - as asked for
    "sha256sum": lambda value: sha256(_encode(value)).hexdigest(),
    "sha512sum": lambda value: sha512(_encode(value)).hexdigest(),
    "snakecase": lambda subject: "_".join(_words(subject)).lower(),
    "split": _split,
    "splitList": _split_list,
    "splitn": _splitn,
    "squote": _squote,
    "substr": _substr,
    "swapcase": lambda subject: text(subject).swapcase(),
    "title": _title,
    "toString": to_string,
    "toStrings": to_strings,
    "trim": lambda subject: text(subject).strip(),
    "trimAll": _trim_all,
    "trimPrefix": _trim_prefix,
    "trimSuffix": _trim_suffix,
    "trimall": _trim_all,
    "trunc": _trunc,
    "untitle": _untitle,
    "upper": lambda subject: text(subject).upper(),
}
