"""Templates as users write them, and what is said about wrong ones."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.gotemplate import Template, TemplateError

DATA: dict[str, Any] = {
    "Name": "shop_web",
    "ContainerName": "shop-1",
    "Labels": {"com.docker.compose.service": "api", "a": "x"},
    "L": [1, 2, "c"],
    "N": None,
    "F": 1.5,
    "M": {"k": 1},
}
FUNCTIONS = {"normalize": lambda text: text.replace("_", "-")}


def render(text: str) -> str:
    return Template.parse(text).render(DATA, FUNCTIONS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain } text {", "plain } text {"),
        ("Host(`{{ normalize .Name }}`)", "Host(`shop-web`)"),
        ("Host(`{{ .Name | trimSuffix `_web` }}.x`)", "Host(`shop.x`)"),
        ('{{ index .Labels "com.docker.compose.service" }}', "api"),
        ("{{ .Labels.a }}{{ .Labels.missing }}", "x<no value>"),
        ('{{ index .Labels "missing" }}|{{ index .M "missing" }}', "|<no value>"),
        ('{{ .Labels.missing | default "d" }}', "d"),
        # Trim markers and comments
        ("a \n {{- 1 -}} \n b", "a1b"),
        ("a {{/* no */}} b", "a  b"),
        ("a {{- /* no */ -}} b", "ab"),
        ("{{-3}}", "-3"),
        # Control
        ('{{ if eq .Name "shop_web" }}yes{{ else }}no{{ end }}', "yes"),
        ("{{ if .N }}1{{ else if .M }}2{{ else }}3{{ end }}", "2"),
        ("{{ if .N }}1{{ else if .N }}2{{ else }}3{{ end }}", "3"),
        ("{{ with .M }}{{ .k }}{{ end }}", "1"),
        ("{{ with .N }}1{{ else with .Name }}{{ . }}{{ end }}", "shop_web"),
        ("{{ with $x := .Name }}{{ $x }}{{ $.F }}{{ end }}", "shop_web1.5"),
        ("{{ range .L }}{{ . }},{{ end }}", "1,2,c,"),
        ("{{ range $i, $e := .L }}{{ $i }}={{ $e }} {{ end }}", "0=1 1=2 2=c "),
        ("{{ range $k, $v := .Labels }}{{ $k }}={{ $v }};{{ end }}", None),
        ("{{ range .N }}x{{ else }}none{{ end }}", "none"),
        ("{{ range 3 }}{{ . }}{{ end }}", "012"),
        ("{{ range until 5 }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ . }}{{ end }}", "0234"),
        ("{{ range until 5 }}{{ if eq . 2 }}{{ break }}{{ end }}{{ . }}{{ end }}", "01"),
        # Variables
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"),
        ("{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ end }}{{ $x }}", "1"),
        ("{{ $x := 0 }}{{ range .L }}{{ $x = add $x 1 }}{{ end }}{{ $x }}", "3"),
        # Templates
        ('{{ define "t" }}[{{ . }}]{{ end }}{{ template "t" .Name }}', "[shop_web]"),
        ('{{ template "t" }}{{ define "t" }}{{ . }}{{ end }}', "<no value>"),
        ('{{ block "b" 5 }}<{{ . }}>{{ end }}', "<5>"),
        # Literals
        ("""{{ `a\\b` }}{{ "a\\tb\\u00e9" }}{{ 'a' }}""", "a\\ba\tbé97"),
        ("{{ 0x10 }} {{ 010 }} {{ 1.50 }} {{ 1e6 }} {{ 123456789.5 }} {{ -2 }}", None),
        ('{{ "}}" }}', "}}"),
        # Printing
        ("{{ true }} {{ .L }} {{ .M }} {{ .F }} {{ .N }}", "true [1 2 c] map[k:1] 1.5 <no value>"),
        ('{{ print 1 2 "a" 3 }}', "1 2a3"),
        ('{{ printf "%s-%05d|%q|%v|%t|%.2f|%x|%%|%5s|%-3s|" "a" 42 "b" .L true 1.0 "hi" "c" "d" }}',
         'a-00042|"b"|[1 2 c]|true|1.00|6869|%|    c|d  |'),
        ('{{ printf "%d %s" "x" }}', "%!d(string=x) %!s(MISSING)"),
        ('{{ printf "%d" 1 2 }}', "1%!(EXTRA int=2)"),
        # Logic
        ('{{ and 1 0 2 }}{{ or 0 "" 3 }}{{ not 1 }}', "03false"),
        ("{{ or true (index .L 99) }}", "true"),
        ("{{ eq 1 2 1 }}{{ ne 1 2 }}{{ lt 1 2 }}{{ le 2 2 }}{{ gt 1 2 }}{{ ge 2 2 }}", None),
        ("{{ len .L }}{{ len .Name }}{{ len `é` }}", "382"),
        ("{{ slice .Name 1 3 }}{{ slice .L 1 }}", "ho[2 c]"),
    ],
)  # fmt: skip
def test_render(text: str, expected: str | None) -> None:
    special = {
        "{{ range $k, $v := .Labels }}{{ $k }}={{ $v }};{{ end }}": (
            "a=x;com.docker.compose.service=api;"
        ),
        "{{ 0x10 }} {{ 010 }} {{ 1.50 }} {{ 1e6 }} {{ 123456789.5 }} {{ -2 }}": (
            "16 8 1.5 1e+06 1.234567895e+08 -2"
        ),
        "{{ eq 1 2 1 }}{{ ne 1 2 }}{{ lt 1 2 }}{{ le 2 2 }}{{ gt 1 2 }}{{ ge 2 2 }}": (
            "truetruetruetruefalsetrue"
        ),
    }
    assert render(text) == (special[text] if expected is None else expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('trimPrefix "shop" .Name', "_web"),
        ('replace "_" "." .Name', "shop.web"),
        ('lower "ABC" | upper', "ABC"),
        ('(split "-" .ContainerName)._1', "1"),
        ('splitList "-" .ContainerName | join "+"', "shop+1"),
        ('splitList "-" .ContainerName | first', "shop"),
        ('splitList "-" .ContainerName | last', "1"),
        ('contains "ho" .Name', "true"),
        ('hasPrefix "shop" .Name', "true"),
        ('hasSuffix "shop" .Name', "false"),
        ('quote 1 "a\\"b"', '"1" "a\\"b"'),
        ('squote "a"', "'a'"),
        ('trim "  a "', "a"),
        ('trimAll "-" "--a-"', "a"),
        ('regexReplaceAll "(s)(h)" .Name "${2}$1-$3$1x"', "hs-op_web"),
        ('regexMatch "^shop" .Name', "true"),
        ('regexFind "[0-9]+" .ContainerName', "1"),
        ('regexSplit "-" "a-b-c" -1', "[a b c]"),
        ('regexSplit "-" "a-b-c" 2', "[a b-c]"),
        ('ternary "a" "b" true', "a"),
        ('coalesce "" 0 .N "x"', "x"),
        ("empty .N", "true"),
        ('list 1 "a" | toJson', '[1,"a"]'),
        ('dict "a" 1 "b" (list) | toJson', '{"a":1,"b":[]}'),
        ('toJson "<a>"', '"\\u003ca\\u003e"'),
        ("(fromJson `{\"a\": [1]}`).a", "[1]"),
        ('sha256sum "a" | trunc 8', "ca978112"),
        ('b64enc "hi" | b64dec', "hi"),
        ('title "hello world"', "Hello World"),
        ("add 1 2 3", "6"),
        ("sub 5 7", "-2"),
        ("mul 2 3 4", "24"),
        ("div -7 2", "-3"),
        ("mod -7 2", "-1"),
        ("add 9223372036854775807 1", "-9223372036854775808"),
        ('add "2" 1.9', "3"),
        ("max 1 3 2", "3"),
        ("until 3", "[0 1 2]"),
        ("untilStep 6 0 -2", "[6 4 2]"),
        ('has "c" .L', "true"),
        ("uniq (list 1 2 1 1.0)", "[1 2 1]"),
        ("without (list 1 2 3) 2", "[1 3]"),
        ("append (list 1) 2", "[1 2]"),
        ("rest (list 1 2 3)", "[2 3]"),
        ("reverse (list 1 2 3)", "[3 2 1]"),
        ('get (set (dict "a" 1) "b" 2) "b"', "2"),
        ('hasKey .Labels "a"', "true"),
        ("keys .Labels | sortAlpha", "[a com.docker.compose.service]"),
        ('dig "a" "b" "none" (dict "a" (dict "b" 1))', "1"),
        ('snakecase "FooBar"', "foo_bar"),
        ('kebabcase "FooBar"', "foo-bar"),
        ('camelcase "foo_bar"', "fooBar"),
        ('list 1.0 2.5 "1.0" | toJson', '[1,2.5,"1.0"]'),
        ('substr 0 4 .Name', "shop"),
        ('abbrev 5 "abcdefgh"', "ab..."),
        ('repeat 3 "a"', "aaa"),
        ('cat "a" 1 .N "b"', "a 1 b"),
        ('indent 2 "a"', "  a"),
        ('nospace " a b "', "ab"),
        ('toString 1 | atoi', "1"),
        ('int "0x1f"', "31"),
        ("kindOf .M", "map"),
        ('base "/a/b.txt"', "b.txt"),
        ('ext "/a/b.txt"', ".txt"),
        ('urlquery "a b&c"', "a+b%26c"),
        ('html "<a>"', "&lt;a&gt;"),
    ],
)  # fmt: skip
def test_functions(expression: str, expected: str) -> None:
    assert render("{{ " + expression + " }}") == expected


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_DOMAIN", "example.com")
    assert render('{{ env "EDGE_DOMAIN" }} {{ expandenv "x.$EDGE_DOMAIN" }}') == (
        "example.com x.example.com"
    )
    assert render('{{ env "EDGE_NOT_SET" }}') == ""


@pytest.mark.parametrize(
    ("text", "line", "column", "part"),
    [
        ("{{ .Nmae }}", 1, 4, "did you mean Name?"),
        ("a\nb {{ nomalize .Name }}", 2, 6, "did you mean normalize?"),
        ("{{ if }}", 1, 7, "a value is missing"),
        ("x {{ .Name", 1, 3, "it ends with }}"),
        ("{{/* x", 1, 1, "it ends with */}}"),
        ("{{ end }}", 1, 1, "unexpected {{end}}"),
        ("{{ else }}", 1, 1, "unexpected {{else}}"),
        ("{{ if true }}x", 1, 1, "has no {{end}}"),
        ("{{ if 1 }}{{ else }}{{ else }}{{ end }}", 1, 21, "a second {{else}}"),
        ('{{ define "x" }}', 1, 1, "has no {{end}}"),
        ('{{ if 1 }}{{ define "x" }}{{ end }}{{ end }}', 1, 11, "must not stand inside"),
        ("{{ break }}", 1, 1, "outside {{range}}"),
        ("{{ $x }}", 1, 4, "declare it with :="),
        ("{{ $x = 1 }}", 1, 4, "declare it with :="),
        ("{{ if 1 }}{{ $x := 1 }}{{ end }}{{ $x }}", 1, 36, "undefined variable"),
        ("{{ 1 | 2 }}", 1, 8, "a constant cannot be piped into"),
        ("{{ .Name | .Labels }}", 1, 12, "only a function takes arguments"),
        ('{{ "a }}', 1, 4, "is not closed"),
        ("{{ (1 }}", 1, 4, "the parenthesis is not closed"),
        ("{{ .Name! }}", 1, 9, "unexpected '!'"),
        ("{{ .Name.x }}", 1, 4, "string has no field .x"),
        ("{{ .Name.__class__ }}", 1, 4, "string has no field"),
        ("{{ .N.x }}", 1, 4, "missing value"),
        ("{{ upper .N }}", 1, 4, "put a default before it"),
        ("{{ trim 5 }}", 1, 4, "a string is expected, not int 5"),
        ('{{ trim "a" "b" }}', 1, 4, "wrong arguments"),
        ('{{ eq 1 "a" }}', 1, 4, "cannot be compared"),
        ("{{ eq .L .L }}", 1, 4, "cannot be compared"),
        ("{{ index .L 7 }}", 1, 4, "out of range"),
        ("{{ div 1 0 }}", 1, 4, "division by zero"),
        ('{{ regexMatch "(" "a" }}', 1, 4, "bad regular expression"),
        ('{{ template "nope" }}', 1, 1, "there is no template 'nope'"),
        ('{{ fail "because" }}', 1, 4, "because"),
        ('{{ set .Labels "a" "b" }}', 1, 4, "only a map made with dict"),
        ("{{ range .Name }}{{ end }}", 1, 10, "range cannot go over string"),
        (r'{{ "\q" }}', 1, 5, "no escape Go knows"),
        ('{{ b64dec "*" }}', 1, 4, "not base64"),
        ('{{ fromJson "{" }}', 1, 4, "fromJson"),
    ],
)
def test_errors_name_the_place_and_the_remedy(text: str, line: int, column: int, part: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert part in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        '{{ repeat 1000000000 "x" }}',
        "{{ untilStep 0 1000000000 1 }}",
        "{{ until 9223372036854775807 }}",
        "{{ range 1000000000 }}{{ end }}",
        '{{ range 20000 }}{{ repeat 1000 "x" }}{{ end }}',
        "{{ range until 1000 }}{{ range until 1000 }}{{ end }}{{ end }}",
        '{{ define "r" }}{{ template "r" }}{{ end }}{{ template "r" }}',
        '{{ $x := "aaaaaaaa" }}{{ range 30 }}{{ $x = replace "a" $x $x }}{{ end }}',
        "{{ $x := list 1 }}{{ range 40 }}{{ $x = list $x $x }}{{ end }}{{ $x }}",
        "{{ $x := list 1 }}{{ range 40 }}{{ $x = list $x $x }}{{ end }}{{ toJson $x }}",
        "{{ $x := list 1 }}{{ range 40 }}{{ $x = list $x $x }}{{ end }}{{ has $x (list $x) }}",
        "{{ $x := list 1 }}{{ range 40 }}{{ $x = concat $x $x }}{{ end }}",
        '{{ $d := dict }}{{ $_ := set $d "a" $d }}{{ $d }}',
        '{{ $d := dict }}{{ $_ := set $d "a" $d }}{{ toJson $d }}',
        '{{ printf "%1000000000d" 1 }}',
        '{{ $x := repeat 1000000 "a" }}{{ regexReplaceAll "a" $x "aaaa" }}',
        '{{ $x := repeat 1000000 "a" }}{{ print $x $x }}',
        '{{ $x := repeat 1000000 "a" }}{{ join $x (list 1 2 3) }}',
        "{{" + "(" * 1000 + "1" + ")" * 1000 + "}}",
        "{{ if 1 }}" * 1000 + "{{ end }}" * 1000,
        "{{ $x := list 1 }}{{ range 2000 }}{{ $x = list $x }}{{ end }}{{ $x }}",
    ],
)
def test_work_and_output_are_bounded(text: str) -> None:
    with pytest.raises(TemplateError):
        render(text)


def test_python_objects_stay_outside() -> None:
    with pytest.raises(TemplateError, match="cannot be used in a template"):
        Template.parse("{{ .X.y }}").render({"X": object()})
    with pytest.raises(TemplateError, match="cannot be used in a template"):
        Template.parse("{{ f }}").render({}, {"f": object})


def test_the_data_is_not_changed() -> None:
    labels = {"a": "b"}
    Template.parse('{{ merge (dict "x" 1) .Labels }}{{ omit .Labels "a" }}').render(
        {"Labels": labels}
    )
    assert labels == {"a": "b"}


@given(st.text(alphabet='{}- .$x"`(|)=:1if range end else with Name define /*\n', max_size=60))
def test_any_text_renders_or_is_refused(text: str) -> None:
    error = refusal(text)
    if error is not None:
        assert 1 <= error.line <= text.count("\n") + 1
        assert error.column >= 1


def refusal(text: str) -> TemplateError | None:
    try:
        render(text)
    except TemplateError as error:
        return error
    return None


@given(st.text())
def test_text_without_braces_is_copied(text: str) -> None:
    if "{{" not in text:
        assert render(text) == text
