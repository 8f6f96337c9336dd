"""``python -m edgerouter.worker --channel FD``: started by the control plane only."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import Any

import uvloop

from edgerouter.collector import relax_collector


def load() -> Callable[[int], Coroutine[Any, Any, None]]:
    """Import the worker, and of aiohttp the parsers alone; return what serves.

    The ``__init__`` of aiohttp imports its client with all that belongs to it: 5 MB and a large
    part of a worker's start, for nothing. An empty package in its place leaves the way to its
    modules open.
    """
    spec = find_spec("aiohttp")
    if spec is None:
        raise ModuleNotFoundError("aiohttp is not installed", name="aiohttp")
    sys.modules.setdefault("aiohttp", module_from_spec(spec))
    serve: Callable[[int], Coroutine[Any, Any, None]]
    serve = import_module("edgerouter.worker.main").serve
    return serve


def main() -> None:
    """Serve until the control plane says to stop."""
    # To stop is the control plane's affair: it says so over the channel. A worker that drained by
    # itself would leave its share of new connections waiting.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    relax_collector()
    serve = load()
    descriptor = int(sys.argv[sys.argv.index("--channel") + 1])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(descriptor))


if __name__ == "__main__":
    main()
