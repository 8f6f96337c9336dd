"""Orders to the running router, over its private socket."""

import json
import socket
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class Unanswered(Exception):
    """The router does not answer, or answers with an error; the message says which."""


def find_socket(options: Sequence[str], environ: Mapping[str, str]) -> Path:
    """Return the socket of the running router: of the option, else the only one there is.

    Raises:
        Unanswered: The options are wrong, or it is not clear which router is meant.
    """
    from edgerouter.config.loader import (  # noqa: PLC0415 - loads every model.
        StaticConfigurationError,
        load_static,
    )
    from edgerouter.control.certificates.commands import SOCKET  # noqa: PLC0415 - see above.

    try:
        wanted = load_static(options, environ).configuration.edgerouter.runtime_dir
    except StaticConfigurationError as error:
        raise Unanswered(f"wrong configuration: {error}") from error
    if wanted:
        return Path(wanted) / SOCKET
    parents = {Path(tempfile.gettempdir()), Path("/dev/shm")}  # noqa: S108 - the router's places.
    found = sorted(path for parent in parents for path in parent.glob(f"edgerouter-*/{SOCKET}"))
    if len(found) == 1:
        return found[0]
    what = "no running router was found" if not found else "several routers run"
    raise Unanswered(f"{what}; set --edgerouter.runtimeDir as the router has it")


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
