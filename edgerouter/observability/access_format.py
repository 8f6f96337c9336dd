"""The line formats of the access log: common, genericCLF and JSON, with Traefik's names.

An encoder is made once from the options; it turns the facts of one request
into one line. What to drop is decided when the encoder is made.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from edgerouter.http.headers import Headers
from edgerouter.http.message import Request
from edgerouter.observability.logs import fields

_CLF_TIME = "%d/%b/%Y:%H:%M:%S"
_CLF = (
    "{ClientHost} - {ClientUsername} [{Time}] "
    '"{RequestMethod} {RequestPath} {RequestProtocol}" '
    "{DownstreamStatus} {DownstreamContentSize} {Referer} {UserAgent}"
)
_COMMON = _CLF + " {RequestCount} {RouterName} {ServiceURL} {Milliseconds}ms"
_FORMATS = {"common": _COMMON, "genericclf": _CLF, "json": ""}
_MODES = ("keep", "drop", "redact")

Record = dict[str, Any]

log = logging.getLogger(__name__)


class FieldSelection:
    """Which fields are kept, ``accessLog.fields``; names ignore case."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._default = mode_of(options, "keep") != "drop"
        names: Mapping[str, str] = options.get("names") or {}
        self._names = {
            name.lower(): mode.lower() == "keep"
            for name, mode in names.items()
            if mode.lower() in ("keep", "drop")
        }

    def keeps(self, name: str) -> bool:
        return self._names.get(name.lower(), self._default)


