"""How often Python looks for objects that nobody but themselves refers to."""

import gc

NEW_OBJECTS = 20_000


def relax_collector() -> None:
    """Collect seldom: neither requests nor changes of the configuration leave cycles behind.

    With Python's default of 700 new objects the collector would run every dozen requests, and
    half of the time of reading thousands of routers would be its.
    """
    gc.set_threshold(NEW_OBJECTS, 20, 20)
