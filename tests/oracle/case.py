"""One case: what is sent, and how what comes back is made comparable."""

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import brotli  # type: ignore[import-untyped]
import zstandard

from tests.support.raw_http import Answer, exchange

Outcome = list[dict[str, Any]]

_LENGTHS = ("content-length",)
_CLOSE = ["connection", "close"]
_DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}
_SAID_IN_OTHER_WORDS = frozenset((400, 408, 417, 431, 501, 505))
"""Refusals: edgerouter says what is wrong with the request, Traefik hardly does."""


@dataclass(frozen=True, slots=True)
class Case:
    """Bytes for an entry point; ``parts`` after the first wait for an interim answer."""

    name: str
    parts: tuple[bytes, ...]
    entrypoint: str = "web"
    count: int = 1
    tunnel: bytes = b""
    watch_close: float = 0.0

    @property
    def is_counted(self) -> bool:
        """Tell whether it is settled how often servers are asked.

        Without any answer a request is sent again where the connection was an old one.
        """
        return b'"raw": ""' not in self.parts[0]

    def run(self, port: int) -> list[Answer]:
        method = self.parts[0].split(b" ")[0].decode("latin-1")
        return exchange(
            port,
            *self.parts,
            method=method,
            count=self.count,
            tunnel=self.tunnel,
            watch_close=self.watch_close,
        )


def case(
    name: str, head: str, body: str | bytes = b"", *more: bytes, ep: str = "web", **options: Any
) -> Case:
    """Make a case; lines of ``head`` are separated by a line feed."""
    data = body.encode() if isinstance(body, str) else body
    first = head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + data
    return Case(name, (first, *more), entrypoint=ep, **options)


def get(name: str, target: str, host: str, *headers: str, ep: str = "web", **options: Any) -> Case:
    """Make a case of a GET without a body."""
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}", *headers]
    return case(name, "\n".join(lines), ep=ep, **options)


class Normaliser:
    """Replaces what differs between two runs or two programs without meaning."""

    def __init__(self, echo: Mapping[str, int], entrypoints: Mapping[str, int]) -> None:
        self._ports = {port: f"<{name}>" for name, port in echo.items()}
        self._ports |= {port: f"<{name}>" for name, port in entrypoints.items()}
        self._cookies = {
            hashlib.sha256(f"http://127.0.0.1:{port}".encode()).hexdigest()[:16]: f"<url of {name}>"
            for name, port in echo.items()
        }

    def outcome(self, answers: list[Answer], sent: bytes = b"") -> Outcome:
        """Return what is compared of ``answers`` to the request ``sent``."""
        facts = [self._answer(answer) for answer in answers]
        for fact in facts:
            if b"accept-encoding" not in sent.lower():
                _drop_own_encoding(fact)
            if sent.split(b"\r\n")[0].endswith(b"HTTP/1.0"):
                fact["headers"] = [pair for pair in fact["headers"] if pair != _CLOSE]
            if fact["status"] in _SAID_IN_OTHER_WORDS and "upstream" not in fact:
                _drop_words(fact)
        return facts

    def _answer(self, answer: Answer) -> dict[str, Any]:
        _decode(answer)
        facts: dict[str, Any] = {
            "status": answer.status,
            "headers": self._headers(answer.headers, drop=("date", "x-edgerouter-reason")),
        }
        if answer.get("content-type") == "application/x-echo" and answer.complete:
            facts["upstream"] = self._upstream(json.loads(answer.body or b"{}"))
            facts["headers"] = [pair for pair in facts["headers"] if pair[0] not in _LENGTHS]
        else:
            facts["body"] = self._text(answer.body.decode("utf-8", "replace"))
        if answer.interim:
            facts["interim"] = [
                [status, self._headers(headers)] for status, headers in answer.interim
            ]
        for name in ("trailers", "tunnel", "closed"):
            if value := getattr(answer, name):
                facts[name] = value.decode() if isinstance(value, bytes) else value
        if not answer.complete:
            facts["complete"] = False
        return facts

    def _headers(
        self, headers: list[tuple[str, str]], drop: tuple[str, ...] = ()
    ) -> list[list[str]]:
        pairs = [[name.lower(), self._text(value)] for name, value in headers]
        for pair in pairs:
            if pair[0] == "x-retry-in":
                pair[1] = "<duration>"
            if pair[0] == "access-control-expose-headers":
                pair[1] = exposed(pair[1])
        return sorted((pair for pair in pairs if pair[0] not in drop), key=lambda pair: pair[0])

    def _upstream(self, facts: dict[str, Any]) -> dict[str, Any]:
        if not facts:
            return facts
        pairs = self._headers(facts["headers"])
        for pair in pairs:
            if pair[0] == "x-forwarded-server":
                pair[1] = "<host name>"
        return {**facts, "headers": pairs, "line": self._text(facts["line"])}

    def _text(self, text: str) -> str:
        for value, name in self._cookies.items():
            text = text.replace(value, name)
        return re.sub(r"(?<=:)\d{4,5}\b", self._port, text)

    def _port(self, match: re.Match[str]) -> str:
        return self._ports.get(int(match[0]), match[0])


def exposed(value: str) -> str:
    """Return ``Access-Control-Expose-Headers`` in order, which Traefik does not keep.

    Scripts may always read ``Content-Length``, so it makes no difference whether it is named.
    """
    return ", ".join(sorted(set(value.split(", ")) - {"Content-Length"}))


def _decode(answer: Answer) -> None:
    """Undo a content coding: equal contents may be coded in many ways."""
    decode = _DECODERS.get(answer.get("content-encoding"))
    if decode is not None and answer.body and answer.complete:
        try:
            answer.body = decode(answer.body)
        except (OSError, EOFError, zlib.error, brotli.error, zstandard.ZstdError):
            return  # It only claims to be coded.
        framing = ("content-length", "transfer-encoding")
        answer.headers = [pair for pair in answer.headers if pair[0].lower() not in framing]


def _drop_own_encoding(fact: dict[str, Any]) -> None:
    """Forget the ``Accept-Encoding: gzip`` that Go's client adds to be undone by itself."""
    if upstream := fact.get("upstream"):
        pairs = upstream["headers"]
        upstream["headers"] = [pair for pair in pairs if pair != ["accept-encoding", "gzip"]]


def _drop_words(fact: dict[str, Any]) -> None:
    fact["body"] = "<words>"
    dropped = ("content-length", "content-type", "x-content-type-options", "connection")
    fact["headers"] = [pair for pair in fact["headers"] if pair[0] not in dropped]
