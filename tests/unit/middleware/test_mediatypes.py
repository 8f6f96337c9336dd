"""Media types."""

import pytest

from edgerouter.middleware.mediatypes import MediaTypeError, media_type


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("text/html", "text/html"),
        (" Text/HTML ; charset=utf-8", "text/html"),
        ("application/vnd.api+json;a=b", "application/vnd.api+json"),
        ("text", "text"),
    ],
)
def test_types(text: str, expected: str) -> None:
    assert media_type(text) == expected


@pytest.mark.parametrize("text", ["", "text html", "text/", "/x", "a/b/c", "text/html, x"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(MediaTypeError, match="is not a media type"):
        media_type(text)
