"""Signals before the control plane has its loop: while modules load and sockets are opened.

Without this, SIGTERM would end the process without clean-up, SIGHUP and SIGUSR1 would end
it altogether, and as process 1 of a container it would ignore SIGTERM.
"""

import signal

_orders: list[signal.Signals] = []


def obey_early() -> None:
    """Note orders to stop from now on; who starts asks for them with :func:`early_order`.

    The first one raises nothing: an exception in the middle of anything may be taken for a
    failure of it, as pydantic does while it builds a model. A second one ends a start that hangs.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _note)
    for number in (signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)


def early_order() -> str:
    """Return the name of the signal that has ordered to stop; empty: none has."""
    return _orders[0].name if _orders else ""


def _note(number: int, _frame: object) -> None:
    if _orders:
        raise SystemExit(0)
    _orders.append(signal.Signals(number))
