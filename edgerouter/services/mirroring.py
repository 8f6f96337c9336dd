"""``mirroring``: one service answers, copies of some requests go to others as well.

Mirrors never delay nor fail the client: they are asked when the answer's head
has come, their answers are read and dropped.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edgerouter.http.body import FixedBody
from edgerouter.http.errors import ExchangeError
from edgerouter.http.message import Exchange, Request, Response
from edgerouter.http.replay import buffered
from edgerouter.services.child import Child

MAX_COPIES = 512
"""Copies under way per service and worker; beyond that requests are not mirrored."""

_log = logging.getLogger(__name__)


class Mirror:
    """A service that gets ``percent`` of all requests."""

    __slots__ = ("child", "percent", "sent")

    def __init__(self, child: Child, percent: int) -> None:
        self.child = child
        self.percent = percent
        self.sent = 0


class Mirroring:
    """The service with its mirrors."""

    def __init__(
        self, name: str, main: Child, mirrors: Sequence[Mirror], options: Mapping[str, Any]
    ) -> None:
        self.name = name
        self._main = main
        self._mirrors = mirrors
        self._copies_bodies = options.get("mirrorBody", True) is not False
        limit = options.get("maxBodySize")
        self._limit = -1 if limit is None else int(limit)
        self._total = 0
        self._under_way: set[asyncio.Task[None]] = set()

    def is_up(self) -> bool:
        """Tell whether the service that answers can."""
        return self._main.is_up()

    async def __call__(self, request: Request) -> Response:
        mirrors = self._due()
        if not mirrors or request.upgrade or len(self._under_way) >= MAX_COPIES:
            return await self._main.handler(request)
        body = b""
        if self._copies_bodies:
            read, replacement = await buffered(request.body, self._limit)
            request = request.evolve(body=replacement, expects_continue=False)
            if read is None:
                return await self._main.handler(request)
            body = read
        try:
            return await self._main.handler(request)
        finally:
            if not _is_cancelled():
                self._send(request, body, mirrors)

    def _due(self) -> list[Mirror]:
        """Return the mirrors whose turn it is: each gets its share evenly, not at random."""
        self._total += 1
        due = [m for m in self._mirrors if m.sent * 100 < self._total * m.percent]
        for mirror in due:
            mirror.sent += 1
        return due

    def _send(self, request: Request, body: bytes, mirrors: Iterable[Mirror]) -> None:
        for mirror in mirrors:
            copy = request.evolve(body=FixedBody(body), exchange=Exchange(), inform=_say_nothing)
            copy.expects_continue = False
            task = asyncio.get_running_loop().create_task(_ask(mirror.child, copy), name="mirror")
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _say_nothing(_status: int, _headers: Any) -> None:
    """Interim answers of a mirror are for nobody."""


async def _ask(child: Child, request: Request) -> None:
    try:
        response = await child.handler(request)
        try:
            while await response.body.read():
                pass
        finally:
            response.close()
    except ExchangeError as error:
        _log.debug("A mirror did not answer: %s: %s", child.name, error)
    except Exception:  # noqa: BLE001 - nobody awaits a mirror: nothing may pass
        _log.exception("A mirrored request failed inside the router")
