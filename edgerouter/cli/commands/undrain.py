"""``edgerouter undrain``: a drained container gets requests again."""

import sys
from collections.abc import Mapping, Sequence

from edgerouter.cli.orders import Unanswered, ask, find_socket

NAME = "undrain"
SUMMARY = "Gives a drained container requests again."
USAGE = "edgerouter undrain CONTAINER [--edgerouter.runtimeDir=DIRECTORY]"

TIMEOUT = 10.0
"""Seconds for the router's answer."""


def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Undrain; 1 with the reason when the router refuses."""
    names = [word for word in argv if not word.startswith("-")]
    if len(names) != 1:
        sys.stderr.write(f"edgerouter undrain: usage: {USAGE}\n")
        return 2
    try:
        path = find_socket([word for word in argv if word.startswith("-")], environ)
        answer = ask(path, {"command": "undrain", "name": names[0]}, TIMEOUT)
    except Unanswered as error:
        sys.stderr.write(f"edgerouter undrain: {error}\n")
        return 1
    sys.stdout.write(f"{answer['container']}: gets requests again\n")
    return 0
