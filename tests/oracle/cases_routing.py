"""Cases about rules and paths."""

from tests.oracle.case import Case, case, get


def _hosts() -> list[Case]:
    table = {
        "exact": "exact.test",
        "request case": "EXACT.Test",
        "port": "exact.test:8080",
        "trailing dot": "exact.test.",
        "trailing dot and port": "exact.test.:80",
        "two dots": "exact.test..",
        "rule in upper case": "upper.test",
        "wildcard": "x.wild.test",
        "wildcard in upper case": "X.WILD.test:80",
        "wildcard takes no bare domain": "wild.test",
        "wildcard takes one label": "x.y.wild.test",
        "dot in rule": "dot.test",
        "dot in both": "dot.test.",
        "double quotes": "quoted.test",
        "address": "127.0.0.1",
        "address with port": "127.0.0.1:80",
        "IPv6": "[::1]",
        "IPv6 with port": "[::1]:80",
        "underscore": "under_score.test",
        "regexp": "abc.re.test",
        "regexp in upper case": "ABC.re.test",
        "regexp no match": "a1.re.test",
        "regexp with port": "abc.re.test:80",
        "regexp with dot": "abc.re.test.",
        "regexp floats": "xxfloatxx.example",
        "regexp in capitals never matches": "upre.test",
        "lower-case matcher": "lower-name.test",
        "upper-case matcher": "upper-name.test",
        "title-case matcher": "title-name.test",
        "mixed-case matcher": "mixed-name.test",
        "nobody": "nobody.test",
        "header Host": "header-host.test",
    }
    return [get(f"host: {name}", "/", host) for name, host in table.items()]


def _paths() -> list[Case]:
    table = {
        "exact": "/exact",
        "exact with slash": "/exact/",
        "exact in upper case": "/EXACT",
        "with slash": "/slash/",
        "without slash": "/slash",
        "prefix": "/pre/x",
        "prefix is text": "/prefix",
        "longer prefix": "/pre/longer/x",
        "regexp": "/re/42",
        "regexp no match": "/re/42x",
        "regexp floats": "/x/digit7/y",
        "regexp ignores case": "/case",
        "encoded slash": "/en%2Fcoded",
        "encoded slash in lower case": "/en%2fcoded",
        "decoded slash": "/en/coded",
        "encoded space": "/sp%20ace",
        "rule with a space": "/two%20words",
        "encoded letter in rule": "/tilde~",
        "encoded letters in request": "/%74%69lde%7E",
        "UTF-8": "/caf%C3%A9",
        "UTF-8 in lower case": "/caf%c3%a9",
        "UTF-8 raw": "/caf\u00c3\u00a9",
        "UTF-8 in rule": "/th%C3%A9",
        "query is no path": "/exact?x=/pre",
        "query mark only": "/exact?",
        "dots": "/x/../exact",
        "dot": "/./exact",
        "double slash": "//exact",
        "double slash inside": "/pre//x///y",
        "dots over the top": "/../../exact",
        "encoded dots": "/x/%2e%2e/exact",
        "encoded dot and slash": "/pre/..%2fexact",
        "trailing dots": "/pre/x/..",
        "trailing dot": "/pre/x/.",
        "bar": "/pre/a|b",
        "brackets": "/pre/[a]{b}",
        "quote": '/pre/"a"<b>',
        "backslash": "/pre/a\\b",
        "caret": "/pre/^`",
        "space-like plus": "/pre/a+b",
        "sub-delimiters": "/pre/!$&'()*+,;=:@",
        "encoded sub-delimiters": "/pre/%21%24%26%27%28%29%2A%2B%2C%3B%3D%3A%40",
        "lower-case escapes": "/pre/%c3%bf%7c",
        "bad escape": "/pre/%zz",
        "cut escape": "/pre/%4",
        "percent": "/pre/100%25",
        "null": "/pre/%00",
        "line break": "/pre/%0d%0a",
        "encoded question mark": "/pre/%3Fx?y",
        "encoded hash": "/pre/%23x",
        "encoded backslash": "/pre/%5Cx",
        "encoded semicolon": "/pre/%3Bx",
        "semicolon": "/pre/a;b=c",
        "fragment": "/pre/x#frag",
        "raw high byte": "/pre/\xff",
        "nothing but query": "?x",
    }
    return [get(f"path: {name}", target, "p.test") for name, target in table.items()]


