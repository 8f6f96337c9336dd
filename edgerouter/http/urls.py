"""What is done to URLs in more than one place."""

import re

_CREDENTIALS = re.compile("//[^/@]*@").sub


def without_credentials(url: str) -> str:
    """Return ``url`` without user and password, for logs and headers."""
    return _CREDENTIALS("//", url, 1) if "@" in url else url
