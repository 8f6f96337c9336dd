# ruff: noqa: E501 (one case per line reads as a table)
"""Cases about the middlewares of ``config_middlewares_a.py``."""

import base64
import json
from typing import Any

from tests.oracle.case import Case, case, get
from tests.oracle.config_middlewares_a import FORWARD_AUTH, MIDDLEWARES


def ask(middleware: str, target: str, *headers: str, ep: str = "web") -> Case:
    label = f"{middleware}: {target}" + "".join(f", {header[:90]}" for header in headers)
    host = f"{middleware}.n.test"
    return get(f"{label}{'' if ep == 'web' else f' on {ep}'}", target, host, *headers, ep=ep)


def send(middleware: str, method: str, *headers: str, body: str = "") -> Case:
    length = (f"Content-Length: {len(body)}",) if body else ()
    lines = (f"{method} / HTTP/1.1", f"Host: {middleware}.n.test", *headers, *length)
    name = f"{middleware}: {method} {len(body)}" + "".join(f", {each[:90]}" for each in headers)
    return case(name, "\n".join(lines), body)


def login(user: str, password: str, scheme: str = "Basic") -> str:
    encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
    return f"Authorization: {scheme} {encoded}"


def echo(**order: Any) -> str:
    return "X-Echo: " + json.dumps(order)


_BASIC = [
    ask("ba", "/"),
    *(ask("ba", "/", login(user, "test")) for user in ("sha", "md5", "bcrypt", "plain", "eve")),
    *(ask("ba", "/", login(user, "wrong")) for user in ("sha", "md5", "bcrypt", "eve", "")),
    ask("ba", "/", login("sha", "test", "bAsIc")),
    ask("ba", "/", login("sha", "test", "Bearer")),
    ask("ba", "/", "Authorization: Basic"),
    ask("ba", "/", "Authorization: Basic ???"),
    ask("ba", "/", "Authorization: Basic c2hh"),
    ask("ba", "/", "Authorization: Basic  " + login("sha", "test").split()[-1]),
    *(ask("ba-space", "/", login(user, "test")) for user in ("sha", " sha", "bcrypt")),
    ask("ba-options", "/"),
    ask("ba-options", "/", "X-User: forged", login("md5", "test")),
]

_CHAINS = (
    "10.0.0.1",
    "10.0.0.1, 192.168.1.1",
    "9.9.9.9, 10.0.0.1",
    "nonsense",
    "2001:db8::77",
    ",",
)
_ADDRESSES = [
    *(ask(name, "/") for name in MIDDLEWARES if name.startswith("ip")),
    *(
        ask(name, "/", f"X-Forwarded-For: {chain}", ep="trust")
        for name in ("ip-depth", "ip-excluded", "ip-subnet", "ip-other")
        for chain in _CHAINS
    ),
    *(
        ask("ip-port", "/", f"X-Forwarded-For: {address}", ep="trust")
        for address in ("10.0.0.1:80", "[10.0.0.1]:80", "[10.0.0.1]", "10.0.0.2:80")
    ),
    ask("ip-depth", "/", "X-Forwarded-For: 10.0.0.1, 1.1.1.1"),
    ask("ip-depth", "/", "X-Forwarded-For: 10.0.0.1", "X-Forwarded-For: 1.1.1.1", ep="trust"),
]

_ENCODED = [
    ask("enc", f"/a{escape}b")
    for escape in ("%2F", "%2f", "%5C", "%00", "%3B", "%25", "%3F", "%23", "%20", "%41")
]

_SNIFFED = [
    ask("ct", "/", echo(body=body, headers=[]))
    for body in ("<html>", "plain", "%PDF-1.7", "{}", "\u0001\u0002", "", "<?xml version='1.0'?>")
]

_HEADERS = [
    ask("h", "/", "X-Old: 1", "X-Both: a", "x-both: b"),
    ask(
        "h", "/", echo(headers=[["X-Resp", "a"], ["X-Resp", "b"], ["X-Gone", "c"], ["Server", "s"]])
    ),
    ask("h-xff", "/", "X-Forwarded-For: 1.1.1.1", ep="trust"),
    *(ask(name, "/") for name in MIDDLEWARES if name.startswith("h-")),
    ask("h-sec", "/", echo(headers=[["X-Frame-Options", "server"]])),
    ask("h-sec", "/", "X-Forwarded-Proto: https", ep="trust"),
    ask("h-sts-proxy", "/", "X-Forwarded-Proto: https", ep="trust"),
    ask("h-sts-proxy", "/", "X-Forwarded-Proto: https"),
    ask("h-sts-proxy", "/", "X-Secure: on"),
    ask("h-sts-proxy", "/", "X-Secure: off"),
    ask("h-hostsproxy", "/", "X-Host: x.test"),
    ask("h-hostsproxy", "/", "X-Other: X.test"),
    ask("h-hostsproxy", "/", "X-Host: y.test", "X-Other: x.test"),
    ask("h-hosts", "/x"),
    ask("h-502", "/", "Origin: https://a.test"),
]

