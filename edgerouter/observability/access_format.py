"""The line formats of the access log: common, genericCLF and JSON, with Traefik's names.

An encoder is made once from the options and runs per request; what to drop is
decided when it is made. Knows nothing of files and filters.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from edgerouter.http.headers import Headers
from edgerouter.http.memory import remembered
from edgerouter.http.message import Exchange, Peer, Request
from edgerouter.http.tls import TlsFacts
from edgerouter.http.urls import without_credentials
from edgerouter.observability.logs import fields

Encode = Callable[[Peer, Exchange, Request | None, Headers, int, float], bytes]
"""Makes the line from peer, exchange, request, response header, count and duration (seconds)."""

_FORMATS = ("common", "genericCLF", "json")
_MODES = ("keep", "drop", "redact")
_WITHOUT_LENGTH = (101, 204, 304)
"""Answers without a body need not say so."""
_CLF_TIME = "%d/%b/%Y:%H:%M:%S"
_CLF = '%s - %s [%s] "%s %s %s" %s %s %s %s'
_COMMON = _CLF + " %s %s %s %sms"

log = logging.getLogger(__name__)


def encoder(options: Mapping[str, Any]) -> Encode:
    """Return the encoder for the static options ``accessLog``."""
    selected = options.get("fields") or {}
    names = FieldSelection(selected)
    headers = HeaderSelection(selected.get("headers") or {})
    with_query = _mode(selected.get("queryParameters") or {}, "keep") != "drop"
    wanted = str(options.get("format") or "common")
    match wanted.lower():
        case "json":
            return _json(names, headers, with_query=with_query)
        case "genericclf":
            return _clf(_CLF, names, headers, with_query=with_query)
        case "common":
            return _clf(_COMMON, names, headers, with_query=with_query)
    log.error(
        "Unknown access log format, using common",
        extra=fields(option="accessLog.format", format=wanted, known=_FORMATS),
    )
    return _clf(_COMMON, names, headers, with_query=with_query)


class FieldSelection:
    """Which fields are kept, ``accessLog.fields``; names ignore case."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._default = _mode(options, "keep") != "drop"
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
        self._default = _mode(options, "drop")
        names: Mapping[str, str] = options.get("names") or {}
        self._names = {
            name.lower().encode(): mode.lower()
            for name, mode in names.items()
            if mode.lower() in _MODES
        }
        self.empty = self._default == "drop" and set(self._names.values()) <= {"drop"}

    def mode(self, name: bytes) -> str:
        """Return ``keep``, ``drop`` or ``redact`` for ``name`` (lower case)."""
        return self._names.get(name, self._default)

    def add(self, prefix: str, headers: Headers, record: dict[str, Any]) -> None:
        """Add the selected ``headers`` to ``record`` as ``prefix`` plus their name."""
        for name, value in headers:
            self.add_one(prefix, name, value, record)

    def add_one(self, prefix: str, name: bytes, value: bytes, record: dict[str, Any]) -> None:
        """Add one header field as ``add`` does."""
        mode = self.mode(name.lower())
        if mode == "drop":
            return
        key = prefix + _canonical(name)
        text = value.decode("utf-8", "replace")
        if mode == "redact":
            record[key] = "REDACTED"
        else:
            record[key] = f"{record[key]},{text}" if key in record else text


def _mode(options: Mapping[str, Any], default: str) -> str:
    mode = str(options.get("defaultMode") or default).lower()
    return mode if mode in _MODES else default


_CLF_FIELDS = (
    "ClientHost",
    "ClientUsername",
    "Start",
    "RequestMethod",
    "RequestPath",
    "RequestProtocol",
    "DownstreamStatus",
    "DownstreamContentSize",
    "request_Referer",
    "request_User-Agent",
    "RequestCount",
    "RouterName",
    "ServiceURL",
    "Duration",
)
"""What stands where in a line of the text formats."""

_ALWAYS = ("Start", "request_Referer", "request_User-Agent")
_WHEN_DROPPED = {"RouterName": '"-"', "ServiceURL": '"-"', "Duration": 0}


