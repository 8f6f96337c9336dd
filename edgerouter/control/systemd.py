"""Tell the service manager how far we are (``sd_notify(3)``)."""

import os
import socket


def notify(state: str) -> None:
    """Send ``state`` (``READY=1``, ``STOPPING=1``, ``RELOADING=1``) if somebody listens."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    if path.startswith("@"):
        path = "\0" + path[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        try:
            end.sendto(state.encode(), path)
        except OSError:
            # The manager has gone or is another's: serving does not depend on it.
            return
