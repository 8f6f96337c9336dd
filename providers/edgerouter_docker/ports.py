"""Whether the port of a container that has just started answers.

A container without a health check counts as ready when something listens: the
first attempt is made at once, further ones after short pauses. One that is silent for
too long is taken all the same, with a warning.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from urllib.parse import urlsplit

from edgerouter_docker.inventory import Container

FIRST_STEP = 0.005
"""Seconds between the first two attempts; the pauses double."""
STEP = 0.05
"""Longest pause between two attempts."""
ATTEMPT = 1.0
"""Seconds for one attempt."""
FIRST = 0.02
"""Seconds for which a change waits for the first attempts, so that it need not be made twice."""
UNSEEN = 0.5
"""Seconds for which a container whose port does not answer yet is as if it were not there."""
OTHERS = 1.0
"""Seconds the other ports of a container have once one has answered."""
AT_ONCE = 64
"""Attempts under way at the same time."""

_Life = tuple[str, str]
"""The container's id and when it started."""


class Ports:
    """All waits of one provider; ``changed`` is called when one is over or has become visible."""

    def __init__(self, limit: float, changed: Callable[[], None]) -> None:
        self._limit = limit
        self._changed = changed
        self._settled: dict[str, str] = {}
        """Containers that need no wait (any more), with the time they started."""
        self._waiting: dict[_Life, asyncio.Task[None]] = {}
        self._seen: set[_Life] = set()
        self._silent: dict[_Life, str] = {}
        self._attempts = asyncio.Semaphore(AT_ONCE)

    def trust(self, containers: Iterable[Container]) -> None:
        """Take these as they are: they ran before the router did."""
        self._settled.update({c.id: c.started_at for c in containers if c.is_running})

    def wants(self, container: Container) -> bool:
        """Tell whether the container has started and nobody has looked at its ports."""
        return (
            self._limit > 0
            and container.is_running
            and not container.health
            and self._settled.get(container.id) != container.started_at
            and _life(container) not in self._waiting
        )

    def await_(self, container: Container, urls: Iterable[str]) -> None:
        """Begin to look at the ports of a container."""
        ports = {(parts.hostname, parts.port) for parts in map(urlsplit, urls)}
        found = {(host, port) for host, port in ports if host and port}
        if not found:
            self._settled[container.id] = container.started_at
            return
        work = self._wait(container, found)
        name = f"ports of {container.name}"
        self._waiting[_life(container)] = asyncio.create_task(work, name=name)

    async def first_answers(self) -> None:
        """Give attempts that have just begun a moment."""
        new = [task for life, task in self._waiting.items() if life not in self._seen]
        if new:
            await asyncio.wait(new, timeout=FIRST)

    def is_waiting(self, container: Container) -> bool:
        return _life(container) in self._waiting

    def is_unseen(self, container: Container) -> bool:
        """Tell whether it waits, and only just does."""
        life = _life(container)
        return life in self._waiting and life not in self._seen

    def silence(self, container: Container) -> str:
        """Return what to warn of: where nothing listened when the time was over."""
        return self._silent.get(_life(container), "")

    def keep_only(self, containers: Iterable[Container]) -> None:
        """Forget containers that have gone or started again."""
        lives = {_life(container) for container in containers if container.is_running}
        for life, task in list(self._waiting.items()):
            if life not in lives:
                task.cancel()
                del self._waiting[life]
        self._settled = {i: at for i, at in self._settled.items() if (i, at) in lives}
        self._seen &= lives
        self._silent = {life: text for life, text in self._silent.items() if life in lives}

    async def close(self) -> None:
        """Stop looking."""
        tasks = list(self._waiting.values())
        self._waiting.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _wait(self, container: Container, ports: set[tuple[str, int]]) -> None:
        life = _life(container)
        loop = asyncio.get_running_loop()
        showing = loop.call_later(UNSEEN, self._show, life)
        probes = [asyncio.create_task(self._answers(*port)) for port in sorted(ports)]
        try:
            done, silent = await asyncio.wait(
                probes, timeout=self._limit, return_when=asyncio.FIRST_COMPLETED
            )
            if done and silent:
                await asyncio.wait(silent, timeout=OTHERS)
            names = [
                f"{h}:{p}" for (h, p), t in zip(sorted(ports), probes, strict=True) if not t.done()
            ]
        finally:
            showing.cancel()
            for probe in probes:
                probe.cancel()
        if names:
            self._silent[life] = ", ".join(names)
        self._settled[container.id] = container.started_at
        if self._waiting.pop(life, None) is not None:
            self._changed()

    def _show(self, life: _Life) -> None:
        self._seen.add(life)
        self._changed()

    async def _answers(self, host: str, port: int) -> None:
        """Return once something listens."""
        pause = FIRST_STEP
        while True:
            async with self._attempts:
                with suppress(OSError, TimeoutError):
                    async with asyncio.timeout(ATTEMPT):
                        _, writer = await asyncio.open_connection(host, port)
                    writer.close()
                    return
            await asyncio.sleep(pause)
            pause = min(2 * pause, STEP)


def _life(container: Container) -> _Life:
    return container.id, container.started_at