def _clf(
    template: str, names: FieldSelection, headers: HeaderSelection, *, with_query: bool
) -> Encode:
    """Return the encoder of a text format; a dropped field leaves a ``-``."""
    size = template.count("%s")
    constants = [
        (index, _WHEN_DROPPED.get(name, "-"))
        for index, name in enumerate(_CLF_FIELDS[:size])
        if name not in _ALWAYS and not names.keeps(name)
    ]
    moment = _clf_moment(names)
    referer, agent = headers.mode(b"referer"), headers.mode(b"user-agent")

    def encode(
        peer: Peer,
        exchange: Exchange,
        request: Request | None,
        _response: Headers,
        count: int,
        duration: float,
    ) -> bytes:
        method = path = protocol = "-"
        if request is not None:
            method, protocol = request.method, _protocol(request.version)
            path = _path(request, with_query=with_query)
        values: list[Any] = [
            _client(peer, exchange, request),
            _harmless(exchange.user) or "-",
            moment(int(exchange.start)),
            method,
            path,
            protocol,
            exchange.status,
            exchange.response_size,
            _quoted_header(request, b"referer", referer),
            _quoted_header(request, b"user-agent", agent),
            count,
            f'"{exchange.router}{exchange.below}"' if exchange.router else '"-"',
            f'"{without_credentials(exchange.server)}"' if exchange.server else '"-"',
            int(duration * 1000),
        ]
        for index, constant in constants:
            values[index] = constant
        return (template % tuple(values[:size])).encode("utf-8", "surrogateescape") + b"\n"

    return encode


def _clf_moment(names: FieldSelection) -> Callable[[int], str]:
    if names.keeps("StartUTC"):
        return _clf_utc
    return _clf_local if names.keeps("StartLocal") else lambda _seconds: "-"


def _quoted_header(request: Request | None, name: bytes, mode: str) -> str:
    if mode == "drop" or request is None:
        return '"-"'
    text = b",".join(request.headers.all(name)).decode("utf-8", "surrogateescape")
    if not text:
        return '"-"'
    return '"REDACTED"' if mode == "redact" else '"' + text.replace('"', '\\"') + '"'


JSON_FIELDS = (
    *(name for name in _CLF_FIELDS if name not in _ALWAYS),
    "ClientAddr",
    "ClientPort",
    "GzipRatio",
    "OriginContentSize",
    "OriginDuration",
    "OriginStatus",
    "Overhead",
    "RequestAddr",
    "RequestID",
    "RequestContentSize",
    "RequestHost",
    "RequestPort",
    "RequestScheme",
    "RetryAttempts",
    "ServiceAddr",
    "ServiceName",
    "StartLocal",
    "StartUTC",
    "TLSCipher",
    "TLSClientSubject",
    "TLSVersion",
    "entryPointName",
    "error",
)
"""The names in a JSON line, besides header fields and ``level``, ``msg``, ``time``."""


def _json(names: FieldSelection, headers: HeaderSelection, *, with_query: bool) -> Encode:
    """Return the encoder of JSON lines; durations are nanoseconds."""
    dropped = [name for name in JSON_FIELDS if not names.keeps(name)]
    with_subject = names.keeps("TLSClientSubject")
    dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode

    def encode(
        peer: Peer,
        exchange: Exchange,
        request: Request | None,
        response: Headers,
        count: int,
        duration: float,
    ) -> bytes:
        record = _facts(peer, exchange, count, duration)
        if request is not None:
            _add_request(record, request, with_query=with_query)
        record["ClientHost"] = _client(peer, exchange, request)
        if peer.tls is not None:
            _add_tls(record, peer.tls, with_subject=with_subject)
        for name in dropped:
            record.pop(name, None)
        if not headers.empty:
            if request is not None:
                headers.add("request_", request.headers, record)
            if exchange.origin_headers is not None:
                headers.add("origin_", exchange.origin_headers, record)
            headers.add("downstream_", response, record)
            _add_lengths(record, exchange, headers)
        now = int(time.time())
        record["level"] = "info"
        record["msg"] = ""
        record["time"] = _local(now) + _offset(now)
        return dump(record).encode("utf-8", "replace") + b"\n"

    return encode


def _add_lengths(record: dict[str, Any], exchange: Exchange, headers: HeaderSelection) -> None:
    """Add ``Content-Length`` of the server's answer, which the framing has taken out of it."""
    length = exchange.origin_length
    if length is None or (not length and exchange.origin_status in _WITHOUT_LENGTH):
        return
    value = b"%d" % length
    headers.add_one("origin_", b"Content-Length", value, record)
    if exchange.status == exchange.origin_status and not exchange.origin_size:
        headers.add_one("downstream_", b"Content-Length", value, record)


