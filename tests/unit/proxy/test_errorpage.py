import pytest

from edgerouter.proxy.errorpage import error_response, reason


@pytest.mark.parametrize(
    ("status", "phrase"),
    [(404, "Not Found"), (502, "Bad Gateway"), (499, "Client Closed Request"), (599, "")],
)
def test_reason(status: int, phrase: str) -> None:
    assert reason(status) == phrase


def test_without_text_the_reason_is_the_page() -> None:
    response = error_response(502)
    assert (response.status, response.body.ready()) == (502, b"Bad Gateway")
    assert [name for name, _ in response.headers] == [b"Date"]


def test_a_text_says_what_it_is() -> None:
    response = error_response(404, "404 page not found\n")
    assert response.body.ready() == b"404 page not found\n"
    assert response.headers.first(b"content-type") == b"text/plain; charset=utf-8"
    assert response.headers.first(b"x-content-type-options") == b"nosniff"


def test_responses_share_no_headers() -> None:
    error_response(404, "a").headers.append((b"X", b"1"))
    assert not error_response(404, "a").headers.has(b"x")
