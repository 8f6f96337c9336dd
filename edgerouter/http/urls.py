"""What is done to URLs in more than one place."""

import re

# Up to the last @ of the authority; further where its port is none: then it is the beginning of a
# password with a slash in it.
_CREDENTIALS = re.compile(
    r"^((?:[^/?#@]*//)?)(?:[^/?#]*@|[^/?#@:\[]*:(?![0-9]*(?:[/?#]|$)).*@)", re.DOTALL
).sub


def without_credentials(url: str, shown: str = "") -> str:
    """Return ``url`` without user and password, for logs and headers; ``shown`` stands for them."""
    return _CREDENTIALS(lambda found: found[1] + shown, url, 1) if "@" in url else url