def _facts(peer: Peer, exchange: Exchange, count: int, duration: float) -> dict[str, Any]:
    nanoseconds = int(duration * 1e9)
    origin = int(exchange.origin_duration * 1e9)
    seconds = int(exchange.start)
    fraction = f".{int((exchange.start - seconds) * 1e9):09}"
    origin_size = exchange.origin_size
    # When no answer came, Traefik counts the one made up in its place.
    origin_status = exchange.origin_status or (exchange.status if exchange.server else 0)
    if origin_status and not origin_size:  # Nobody between has changed the body.
        origin_size = exchange.response_size
    record: dict[str, Any] = {
        "ClientAddr": peer.address,
        "ClientPort": str(peer.port),
        "ClientUsername": exchange.user or "-",
        "DownstreamContentSize": exchange.response_size,
        "DownstreamStatus": exchange.status,
        "Duration": nanoseconds,
        "OriginContentSize": origin_size,
        "OriginDuration": origin,
        "OriginStatus": origin_status,
        "Overhead": nanoseconds - origin,
        "RequestContentSize": exchange.request_size,
        "RequestCount": count,
        "RetryAttempts": exchange.retries,
        "StartLocal": _local(seconds) + fraction + _offset(seconds),
        "StartUTC": _utc(seconds) + fraction + "Z",
        "entryPointName": peer.entrypoint,
    }
    if exchange.response_size and exchange.response_size != origin_size:
        record["GzipRatio"] = origin_size / exchange.response_size
    if exchange.router:
        record["RouterName"] = exchange.router + exchange.below
    if exchange.server:
        url = without_credentials(exchange.server)
        record["ServiceAddr"] = url.partition("://")[2].partition("/")[0]
        record["ServiceName"] = exchange.service
        record["ServiceURL"] = url
    if exchange.error:
        record["error"] = exchange.error
    if exchange.request_id:
        record["RequestID"] = exchange.request_id
    return record


def _add_request(record: dict[str, Any], request: Request, *, with_query: bool) -> None:
    record["RequestAddr"] = request.authority
    record["RequestHost"], record["RequestPort"] = _split(request.authority)
    record["RequestMethod"] = request.method
    record["RequestPath"] = _path(request, with_query=with_query)
    record["RequestProtocol"] = _protocol(request.version)
    record["RequestScheme"] = request.scheme


def _add_tls(record: dict[str, Any], tls: TlsFacts, *, with_subject: bool) -> None:
    version = tls.version.removeprefix("TLSv")
    record["TLSVersion"] = version if "." in version else f"{version}.0"
    record["TLSCipher"] = tls.cipher
    if with_subject and tls.certificates:
        record["TLSClientSubject"] = _subject(tls.certificates[0])


@lru_cache(maxsize=1024)
def _subject(certificate: bytes) -> str:
    """Return the subject of a certificate (RFC 4514)."""
    from cryptography import x509  # noqa: PLC0415 - most workers never see a client's certificate.

    try:
        return x509.load_der_x509_certificate(certificate).subject.rfc4514_string()
    except ValueError:
        return ""


def _client(peer: Peer, exchange: Exchange, request: Request | None) -> str:
    """Return what ``realIp`` found, ``X-Forwarded-For`` of a trusted peer, or its address."""
    if exchange.client:
        return exchange.client
    forwarded = request.headers.first(b"x-forwarded-for") if request is not None else None
    return forwarded.decode("utf-8", "replace") if forwarded else peer.ip


def _path(request: Request, *, with_query: bool) -> str:
    if with_query and request.query is not None:
        return f"{request.path}?{request.query}"
    return request.path


def _split(authority: str) -> tuple[str, str]:
    """Split ``host:port`` as Traefik does; without a port that is ``-``."""
    host, colon, port = authority.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):
        return authority, "-"
    return host.removeprefix("[").removesuffix("]"), port


def _harmless(text: str) -> str:
    """Escape control characters: a user name is decoded base64 and may hold line breaks."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()


@lru_cache(maxsize=8)
def _protocol(version: tuple[int, int]) -> str:
    return f"HTTP/{version[0]}.{version[1]}"


@remembered(1024)
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
