"""``edgerouter drain``: containers get no new request; those under way finish."""

import sys
from collections.abc import Mapping, Sequence

from edgerouter.cli.orders import Unanswered, ask, find_socket
from edgerouter.config.types import parse_duration

NAME = "drain"
SUMMARY = "Gives containers no new request and waits until those under way are over."
USAGE = "edgerouter drain CONTAINER... [--timeout=30s] [--edgerouter.runtimeDir=DIRECTORY]"

TIMEOUT = 30.0
"""Seconds for requests under way."""
MARGIN = 10.0
"""Seconds for the router's answer itself."""


def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Drain; 1 with the reasons when something is still under way or the router refuses."""
    names = [word for word in argv if not word.startswith("-")]
    times = [word.partition("=")[2] for word in argv if word.startswith("--timeout=")]
    options = [w for w in argv if w.startswith("-") and not w.startswith("--timeout=")]
    if not names:
        sys.stderr.write(f"edgerouter drain: usage: {USAGE}\n")
        return 2
    try:
        timeout = parse_duration(times[-1]) if times else TIMEOUT
        path = find_socket(options, environ)
        order = {"command": "drain", "names": names, "timeout": timeout}
        answer = ask(path, order, timeout + MARGIN)
    except (Unanswered, ValueError) as error:
        sys.stderr.write(f"edgerouter drain: {error}\n")
        return 1
    status = 0
    for each in answer["containers"]:
        container = each["container"]
        reason = each.get("error")
        if reason is None and each["left"]:
            reason = (
                f"it gets no new requests, but {each['left']} are still under way"
                f" after {timeout:g} s"
            )
        if reason is None:
            sys.stdout.write(f"{container}: drained, nothing is under way\n")
        else:
            sys.stderr.write(f"edgerouter drain: {container}: {reason}\n")
            status = 1
    return status