def _dirty_paths() -> list[Case]:
    table = {
        "dots": "/pre/../exact",
        "double slash": "/pre//x",
        "encoded dots": "/pre/%2e%2e/x",
        "leading double slash": "//exact",
    }
    return [
        get(f"path, not sanitised: {name}", target, "p.test", ep="dirty")
        for name, target in table.items()
    ]


def _denied_characters() -> list[Case]:
    table = {
        "slash": "%2F",
        "slash in lower case": "%2f",
        "backslash": "%5C",
        "null": "%00",
        "semicolon": "%3B",
        "percent": "%25",
        "question mark": "%3F",
        "hash": "%23",
        "space passes": "%20",
        "letter passes": "%41",
    }
    cases = [
        get(f"encoded characters denied: {name}", f"/pre/{text}", "p.test", ep="deny")
        for name, text in table.items()
    ]
    cases.append(get("encoded characters denied: query passes", "/?a=%2F", "a.test", ep="deny"))
    cases.append(get("encoded characters denied: no route", "/%2F", "nobody.test", ep="deny"))
    return cases


def _queries() -> list[Case]:
    table = {
        "value": "/?k=v",
        "other value": "/?k=w",
        "second value": "/?k=w&k=v",
        "encoded": "/?%6b=%76",
        "missing": "/?x=v",
        "flag": "/?flag",
        "flag with equals": "/?flag=",
        "flag with value": "/?flag=1",
        "regexp": "/?n=12",
        "regexp no match": "/?n=12x",
        "semicolon separates": "/?a=b;k=v",
        "plus": "/?k=+v",
    }
    cases = [get(f"query: {name}", target, "query.test") for name, target in table.items()]
    raw = {
        "semicolons": "/?a=1;b=2;c",
        "encoded semicolon": "/?a=1%3Bb",
        "odd characters": '/?a=<b>|"c"^`{}\\[]',
        "bad escape": "/?a=%zz",
        "second mark": "/?a?b",
        "lower-case escapes": "/?a=%c3%bf&b=%41",
        "raw high bytes": "/?a=\xe9",
        "slashes and dots": "/?a=//../b",
        "empty": "/?",
        "ampersands": "/?&&a&=b&",
        "plus and space": "/?a=b+c%20d",
        "fragment": "/?a#b",
    }
    cases += [get(f"query passed on: {name}", target, "a.test") for name, target in raw.items()]
    cases.append(get("query semicolons encoded", "/?a=1;b=2", "a.test", ep="semi"))
    cases.append(get("query semicolons encoded, rule", "/?a=b;k=v", "query.test", ep="semi"))
    return cases


def _matchers() -> list[Case]:
    return [
        case("method: match", "POST / HTTP/1.1\nHost: method.test\nContent-Length: 0"),
        get("method: no match", "/", "method.test"),
        case("method: lower case in rule", "PUT / HTTP/1.1\nHost: method.test\nContent-Length: 0"),
        case(
            "method: lower case in request", "post / HTTP/1.1\nHost: method.test\nContent-Length: 0"
        ),
        case("method: unusual", "BREW / HTTP/1.1\nHost: a.test"),
        get("header: value", "/", "header.test", "x-kind: one"),
        get("header: other value", "/", "header.test", "X-Kind: two"),
        get("header: value case matters", "/", "header.test", "X-Kind: One"),
        get("header: second field", "/", "header.test", "X-Kind: two", "X-Kind: one"),
        get("header: list is one value", "/", "header.test", "X-Kind: two, one"),
        get("header: regexp", "/", "header.test", "X-Num: 12"),
        get("header: regexp second field", "/", "header.test", "X-Num: a", "X-Num: 1"),
        get("header: regexp no match", "/", "header.test", "X-Num: 1a"),
        get("client address: exact", "/", "ip-exact.test"),
        get("client address: range", "/", "ip-range.test"),
        get("client address: other", "/", "ip-other.test"),
        get("client address: IPv6", "/", "ip-six.test"),
        get("client address: not from a header", "/", "ip-other.test", "X-Forwarded-For: 10.0.0.1"),
        get(
            "client address: not from a trusted header",
            "/",
            "ip-other.test",
            "X-Forwarded-For: 10.0.0.1",
            ep="trust",
        ),
    ]


