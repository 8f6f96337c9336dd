"""``edgerouter undrain``: drained containers get requests again."""

import sys
from collections.abc import Mapping, Sequence

from edgerouter.cli.orders import Unanswered, ask, find_socket

NAME = "undrain"
SUMMARY = "Gives drained containers requests again."
USAGE = "edgerouter undrain CONTAINER... [--edgerouter.runtimeDir=DIRECTORY]"

TIMEOUT = 10.0
"""Seconds for the router's answer."""


def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Undrain; 1 with the reasons when the router refuses."""
    names = [word for word in argv if not word.startswith("-")]
    if not names:
        sys.stderr.write(f"edgerouter undrain: usage: {USAGE}\n")
        return 2
    try:
        path = find_socket([word for word in argv if word.startswith("-")], environ)
        answer = ask(path, {"command": "undrain", "names": names}, TIMEOUT)
    except Unanswered as error:
        sys.stderr.write(f"edgerouter undrain: {error}\n")
        return 1
    status = 0
    for each in answer["containers"]:
        if "error" in each:
            sys.stderr.write(f"edgerouter undrain: {each['container']}: {each['error']}\n")
            status = 1
        else:
            sys.stdout.write(f"{each['container']}: gets requests again\n")
    return status
