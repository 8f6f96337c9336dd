"""Reason phrases (RFC 9112, section 4): Go's words, which stand in Traefik's pages, too."""

from http import HTTPStatus

_GOS = {
    413: "Request Entity Too Large",
    414: "Request URI Too Long",
    416: "Requested Range Not Satisfiable",
    418: "I'm a teapot",
    422: "Unprocessable Entity",
}
"""Where Python has other words, or some of its versions have."""


def reason(status: int) -> str:
    """Return the reason phrase of ``status``, empty if it has none."""
    if status in _GOS:
        return _GOS[status]
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