class HeaderSelection:
    """Which header fields are kept, dropped or redacted, ``accessLog.fields.headers``."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._default = mode_of(options, "drop")
        names: Mapping[str, str] = options.get("names") or {}
        self._names = {
            name.lower().encode(): mode.lower()
            for name, mode in names.items()
            if mode.lower() in _MODES
        }
        self.empty = self._default == "drop" and not any(
            mode != "drop" for mode in self._names.values()
        )

    def mode(self, name: bytes) -> str:
        """Return ``keep``, ``drop`` or ``redact`` for ``name`` (lower case)."""
        return self._names.get(name, self._default)

    def add(self, prefix: str, headers: Headers, record: Record) -> None:
        """Add the selected ``headers`` to ``record`` as ``prefix`` plus their name."""
        for name, value in headers:
            mode = self.mode(name.lower())
            if mode == "drop":
                continue
            key = prefix + _canonical(name)
            if mode == "redact":
                record[key] = "REDACTED"
            elif key in record:
                record[key] += "," + text_of(value)
            else:
                record[key] = text_of(value)


Encode = Callable[[Record, Request | None, Headers | None, Headers], bytes]


def encoder(
    options: Mapping[str, Any], selection: FieldSelection, headers: HeaderSelection
) -> Encode:
    form = str(options.get("format") or "common")
    template = _FORMATS.get(form.lower())
    if template is None:
        log.error(
            "Unknown access log format, using common",
            extra=fields(option="accessLog.format", format=form, known="common, genericCLF, json"),
        )
        template = _COMMON
    return _clf(template, selection, headers) if template else _json(selection, headers)


def _json(selection: FieldSelection, headers: HeaderSelection) -> Encode:
    """Return the encoder of JSON lines."""
    names = (*_FIELDS, "Error")
    dropped = [name for name in names if not selection.keeps(name)]
    start_utc, start_local = selection.keeps("StartUTC"), selection.keeps("StartLocal")
    dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode

    def encode(
        record: Record, request: Request | None, origin: Headers | None, response: Headers
    ) -> bytes:
        start = record.pop("Start")
        for name in dropped:
            record.pop(name, None)
        seconds = int(start)
        fraction = f"{int((start - seconds) * 1e9):09}"
        if start_utc:
            record["StartUTC"] = f"{_utc(seconds)}.{fraction}Z"
        if start_local:
            record["StartLocal"] = f"{_local(seconds)}.{fraction}{_offset(seconds)}"
        if not headers.empty:
            if request is not None:
                headers.add("request_", request.headers, record)
            if origin is not None:
                headers.add("origin_", origin, record)
            headers.add("downstream_", response, record)
        record["level"] = "info"
        record["msg"] = ""
        now = int(time.time())
        record["time"] = _local(now) + _offset(now)
        return dump(record).encode("utf-8", "replace") + b"\n"

    return encode


def _clf(template: str, selection: FieldSelection, headers: HeaderSelection) -> Encode:
    """Return the encoder of one of the text formats; a dropped field is a ``-`` in its template."""
    constants = {}
    for name in _CLF_FIELDS:
        if not selection.keeps(name):
            constants[name] = '"-"' if name in _QUOTED else "-"
    if not selection.keeps("Duration"):
        constants["Milliseconds"] = "0"
    moment = _clf_moment(selection)
    referer, agent = headers.mode(b"referer"), headers.mode(b"user-agent")
    render = template.format_map

    def encode(
        record: Record, request: Request | None, _origin: Headers | None, _response: Headers
    ) -> bytes:
        router, url = record.get("RouterName"), record.get("ServiceURL")
        record["RouterName"] = f'"{router}"' if router else '"-"'
        record["ServiceURL"] = f'"{url}"' if url else '"-"'
        record["ClientUsername"] = _harmless(record["ClientUsername"])
        record.setdefault("RequestMethod", "-")
        record.setdefault("RequestPath", "-")
        record.setdefault("RequestProtocol", "-")
        record["Milliseconds"] = record["Duration"] // 1_000_000
        record["Time"] = moment(int(record["Start"]))
        record["Referer"] = _quoted_header(request, b"referer", referer)
        record["UserAgent"] = _quoted_header(request, b"user-agent", agent)
        record |= constants
        return render(record).encode("utf-8", "surrogateescape") + b"\n"

    return encode


_QUOTED = ("RouterName", "ServiceURL")
_CLF_FIELDS = (
    "ClientHost",
    "ClientUsername",
    "RequestMethod",
    "RequestPath",
    "RequestProtocol",
    "DownstreamStatus",
    "DownstreamContentSize",
    "RequestCount",
    *_QUOTED,
)
_FIELDS = (
    *_CLF_FIELDS,
    "ClientAddr",
    "ClientPort",
    "Duration",
    "GzipRatio",
    "OriginContentSize",
    "OriginDuration",
    "OriginStatus",
    "Overhead",
    "RequestAddr",
    "RequestContentSize",
    "RequestHost",
    "RequestPort",
    "RequestScheme",
    "RetryAttempts",
    "ServiceAddr",
    "ServiceName",
    "entryPointName",
)


def _clf_moment(selection: FieldSelection) -> Callable[[int], str]:
    if selection.keeps("StartUTC"):
        return _clf_utc
    return _clf_local if selection.keeps("StartLocal") else lambda _seconds: "-"


def _quoted_header(request: Request | None, name: bytes, mode: str) -> str:
    if mode == "drop" or request is None:
        return '"-"'
    values = request.headers.all(name)
    text = ",".join(value.decode("utf-8", "surrogateescape") for value in values)
    if not text:
        return '"-"'
    return '"REDACTED"' if mode == "redact" else '"' + text.replace('"', '\\"') + '"'


def mode_of(options: Mapping[str, Any], default: str) -> str:
    mode = str(options.get("defaultMode") or default).lower()
    return mode if mode in _MODES else default


def text_of(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _harmless(text: str) -> str:
    """Escape control characters: a user name is decoded base64 and may hold line breaks."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()


@lru_cache(maxsize=1024)
def _canonical(name: bytes) -> str:
    """Return ``name`` in Go's canonical form, ``X-Forwarded-For``."""
    return "-".join(part.capitalize() for part in name.decode("latin-1").split("-"))


@lru_cache(maxsize=4)
def _utc(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


@lru_cache(maxsize=4)
def _local(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(seconds))


@lru_cache(maxsize=4)
def _offset(seconds: int) -> str:
    offset = time.strftime("%z", time.localtime(seconds))
    return "Z" if offset == "+0000" else f"{offset[:3]}:{offset[3:]}"


@lru_cache(maxsize=4)
def _clf_utc(seconds: int) -> str:
    return time.strftime(_CLF_TIME + " +0000", time.gmtime(seconds))


@lru_cache(maxsize=4)
def _clf_local(seconds: int) -> str:
    return time.strftime(_CLF_TIME + " %z", time.localtime(seconds))
