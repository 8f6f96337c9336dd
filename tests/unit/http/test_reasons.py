import pytest

from edgerouter.http.reasons import reason


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (200, "OK"),
        (413, "Request Entity Too Large"),
        (414, "Request URI Too Long"),
        (416, "Requested Range Not Satisfiable"),
        (418, "I'm a teapot"),
        (422, "Unprocessable Entity"),
        (499, ""),
    ],
)
def test_reasons_are_gos_with_every_python(status: int, words: str) -> None:
    assert reason(status) == words
