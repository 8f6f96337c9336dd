"""Cases about the middlewares of ``config_middlewares_b.py``."""

from tests.oracle.case import Case, case, get


def ask(middleware: str, target: str, *headers: str, ep: str = "web") -> Case:
    label = f"{middleware}: {target}" + "".join(f", {header[:60]}" for header in headers)
    return get(
        f"{label}{'' if ep == 'web' else f' on {ep}'}",
        target,
        f"{middleware}.m.test",
        *headers,
        ep=ep,
    )


def send(middleware: str, method: str, target: str = "/", body: str = "") -> Case:
    head = f"{method} {target} HTTP/1.1\nHost: {middleware}.m.test"
    head += f"\nContent-Length: {len(body)}" if body else ""
    return case(f"{middleware}: {method} {target} {len(body)}", head, body)


_REWRITING = [
    ask("rr", "/old/x?y=z"),
    ask("rr", "/old/x?y;z"),
    ask("rr", "/old/%2F%20x"),
    ask("rr", "/old/caf%C3%A9"),
    ask("rr", "/new/x"),
    ask("rr", "/old/x", "X-Forwarded-Proto: https", ep="trust"),
    ask("rr", "/old/x", "X-Forwarded-Proto: HTTPS", ep="trust"),
    ask("rr", "/old/x", "X-Forwarded-Proto: wss", ep="trust"),
    ask("rr", "/old/x", "X-Forwarded-Proto: https"),
    send("rr", "HEAD", "/old/x"),
    send("rr", "POST", "/old/x", "body"),
    ask("rr-named", "/x/y"),
    ask("rr-named", "/x/y", "X-Forwarded-Proto: https", ep="trust"),
    send("rr-named", "PUT", "/x/y"),
    send("rr-named", "HEAD", "/x/y"),
    ask("rr-float", "/aaa?a=a"),
    ask("rr-same", "/x?y"),
    ask("rr-long-name", "/x"),
    ask("rr-dollar", "/x"),
    ask("rr-space", "/x"),
    ask("rr-escape", "/x"),
    ask("rr-badhost", "/x"),
    ask("rr-badport", "/x"),
    ask("rr-relative", "/x"),
    ask("rr-relative", "/"),
    ask("rr-empty", "/x"),
    ask("rr-optional", "/y/xy"),
    ask("rr-bad", "/x"),
    ask("rr-query", "/x?a=b&c;d"),
    ask("rr-query", "/x"),
    ask("rp", "/a/b?c=d"),
    ask("rp", "/a%2Fb"),
    ask("rp", "/caf%C3%A9", "X-Replaced-Path: /mine"),
    ask("rp-escaped", "/x?y"),
    ask("rp-empty", "/x"),
    ask("rp-utf8", "/x"),
    ask("rpr", "/api/x/y?z=1"),
    ask("rpr", "/api/"),
    ask("rpr", "/api"),
    ask("rpr", "/api/a%2Fb%20c"),
    ask("rpr", "/api/caf%C3%A9"),
    ask("rpr-all", "/abab/b"),
    ask("rpr-bounds", "/axxb"),
    ask("rpr-slashes", "/api/x"),
    ask("rpr-dots", "/api/x"),
    ask("rpr-noslash", "/api/x"),
    ask("rpr-noslash", "/api/"),
    ask("rpr-none", "/api/x"),
    ask("rpr-escape", "/api/x"),
    ask("rpr-space", "/api/x"),
    ask("rpr-query", "/api/x?a=b"),
    ask("rpr-bad", "/api/x"),
    ask("spr", "/a/12/x"),
    ask("spr", "/a/12"),
    ask("spr", "/a/x/12"),
    ask("spr", "/b/xyz/d?e"),
    ask("spr", "/c"),
    ask("spr", "/cx"),
    ask("spr", "/x/c/y"),
    ask("spr", "/c//x"),
    ask("spr", "/c/../x"),
    ask("spr", "/c%2Fx%2Fy"),
    ask("spr", "/%63/x%20y"),
    ask("spr-space", "/a%20b/c"),
    ask("spr-empty", "/"),
    ask("spr-empty", "/xx"),
    ask("spr-bad", "/"),
]  # fmt: skip

CASES = [*_REWRITING]
