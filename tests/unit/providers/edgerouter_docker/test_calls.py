import asyncio
import threading

import pytest

from edgerouter_docker.calls import CallThread, finish


async def test_calls_return_and_raise() -> None:
    calls = CallThread("test-calls")
    try:
        assert await calls.call(divmod, 7, 2) == (3, 1)
        assert await calls.call(lambda: threading.current_thread().name) == "test-calls"
        with pytest.raises(ZeroDivisionError):
            await calls.call(divmod, 1, 0)
    finally:
        await calls.aclose()
    assert "test-calls" not in [thread.name for thread in threading.enumerate()]


async def test_unused_thread_closes() -> None:
    await CallThread("test-calls").aclose()


async def test_cancelled_caller_does_not_disturb_the_thread() -> None:
    calls = CallThread("test-calls")
    entered, leave = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def block() -> None:
        loop.call_soon_threadsafe(entered.set)
        leave.wait(5)

    task = asyncio.create_task(calls.call(block))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    leave.set()
    assert await calls.call(lambda: "next") == "next"
    await calls.aclose()


async def test_clean_up_finishes_and_cancellation_is_not_lost() -> None:
    started, go = asyncio.Event(), asyncio.Event()
    done: list[str] = []

    async def clean_up() -> None:
        started.set()
        await go.wait()
        done.append("done")

    task = asyncio.create_task(finish(clean_up()))
    await started.wait()
    task.cancel()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["done"]
