"""Tell the service manager how far we are and that we live (``sd_notify(3)``)."""

import asyncio
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


def watchdog_interval() -> float | None:
    """Return the seconds between signs of life, half of ``WatchdogSec``; None when not wanted."""
    wanted = os.environ.get("WATCHDOG_USEC", "")
    ours = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(wanted) / 2_000_000 if wanted.isdigit() and int(wanted) and ours else None


async def feed_watchdog() -> None:
    """Give signs of life until cancelled, if the manager wants them."""
    interval = watchdog_interval()
    while interval is not None:
        notify("WATCHDOG=1")
        await asyncio.sleep(interval)
