"""Blocking calls, one after the other, in one named thread.

The thread is a daemon: a call that hangs in an engine that does not answer
must not keep the process alive.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

JOIN_TIMEOUT = 5.0


class CallThread:
    """Started by its first call, ended by ``aclose``."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    async def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what ``function`` returns, or raise what it raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()

        def job() -> None:
            try:
                result = function(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - it is raised where it is awaited.
                _tell(loop, future, future.set_exception, error)
            else:
                _tell(loop, future, future.set_result, result)

        if self._thread.ident is None:
            self._thread.start()
        self._jobs.put(job)
        return await future

    async def aclose(self) -> None:
        """End the thread after the call it is in; one that hangs is left behind."""
        self._jobs.put(None)
        if self._thread.ident is not None:
            await asyncio.to_thread(self._thread.join, JOIN_TIMEOUT)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


def _tell(
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[R],
    setter: Callable[..., None],
    value: object,
) -> None:
    def tell() -> None:
        if not future.done():  # Its caller may have been cancelled.
            setter(value)

    if not loop.is_closed():
        loop.call_soon_threadsafe(tell)


async def finish(clean_up: Coroutine[Any, Any, None]) -> None:
    """Run a clean-up to its end, even when cancelled meanwhile."""
    task = asyncio.ensure_future(clean_up)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