_PREFLIGHT = ("Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: X-C")
_CORS_NAMES = [name for name in MIDDLEWARES if name == "c" or name.startswith("c-")]
_CORS = [
    *(ask(name, "/") for name in _CORS_NAMES),
    *(ask(name, "/", "Origin: https://b.test") for name in _CORS_NAMES),
    *(ask(name, "/", "Origin: https://x.a.test") for name in _CORS_NAMES),
    *(send(name, "OPTIONS", "Origin: https://b.test", *_PREFLIGHT) for name in _CORS_NAMES),
    send("c", "OPTIONS", "Origin: https://evil.test", *_PREFLIGHT),
    send("c", "OPTIONS", "Origin: https://b.test"),
    send("c", "OPTIONS", *_PREFLIGHT),
    send("h", "OPTIONS", "Origin: https://b.test", *_PREFLIGHT),
    send("c", "POST", "Origin: https://b.test", *_PREFLIGHT),
    ask("c", "/", "Origin: https://a.test", echo(headers=[["Vary", "Accept"]])),
    ask("c", "/", "Origin: https://a.test", echo(headers=[["Vary", "Origin"]])),
    ask("c", "/", echo(headers=[["Access-Control-Allow-Origin", "https://own.test"]])),
]

_FORWARDED = (
    "X-Forwarded-For: 1.1.1.1",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: o.test",
    "X-Forwarded-Uri: /o",
    "X-Forwarded-Method: PUT",
    "X-Forwarded-Port: 99",
)
_AGENT = "User-Agent: test"
_REFUSED = echo(status=403)
_TELLING = [name for name in FORWARD_AUTH if name not in ("fa-badregex", "fa-answer")]
_COOKIES = [["Set-Cookie", "session=1"], ["Set-Cookie", "other=2"]]
_FORWARD_AUTH = [
    *(ask(name, "/x?y=z", _AGENT) for name in FORWARD_AUTH),
    *(ask(name, "/x%20y?y=z", _AGENT, "Cookie: k=v", _REFUSED) for name in _TELLING),
    *(ask(name, "/x", _AGENT, _REFUSED, *_FORWARDED, ep="trust") for name in _TELLING),
    *(send(name, "POST", _AGENT, _REFUSED, body="hello") for name in _TELLING),
    send("fa-body", "POST", _AGENT, _REFUSED, body="too long to pass"),
    send("fa-body", "POST", body="hello"),
    *(
        ask(name, "/", echo(status=302, headers=[["Location", location]], body=""))
        for name in ("fa-path", "fa-location")
        for location in ("/login?x", "rel", "https://o.test/p", "?q", "//o.test/")
    ),
    *(ask(name, "/", echo(status=401, body="no")) for name in ("fa", "fa-signin", "fa-signin-path")),
    send("fa-signin", "POST", echo(status=401, body="no")),
    ask("fa-answer", "/", echo(body="short")),
    ask("fa-answer", "/", echo(body="a longer body")),
    ask("fa-response", "/", "X-Auth-User: forged", "X-Kept: 1"),
    ask("fa-response", "/", "X-Auth-User: forged", echo(headers=[["X-Auth-User", "bob"], ["X-Auth-User", "eve"], ["X-Auth-Two", "2"], ["X-No", "n"]])),
    ask("fa-regex", "/", "x-auth-forged: 1", echo(headers=[["X-Auth-User", "bob"], ["X-No", "n"]])),
    ask("fa-cookies", "/", echo(headers=_COOKIES)),
    *(send(name, "HEAD", _AGENT, echo(status=403, body="no")) for name in ("fa", "fa-method")),
    *(send(name, "HEAD", _AGENT, echo(status=403, chunked=True, body="no")) for name in ("fa", "fa-method")),
    ask("fa", "/", echo(status=403, chunked=True, body="")),
    ask("fa-502", "/", echo(headers=_COOKIES)),
    ask("fa", "/", _AGENT, "Proxy-Authorization: Basic x", _REFUSED),
    ask("fa-some", "/", _AGENT, "Proxy-Authorization: Basic x", _REFUSED),
    ask("fa", "/", _AGENT, "Proxy-Authorization: Basic x"),
    ask("fa-down", "/"),
    ask("fa-user", "/", _AGENT, "Authorization: Bearer mine", _REFUSED),
    ask("fa", "/", echo(status=204)),
    ask("fa", "/", echo(status=500, body="broken")),
]  # fmt: skip

_DISABLED = [
    ask(name, "/") for name in ("ba-none", "ba-bad", "ba-colons", "ba-file", "da-bad", "pass")
]

CASES = [
    *_BASIC,
    *_ADDRESSES,
    *_ENCODED,
    *_SNIFFED,
    *_HEADERS,
    *_CORS,
    *_FORWARD_AUTH,
    *_DISABLED,
]
