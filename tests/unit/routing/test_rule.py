"""The grammar of rules: what is accepted, what is refused with which advice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.routing.compiled import compile_rule
from edgerouter.routing.lexer import RuleError
from edgerouter.routing.rule import (
    And,
    Call,
    Node,
    Not,
    Or,
    format_rule,
    matchers_of,
    parse_rule,
    rule_hosts,
)

A, B, C = (Call("Host", (name,)) for name in "abc")


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("Host(`a`)", A),
        ("  Host ( `a` ) \n", A),
        ('Host("a")', A),
        ("host(`a`)", A),
        ("HOST(`a`)", A),
        ("Pathprefix(`/`)", Call("PathPrefix", ("/",))),
        ("pathprefix(`/`)", Call("PathPrefix", ("/",))),
        ("Clientip(`::1`)", Call("ClientIP", ("::1",))),
        ("Host(`a`,)", A),
        ("(Host(`a`))", A),
        ("Host(`a`) && Host(`b`)", And((A, B))),
        ("Host(`a`)&&Host(`b`)&&Host(`c`)", And((A, B, C))),
        ("Host(`a`) || Host(`b`) && Host(`c`)", Or((A, And((B, C))))),
        ("Host(`a`) && Host(`b`) || Host(`c`)", Or((And((A, B)), C))),
        ("(Host(`a`) || Host(`b`)) && Host(`c`)", And((Or((A, B)), C))),
        ("!Host(`a`) && Host(`b`)", And((Not(A), B))),
        ("!(Host(`a`) && Host(`b`))", Not(And((A, B)))),
        ("!!Host(`a`)", Not(Not(A))),
        ("Host(`a`) &&\nHost(`b`)", And((A, B))),
        ("Host(`a`) ||\n\n\tHost(`b`)\n", Or((A, B))),
        ("(\nHost(\n`a`))", A),
        ("Host(`a`) // a comment", A),
        ("/* a comment */ Host(`a`)", A),
        ("Host(`a`) && /*\n*/ Host(`b`)", And((A, B))),
        (r'Path("/\x41\u0042\103\n\"\\")', Call("Path", ('/ABC\n"\\',))),
        (r"Path(`/\d`)", Call("Path", (r"/\d",))),
        ("Path(`/a\r\nb`)", Call("Path", ("/a\nb",))),
        (r'Path("/\xc3\xa9")', Call("Path", ("/é",))),
    ],
)
def test_accepted(text: str, node: Node) -> None:
    assert parse_rule(text) == node


@pytest.mark.parametrize(
    ("text", "column", "part"),
    [
        ("", 1, "write a matcher such as Host(`example.com`)"),
        (" \n", 1, "the rule is empty"),
        ("hOsT(`a`)", 1, "did you mean Host?"),
        ("Host(`a`) && Pathprefx(`/`)", 14, "did you mean PathPrefix?"),
        ("Headers(`a`, `b`)", 1, "it is called Header in v3"),
        ("Frobnicate(`a`)", 1, "there are ClientIP, Header"),
        ("Host(`a`)\n&& Host(`b`)", 11, "put && or || at the end of the line"),
        ("(Host(`a`)\n)", 11, "put && or || at the end of the line"),
        ("Host\n(`a`)", 5, "expected '('"),
        ("Host(`a`) /*\n*/ && Host(`b`)", 17, "put && or || at the end of the line"),
        ("Host(`a`\n)", 9, "a line break after an argument"),
        ("Host(`a`) Host(`b`)", 11, "expected && or ||"),
        ("Host(`a`) & Host(`b`)", 11, "write &&"),
        ("Host(`a`) | Host(`b`)", 11, "write ||"),
        ("Host(`a`) and Host(`b`)", 11, "expected && or ||"),
        ("Host(`a`) &&", 13, "instead of the end of the rule"),
        ("&& Host(`a`)", 1, "expected a matcher"),
        ("Host(`a`) && || Host(`b`)", 14, "expected a matcher"),
        ("Host(`a`))", 10, "')' without '('"),
        ("(Host(`a`)", 1, "never closed"),
        ("(Host(`a`) Host(`b`))", 12, "expected &&, || or ')'"),
        ("Host(`a`", 1, "never closed"),
        ("Host(`a` `b`)", 10, "expected ',' or ')'"),
        ("Host(`a)", 6, "the back-quote is never closed"),
        ('Host("a)', 6, "the double quote is never closed"),
        ("Host('a')", 6, "put arguments in back-quotes"),
        ("Host(“a”)", 6, "is no quote"),
        ("Host(a)", 6, "put it in back-quotes: `a`"),
        ("Host(1)", 6, "unexpected character '1'"),
        ("Host(,)", 6, "expected an argument"),
        ("Host", 5, "expected '('"),
        ("`a`", 1, "expected a matcher"),
        ("Host()", 1, "Host takes 1 argument, not 0"),
        ("Host(`a`, `b`)", 11, "write Host(`a`) || Host(`b`)"),
        ("Header(`a`)", 1, "Header takes 2 arguments, not 1"),
        ("Query(`a`, `b`, `c`)", 17, "1 or 2 arguments"),
        ("Host(``)", 6, "is empty"),
        (r'Host("\q")', 7, "no escape Go knows"),
        (r'Host("\400")', 7, "no escape Go knows"),
        (r'Host("\ud800")', 7, "no escape Go knows"),
        ("Host(`a`) == Host(`b`)", 11, "unexpected character '='"),
        ("(" * 200 + "Host(`a`)" + ")" * 200, 101, "nested"),
        ("!" * 200 + "Host(`a`)", 101, "nested"),
        ("Host(`a\ud800`)", 8, "not valid Unicode"),
        # What arguments mean
        ("Host(`é.example`)", 6, "xn--"),
        ("HostRegexp(`é`)", 12, "xn--"),
        ("Path(`a`)", 6, "write `/a`"),
        ("PathPrefix(`a`)", 12, "does not start with '/'"),
        ("PathRegexp(`(`)", 12, "missing ): ("),
        ("PathRegexp(`a(?=b)`)", 12, "look-ahead does not exist"),
        (r"PathRegexp(`(a)\1`)", 12, "back-references"),
        ("PathRegexp(`(a{1000}){1000}`)", 12, "1000 at most"),
        (r"PathRegexp(`\pL{1000}`)", 12, "too large"),
        ("HeaderRegexp(`a`, `[`)", 19, "missing ]"),
        ("QueryRegexp(`a`, `[`)", 18, "missing ]"),
        ("ClientIP(`10.0.0.0/33`)", 10, "neither an IP address"),
        ("ClientIP(`10.0.0.0/255.0.0.0`)", 10, "neither an IP address"),
        ("ClientIP(`localhost`)", 10, "neither an IP address"),
    ],
)
def test_refused(text: str, column: int, part: str) -> None:
    with pytest.raises(RuleError) as caught:
        compile_rule(text)
    assert part in caught.value.message
    assert caught.value.column == column


@pytest.mark.parametrize(
    ("text", "column", "part"),
    [
        ("Header(`a`, `b`)", 1, "did you mean Headers?"),
        ("PathRegexp(`a`)", 1, "did you mean"),
        ("QueryRegexp(`a`, `b`)", 1, "there is no matcher"),
        ("Headers(`a`)", 1, "pairs of arguments"),
        ("Query(`a`)", 7, "name=value"),
        ("Path(`/{a`)", 6, "braces"),
        ("Path(`/a}`)", 6, "braces"),
        ("Path(`/{:a}`)", 6, "lacks a name"),
        ("Path(`/{a:}`)", 6, "lacks a name or an expression"),
        ("Path(`/a`, `/{a:(}`)", 12, "missing )"),
        ("HeadersRegexp(`a`, `b`, `c`, `[`)", 30, "missing ]"),
        ("Host()", 1, "one argument or more"),
    ],
)
def test_refused_in_v2(text: str, column: int, part: str) -> None:
    with pytest.raises(RuleError) as caught:
        compile_rule(text, "v2")
    assert part in caught.value.message
    assert caught.value.column == column


def test_an_unknown_syntax_means_v3() -> None:
    assert parse_rule("Header(`a`, `b`)", "v4") == Call("Header", ("a", "b"))


def test_equal_rules_are_compiled_once() -> None:
    assert compile_rule("Host(`once`)") is compile_rule("Host(`once`)")


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("Host(`A.example.com.`) && Path(`/`)", ["a.example.com"]),
        ("Host(`a`) || Host(`b`) || Host(`a`)", ["a", "b"]),
        ("!Host(`a`) && Host(`b`)", ["b"]),
        ("!(Host(`a`) || !Host(`b`))", ["b"]),
        ("Host(`*`) || Host(`*.x`)", ["*.x"]),
        ("HostRegexp(`a`)", []),
    ],
)
def test_hosts(text: str, hosts: list[str]) -> None:
    assert rule_hosts(parse_rule(text)) == hosts


def test_hosts_in_v2() -> None:
    assert rule_hosts(parse_rule("Host(`a`, `B`) || HostHeader(`c`)", "v2")) == ["a", "b", "c"]


ARGUMENTS = st.text(min_size=1, max_size=8)


def _calls(syntax: str) -> st.SearchStrategy[Node]:
    matchers = matchers_of(syntax)

    def call(name: str) -> st.SearchStrategy[Node]:
        matcher = matchers[name]
        counts = [n for n in range(1, 5) if matcher.accepts(n)]
        arguments = st.sampled_from(counts).flatmap(
            lambda n: st.lists(ARGUMENTS, min_size=n, max_size=n).map(tuple)
        )
        return st.builds(Call, st.just(name), arguments)

    return st.sampled_from(sorted(matchers)).flatmap(call)


def _trees(syntax: str) -> st.SearchStrategy[Node]:
    def branch(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        terms = st.lists(nodes, min_size=2, max_size=4).map(tuple)
        return st.one_of(st.builds(Not, nodes), st.builds(And, terms), st.builds(Or, terms))

    return st.recursive(_calls(syntax), branch, max_leaves=8)


@pytest.mark.parametrize("syntax", ["v3", "v2"])
@given(data=st.data())
def test_a_formatted_tree_parses_to_itself(syntax: str, data: st.DataObject) -> None:
    tree = data.draw(_trees(syntax))
    assert parse_rule(format_rule(tree), syntax) == tree


WORDS = 'Host path PathRegexp ClientIP Header Query ( ) `/a` "b" && || ! , ` " \\ é `(` // /* */'
PIECES = st.sampled_from([*WORDS.split(), " ", "\n"])


@given(st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join)), st.sampled_from("23"))
def test_any_text_compiles_or_is_refused_with_a_place(text: str, version: str) -> None:
    error = _refusal(text, f"v{version}")
    if error is not None:
        assert 1 <= error.column <= len(text) + 1
        assert error.message


def _refusal(text: str, syntax: str) -> RuleError | None:
    try:
        compile_rule(text, syntax)
    except RuleError as error:
        return error
    return None
