"""Signals before the control plane has its loop: while modules load and sockets are opened.

Without this, SIGTERM would end the process without clean-up, SIGHUP and SIGUSR1 would end
it altogether, and as process 1 of a container it would ignore SIGTERM.
"""

import signal


def obey_early() -> None:
    """Let orders to stop end the start at once and cleanly; there is nothing else to obey yet."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    for number in (signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)


def _stop(_number: int, _frame: object) -> None:
    raise SystemExit(0)
