"""Where edgerouter answers otherwise on purpose; told to users in docs/differences.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Difference:
    """Why, and what edgerouter answers: items of the first answer."""

    reason: str
    ours: Mapping[str, Any]


def _refused(reason: str, status: int = 400) -> Difference:
    return Difference(reason, {"status": status})


def _served(reason: str) -> Difference:
    return Difference(reason, {"status": 200})


_STRICT = "RFC 9112 forbids it or lets a proxy refuse it; two parsers may read it differently"
_TRAILERS = "request trailers reach the server"
_FAMILY = "an untrusted client cannot set any X-Forwarded-* field, known to Traefik or not"
_NO_SNIFFING = "no content type is made up"
_SMALL = "a small answer that is all there is not compressed, chunked or not"
_WEAKENED = "a compressed answer has no strong validator and no byte ranges of the original"
_STREAMS = "streams are not compressed unless includedContentTypes names them"
_SLASH = "a rewritten path begins with a slash, whatever the replacement says"

_PAGE = "what is not gRPC stays what it is"
_REPEATED = "a request without a body is repeated, too"

DIFFERENCES: dict[str, Difference] = {
    'bu-retry-code: /, X-Echo: {"status": 503}': Difference(_REPEATED, {"asked": 3}),
    **{
        f"gw: {kind} from {origin} answered by {answer}": difference
        for kind, origin in (
            ("grpc-web", "http://a.test"),
            ("grpc-web", "http://b.test"),
            ("grpc-web+proto", "http://a.test"),
            ("grpc-web-text", "http://a.test"),
            ("grpc-web-text+proto", "http://a.test"),
        )
        for answer, difference in (
            ("chunks without trailers", _served("there is no frame of trailers without trailers")),
            ("a page in chunks", Difference(_PAGE, {"status": 503, "body": "bad"})),
        )
    },
    **{
        f"gw: {kind} from http://a.test answered by {answer}": difference
        for kind in ("grpc-web-text", "grpc-web-text+proto")
        for answer, difference in (
            ("status and content", Difference("any content is coded", {"body": "AAAAAAJoaQ=="})),
            ("a page", Difference(_PAGE, {"status": 503, "body": "bad"})),
        )
    },
    "gw-refused: grpc-web from http://a.test answered by trailers": Difference(
        _PAGE, {"status": 502, "body": "Bad Gateway"}
    ),
    **{
        f"bu-retry-any: {method} 0 fails with 503": Difference(_REPEATED, {"asked": 3})
        for method in ("GET", "HEAD", "POST")
    },
    "host: regexp with dot": _served("HostRegexp, too, ignores the dot at the end of a host"),
    "query passed on: fragment": _refused("a request target has no fragment (RFC 9112, 3.2)"),
    "forwarded: spoofed, untrusted": _served(_FAMILY),
    "forwarded: spoofed, not listed": _served(_FAMILY),
    "forwarded: trusted, empty": _served("an empty X-Forwarded-For adds no empty element"),
    "header: hop-by-hop": _served(_TRAILERS + ", so their announcement does"),
    "header: empty user agent": _served("an empty field stays what it is"),
    "header: user agent twice": _served("no field is dropped"),
    "header: kept by option": _served("a field kept by forwardedHeaders.connection is sent on"),
    "body: chunked with trailers": _served(_TRAILERS),
    "body: trailers not announced": _served(_TRAILERS),
    "body: bad chunk size": _refused("the client is at fault, not the router"),
    "body: chunk size of 17 digits": _refused("the client is at fault, not the router"),
    "body: length and chunked": _refused(_STRICT),
    "body: two lengths, equal": _refused(_STRICT),
    "body: chunked twice": _refused(_STRICT),
    "body: coding in HTTP/1.0": _refused(_STRICT),
    "request: GET *": _refused(_STRICT),
    "bad: Host with a bad port": _refused(_STRICT),
    "bad: version 3.0": _refused("a version that is not spoken is a bad request"),
    "bad: version 1.2": _refused("a version that is not spoken is a bad request"),
    "bad: folded field": _refused(_STRICT),
    "bad: empty line first": _served("RFC 9112, 2.2: an empty line before a request is ignored"),
    "line: foreign scheme": _refused("only http and https are routed"),
    "1.0: early hints": _served("RFC 9110, 15.2: no interim answers to HTTP/1.0"),
    "1.0: expectation": _served("RFC 9110, 10.1.1: no 100 (Continue) to HTTP/1.0"),
    "limit: header a little larger": _refused("the limit is what it says", 431),
    "limit: very many fields": _refused("500 fields are enough", 431),
    "limit: slow body": _refused("the client is late, not the server", 408),
    "redirection: no Host to keep": Difference(
        "a host that is an IPv6 address is redirected like any other", {"status": 302}
    ),
    "answer: no server": Difference("the client is told when to try again", {"status": 503}),
    "answer: early hints": _served(_NO_SNIFFING),
    "answer: two interim": _served(_NO_SNIFFING),
    "answer: cut head": _refused("the server broke off, so 502", 502),
    **dict.fromkeys(
        ("co-refused: /, Accept-Encoding: gzip", "ct-refused: /"),
        _refused("pages of the router's own failures are neither compressed nor typed", 502),
    ),
    "co-default-gzip: text/plain, 2400": _served("gzip may be the default for clients, too"),
    **dict.fromkeys(
        (
            "co-default-gzip: text/plain, 2400, accept: *",
            "co: text/plain, 2400, accept: *",
            "co-gzip: text/plain, 2400, accept: *",
        ),
        _served("a client that takes any coding gets gzip, too"),
    ),
    "co: text/plain, 2400, accept: BR": _served("names of codings ignore case (RFC 9110, 8.4.1)"),
    "co: text/plain, 50, chunked True, accept: br": _served(_SMALL),
    "co: text/plain, 50, chunked True, accept: gzip": _served(_SMALL),
    **dict.fromkeys(
        ("answer: 304 with a type", "co: text/plain, 0, status 304, accept: gzip"),
        Difference("a 304 keeps its content type", {"status": 304}),
    ),
    'co: text/plain, 2400, ETag: "abc", accept: gzip': _served(_WEAKENED),
    "co: text/plain, 2400, Accept-Ranges: bytes, accept: br": _served(_WEAKENED),
    "co: text/plain, 2400, status 206, Content-Range: bytes 0-2399/9999, accept: br": Difference(
        "a part of a content is not compressed", {"status": 206}
    ),
    "co: text/plain, 2400, Cache-Control: no-transform, accept: gzip": _served(
        "no-transform is heeded (RFC 9111, 5.2.2.6)"
    ),
    "co: text/event-stream, 2400, accept: br": _served(_STREAMS),
    "co: application/x-ndjson, 2400, accept: gzip": _served(_STREAMS),
    "co: bad type, 2400, accept: gzip": _served(
        "content of a type that cannot be read is not compressed, by whatever coding"
    ),
    "co-include: no type, 2400, accept: br": _served(
        "with includedContentTypes, content without a type is not compressed"
    ),
    "limit: rl-down": _served("while Redis is away, the limit holds for each router by itself"),
    "rpr-bounds: /axxb": _served(_SLASH),
    "rpr-noslash: /api/x": _served(_SLASH),
    "answer: cut body": Difference(
        "what has come is sent before the connection is cut", {"status": 200, "complete": False}
    ),
}
"""By the name of the case."""

_LENGTH = "the API shows the length of the rule of disabled routers, too"
_IN_SERVICE = "a parent whose service is not used has a warning, as it answers"

ROUTER_DIFFERENCES: dict[str, str] = {
    "layer-both@file": _IN_SERVICE,
    "prefixed-layer-both@file": _IN_SERVICE,
    "layer-half-lost@file": "one of several parents that does not exist is a warning",
    "layer-lost@file": "the API shows a parent that does not exist",
    "layer-no-service@file": _LENGTH,
    "layer-observed@file": _LENGTH,
    "layer-round-leaf@file": _LENGTH,
    "layer-round-b@file": "a router in a circle takes nothing and so is disabled, not warned of",
}
"""Routers that the API describes otherwise on purpose, with the reason."""