def _operators() -> list[Case]:
    table = {
        "or, first": ("or1.test", "/"),
        "or, second": ("or2.test", "/"),
        "and binds first, left": ("prec1.test", "/y"),
        "and binds first, right": ("prec2.test", "/x"),
        "and binds first, neither": ("prec2.test", "/y"),
        "group, in": ("group1.test", "/x"),
        "group, out": ("group1.test", "/y"),
        "not": ("not.test", "/"),
        "not a group, in": ("ngroup.test", "/c"),
        "not a group, out": ("ngroup.test", "/b"),
        "not not": ("notnot.test", "/x"),
        "not not, out": ("notnot.test", "/y"),
        "line break after an operator": ("newline.test", "/x"),
        "line break before an operator": ("newlineb.test", "/x"),
        "no spaces": ("tight.test", "/b"),
        "longer rule wins": ("prio.test", "/"),
        "number wins": ("numbered.test", "/"),
        "negative number loses": ("negative.test", "/"),
        "spaces count": ("spaces.test", "/"),
        "two hosts": ("two1.test", "/"),
        "unknown matcher": ("unknown.test", "/"),
        "unclosed": ("unclosed.test", "/"),
        "prefix without slash": ("noslash.test", "/x"),
        "bad regexp": ("badre.test", "/("),
        "bad network": ("badip.test", "/"),
        "no arguments": ("noargs.test", "/"),
        "look-ahead": ("look.test", "/y"),
    }
    cases = [get(f"rule: {name}", target, host) for name, (host, target) in table.items()]
    cases.append(get("rule: not, header", "/", "not.test", "X-No: 1"))
    return cases


def _version_2() -> list[Case]:
    table = {
        "first host": ("v2a.test", "/"),
        "second host": ("v2b.test", "/"),
        "host header": ("v2hh.test", "/"),
        "host regexp": ("abc.v2re.test", "/"),
        "host regexp, no match": ("a1.v2re.test", "/"),
        "host regexp is anchored": ("abc.v2re.test.x", "/"),
        "prefix": ("v2p.test", "/items/42/x"),
        "prefix, no match": ("v2p.test", "/items/x"),
        "path, first": ("v2p.test", "/exact"),
        "path, variable": ("v2p.test", "/other/x"),
        "path, variable is one segment": ("v2p.test", "/other/x/y"),
        "query": ("v2q.test", "/?k=v"),
        "query, flag": ("v2q.test", "/?flag=1"),
        "query, neither": ("v2q.test", "/?k=w"),
        "query, both": ("v2q.test", "/?k=v&flag"),
        "query, pair": ("v2qp.test", "/?k=v"),
        "query, other pair": ("v2qp.test", "/?k=w"),
        "client address": ("v2ip.test", "/"),
        "not": ("v2or.test", "/b"),
        "or": ("v2or.test", "/a"),
    }
    cases = [get(f"v2: {name}", target, host) for name, (host, target) in table.items()]
    cases.append(get("v2: header", "/", "v2h.test", "X-Kind: one"))
    cases.append(get("v2: header regexp", "/", "v2h.test", "X-Num: 12"))
    cases.append(case("v2: method", "DELETE / HTTP/1.1\nHost: v2m.test"))
    return cases


def _elements() -> list[Case]:
    table = {
        "router whose middleware is missing": "lost-m.test",
        "router whose service is missing": "lost-s.test",
        "router on an unknown entry point": "lost-e.test",
        "router on a known and an unknown entry point": "half.test",
        "priority out of range": "greedy.test",
        "qualified service": "qualified.test",
        "service of another provider": "fs.test",
        "internal service": "noop.test",
        "TLS router on a plain connection": "tls.test",
    }
    cases = [get(f"element: {name}", "/", host) for name, host in table.items()]
    cases.append(get("element: catch-all", "/", "whatever.example", ep="any"))
    cases.append(get("element: specific before catch-all", "/", "a.test", ep="any"))
    cases.append(get("element: middleware of the entry point", "/x", "a.test", ep="prefixed"))
    cases.append(
        get("element: entry point's before the router's", "/strip/x", "strip.test", ep="prefixed")
    )
    cases.append(get("element: middlewares in order", "/strip/x", "doubled.test"))
    return cases


CASES = [
    *_hosts(),
    *_paths(),
    *_dirty_paths(),
    *_denied_characters(),
    *_queries(),
    *_matchers(),
    *_operators(),
    *_version_2(),
    *_elements(),
]
