"""Containers that were told to end and go on answering.

Many programs do not heed the stop signal, above all those that are process 1 of their container:
the engine kills them after the stop time-out, ten seconds. A service whose only container is one
of these would have no server for all that time. So who still answers after a moment gets requests
again, where nobody else can. An open port says nothing: a server that finishes its work may leave
new connections waiting in a queue that it does not serve any more.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Collection, Iterable
from urllib.parse import urlsplit

from edgerouter_docker.fence import KILL_MARGIN
from edgerouter_docker.inventory import Container

PAUSE = 1.0
"""Seconds that a container has to stop answering."""
ATTEMPT = 1.0
"""Seconds for an answer."""

log = logging.getLogger(__name__)


class Unheeding:
    """Those of one provider; ``changed`` is called with the id when one has come or is over."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._found: dict[str, str] = {}
        """When they had started, by id."""

    def told(self, container: Container, urls: Collection[str]) -> None:
        """Have a look whether a container that was told to end does so."""
        self.forget(container.id)
        if urls:
            self._tasks[container.id] = asyncio.create_task(
                self._look(container, urls), name=f"the end of {container.name}"
            )

    def forget(self, container_id: str) -> None:
        """Look no more: it has ended, or is about to without being asked."""
        self._found.pop(container_id, None)
        task = self._tasks.pop(container_id, None)
        if task is not None:
            task.cancel()

    def includes(self, container: Container) -> bool:
        """Tell whether a container is one of these."""
        return self._found.get(container.id) == container.started_at

    async def close(self) -> None:
        """Stop looking."""
        tasks = list(self._tasks.values())
        for container_id in list(self._tasks):
            self.forget(container_id)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, container: Container, urls: Iterable[str]) -> None:
        await asyncio.sleep(PAUSE)
        if all(await asyncio.gather(*map(answers, urls))):
            log.info(
                "The container %s was told to end and goes on answering:"
                " it gets requests where no other server can be asked.",
                container.name,
            )
            self._found[container.id] = container.started_at
            self._changed(container.id)
            await asyncio.sleep(container.stop_timeout + KILL_MARGIN)
        del self._tasks[container.id]  # What lives on for so long was not told to end.
        if self._found.pop(container.id, None) is not None:
            self._changed(container.id)


async def answers(url: str) -> bool:
    """Tell whether the server answers a request now, and does not say that it cannot."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return False
        context = _unverified() if parts.scheme == "https" else None
        async with asyncio.timeout(ATTEMPT):
            reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=context)
            try:
                host = parts.netloc.rpartition("@")[2]
                head = f"HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
                writer.write(head.encode())
                answer = await reader.readexactly(len("HTTP/1.1 200"))
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
        return False
    return answer.startswith(b"HTTP/1.") and answer[9:10] in b"1234"


def _unverified() -> ssl.SSLContext:
    """Return what is enough to learn whether there is an answer, whose ever it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
