"""Orders to the running router, over its private socket."""

import json
import os
import socket
import stat
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from edgerouter.control.directory import CONTROL_SOCKET

PLACES = (tempfile.gettempdir(), "/dev/shm")  # noqa: S108 - only private directories count.
"""Where routers make the directories of their sockets."""


class Unanswered(Exception):
    """The router does not answer, or answers with an error; the message says which."""


def find_socket(options: Sequence[str], environ: Mapping[str, str]) -> Path:
    """Return the socket of the running router: of the option, else the only one of this user.

    Raises:
        Unanswered: The options are wrong, or it is not clear which router is meant.
    """
    from edgerouter.config.loader import (  # noqa: PLC0415 - loads every model.
        StaticConfigurationError,
        load_static,
    )

    try:
        wanted = load_static(options, environ).configuration.edgerouter.runtime_dir
    except StaticConfigurationError as error:
        raise Unanswered(f"wrong configuration: {error}") from error
    if wanted:
        return Path(wanted) / CONTROL_SOCKET
    return only_socket()


def only_socket() -> Path:
    """Return the socket of the only running router of this user, if it has a directory of its own.

    Raises:
        Unanswered: There is none, or there are several.
    """
    parents = {Path(place) for place in PLACES}
    pattern = f"edgerouter-*/{CONTROL_SOCKET}"
    found = sorted(path for parent in parents for path in parent.glob(pattern))
    ours = [path for path in found if _is_ours(path.parent) and _answers(path)]
    if len(ours) == 1:
        return ours[0]
    what = "several routers run" if ours else "no running router of this user was found"
    raise Unanswered(f"{what}; set --edgerouter.runtimeDir as the router has it")


def _is_ours(directory: Path) -> bool:
    """Tell whether nobody else has made a directory, or can put anything into it."""
    try:
        facts = directory.lstat()
    except OSError:
        return False
    is_private = stat.S_ISDIR(facts.st_mode) and not facts.st_mode & 0o022
    return is_private and facts.st_uid == os.geteuid()


def _answers(path: Path) -> bool:
    """Tell whether somebody listens: killed routers leave their sockets behind."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(5)
        with suppress(OSError):
            connection.connect(str(path))
            return True
    return False


def ask(path: Path, request: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    """Give one order and return the answer; ``timeout`` in seconds.

    Raises:
        Unanswered: The router does not answer, or cannot carry it out.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with connection:
            connection.settimeout(timeout)
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as stream:
                answer: dict[str, Any] = json.loads(stream.readline())
    except (OSError, ValueError) as error:
        raise Unanswered(f"the router does not answer at {path}: {error}") from error
    if "error" in answer:
        raise Unanswered(answer["error"])
    return answer
