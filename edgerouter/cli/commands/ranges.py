"""``edgerouter ranges``: fetches the networks of a proxy provider, for ``realIp``.

The list goes to standard output, one network per line, and only if all of it
is sound: a redirected file never holds half a list.
"""

import json
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from ipaddress import ip_network

NAME = "ranges"
SUMMARY = "Fetches the networks of cloudflare or fastly, for the middleware realIp."
USAGE = "edgerouter ranges cloudflare|fastly [url]..."

TIMEOUT = 20.0
"""Seconds to connect, and between two reads."""
LONGEST = 1 << 20
"""Bytes of one list."""


def run(argv: Sequence[str], _environ: Mapping[str, str]) -> int:
    """Return 0 when the list was printed, 1 when it cannot be had, 2 for wrong use."""
    from edgerouter.middleware.proxy_ranges import shipped  # noqa: PLC0415 - for this command.

    known = {name: entry["urls"] for name, entry in shipped().items() if entry["urls"]}
    if not argv or argv[0] not in known:
        sys.stderr.write(f"Usage: {USAGE}\n")
        return 2
    urls = argv[1:] or known[argv[0]]
    try:
        found = [network for url in urls for network in networks_in(_fetch(url))]
    except (OSError, ValueError) as error:
        sys.stderr.write(f"edgerouter ranges: {error}\n")
        return 1
    if not found:
        sys.stderr.write(f"edgerouter ranges: {', '.join(urls)}: the list is empty\n")
        return 1
    sys.stdout.write("".join(f"{network}\n" for network in found))
    return 0


def _fetch(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"{url!r} is not http:// or https://")
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:  # noqa: S310 - checked above.
        data: bytes = answer.read(LONGEST)
    return data.decode()


def networks_in(text: str) -> list[str]:
    """Return the networks of a list: one per line, or a JSON object with lists of them.

    Raises:
        ValueError: An entry is no network.
    """
    entries = text.split()
    if text.lstrip().startswith("{"):
        lists = [value for value in json.loads(text).values() if isinstance(value, list)]
        entries = [str(entry) for each in lists for entry in each]
    return [str(ip_network(entry)) for entry in entries]
