"""Answers for other routers: what they have posted where they share a storage with us."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from edgerouter.acme.answers import Answer, Answers
from edgerouter.acme.board import Board
from edgerouter.observability.logs import fields

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks; a disk that is shared over a network tells nobody of changes."""


class Sharing:
    """Has our workers give the answers of others, and says so."""

    def __init__(
        self, boards: Sequence[Board], answers: Answers, publish: Callable[[], Awaitable[None]]
    ) -> None:
        """Read ``boards``; ``publish`` returns once every worker has a change of ``answers``."""
        self._boards = boards
        self._answers = answers
        self._publish = publish
        self._given: Mapping[str, Answer] | None = None
        self._reported = ""

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                await self._look()
                await asyncio.sleep(LOOK_EVERY)
        finally:
            for board in self._boards:
                board.leave()

    async def _look(self) -> None:
        try:
            found = await asyncio.to_thread(self._read)
            if found != self._given:
                self._answers.follow(found.values())
                if found or self._given:
                    await self._publish()
                await asyncio.to_thread(self._confirm, found)
                self._given = found
            self._reported = ""
        except OSError as error:
            if str(error) != self._reported:
                self._reported = str(error)
                log.error(
                    "Challenges of other routers that share the storage cannot be answered",
                    extra=fields(reason=self._reported),
                )

    def _read(self) -> dict[str, Answer]:
        return {key: each for board in self._boards for key, each in board.others().items()}

    def _confirm(self, found: Mapping[str, Answer]) -> None:
        for board in self._boards:
            board.confirm(found)
