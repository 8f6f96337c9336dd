"""Which ports of containers answer.

A container without a health check that has just started counts as ready when something listens:
the first attempt is made at once, further ones after short pauses. One that is silent for too long
is taken all the same, with a warning. Where several ports or addresses may be meant, the first
that answers is; a container that has been there before serves by the best guess until then.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from urllib.parse import urlsplit

from edgerouter_docker.inventory import Container
from edgerouter_docker.servers import Endpoint, Question

FIRST_STEP = 0.005
"""Seconds between the first two attempts; the pauses double."""
STEP = 0.05
"""Longest pause between two attempts while a container waits for it."""
SLOW_STEP = 1.0
"""Longest pause while none does."""
PATIENCE = 30.0
"""Seconds for which is asked while no container waits for it."""
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


@dataclass(frozen=True, slots=True)
class _Errand:
    """What is asked of one container."""

    needed: frozenset[Endpoint]
    """All of them have to answer."""
    questions: frozenset[Question]
    """Of each one has to, the first if possible."""
    limit: float
    longest_pause: float

    @property
    def endpoints(self) -> dict[Endpoint, None]:
        """All of them, each once."""
        return dict.fromkeys((*sorted(self.needed), *chain.from_iterable(sorted(self.questions))))

    def is_done(self, answering: set[Endpoint]) -> bool:
        """Tell whether there is nothing more to be learned."""
        best = {question[0] for question in self.questions}
        return (self.needed | best) <= answering

    def silent(self, answering: set[Endpoint]) -> frozenset[Endpoint]:
        """Return what is needed and does not answer, and has nothing that stands in for it."""
        settled = (q for q in self.questions if not answering.isdisjoint(q))
        return self.needed - answering - frozenset(chain.from_iterable(settled))


@dataclass(slots=True)
class _Answers:
    asked: frozenset[Question] = frozenset()
    answering: frozenset[Endpoint] = frozenset()


@dataclass(slots=True)
class _Wait:
    task: "asyncio.Task[None]"
    is_new: bool
    """The container gets no requests meanwhile."""
    sought: frozenset[Question]
    is_seen: bool = False
    is_fresh: bool = True
    """Nobody has waited for the first answers yet."""


class Ports:
    """All questions of one provider; ``changed`` is called when one is over or becomes visible."""

    def __init__(self, limit: float, changed: Callable[[], None]) -> None:
        self._limit = limit
        self._changed = changed
        self._settled: dict[str, str] = {}
        """Containers that need no wait (any more), with the time they started."""
        self._looked: dict[str, Container] = {}
        """Containers as they were when they were looked at."""
        self._waits: dict[_Life, _Wait] = {}
        self._answers: dict[_Life, _Answers] = {}
        self._silent: dict[_Life, str] = {}
        self._attempts = asyncio.Semaphore(AT_ONCE)

    def trust(self, containers: Iterable[Container]) -> None:
        """Take these as they are: they ran before the router did."""
        self._settled.update({c.id: c.started_at for c in containers if c.is_running})

    def wants(self, container: Container) -> bool:
        """Tell whether the container has not been looked at since it has started or changed."""
        looked = self._looked.get(container.id)
        return (
            looked is not container
            and looked != container
            and container.is_running
            and container.is_ready
            and _life(container) not in self._waits
        )

    def look_at(
        self,
        container: Container,
        urls: Iterable[str],
        questions: frozenset[Question] = frozenset(),
    ) -> None:
        """Begin to ask whether its servers answer, and which of those that may be meant."""
        life = _life(container)
        self._looked[container.id] = container
        is_new = (
            self._limit > 0
            and not container.health
            and self._settled.get(container.id) != container.started_at
        )
        new = questions - self._answers.get(life, _Answers()).asked
        needed = _endpoints(urls) if is_new else frozenset()
        if not needed and not new:
            self._settled[container.id] = container.started_at
            return
        limit, pause = (self._limit, STEP) if is_new else (PATIENCE, SLOW_STEP)
        work = self._run(container, _Errand(needed, new, limit, pause))
        task = asyncio.create_task(work, name=f"ports of {container.name}")
        self._waits[life] = _Wait(task, is_new, new)

    async def first_answers(self) -> None:
        """Give attempts that have just begun a moment."""
        fresh = [wait for wait in self._waits.values() if wait.is_fresh]
        for wait in fresh:
            wait.is_fresh = False
        if fresh:
            await asyncio.wait([wait.task for wait in fresh], timeout=FIRST)

    def is_waiting(self, container: Container) -> bool:
        """Tell whether it is too new to get requests."""
        wait = self._waits.get(_life(container))
        return wait is not None and wait.is_new

    def is_unseen(self, container: Container) -> bool:
        """Tell whether it waits, and only just does."""
        wait = self._waits.get(_life(container))
        return wait is not None and wait.is_new and not wait.is_seen

    def answering(self, container: Container) -> frozenset[Endpoint]:
        """Return what has answered of that which may be meant."""
        return self._answers.get(_life(container), _Answers()).answering

    def sought(self, container: Container) -> str:
        """Return where its port is sought, if that takes a while; an empty text otherwise."""
        wait = self._waits.get(_life(container))
        if wait is None or not wait.is_seen:
            return ""
        return _listed(chain.from_iterable(sorted(wait.sought)))

    def silence(self, container: Container) -> str:
        """Return what to warn of: where nothing listened when the time was over."""
        return self._silent.get(_life(container), "")

    def keep_only(self, containers: Iterable[Container]) -> None:
        """Forget containers that have gone or started again."""
        lives = {_life(container) for container in containers if container.is_running}
        for life, wait in list(self._waits.items()):
            if life not in lives:
                wait.task.cancel()
                del self._waits[life]
        self._settled = {i: at for i, at in self._settled.items() if (i, at) in lives}
        self._looked = {i: c for i, c in self._looked.items() if _life(c) in lives}
        self._answers = {life: found for life, found in self._answers.items() if life in lives}
        self._silent = {life: text for life, text in self._silent.items() if life in lives}

    async def close(self) -> None:
        """Stop asking."""
        tasks = [wait.task for wait in self._waits.values()]
        self._waits.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, container: Container, errand: _Errand) -> None:
        life = _life(container)
        loop = asyncio.get_running_loop()
        showing = loop.call_later(UNSEEN, self._show, life)
        try:
            answering = await self._ask(errand)
        finally:
            showing.cancel()
        if errand.questions:
            known = self._answers.setdefault(life, _Answers())
            known.asked |= errand.questions
            known.answering |= answering.intersection(chain.from_iterable(errand.questions))
        if silent := errand.silent(answering):
            self._silent[life] = _listed(sorted(silent))
        self._settled[container.id] = container.started_at
        if self._waits.pop(life, None) is not None:
            self._changed()

    def _show(self, life: _Life) -> None:
        if self._waits[life].is_new:
            self._waits[life].is_seen = True
            self._changed()

    async def _ask(self, errand: _Errand) -> set[Endpoint]:
        """Return who answers, within the time that there is."""
        pause = errand.longest_pause
        asked = {asyncio.create_task(self._knock(*at, pause)): at for at in errand.endpoints}
        answering: set[Endpoint] = set()
        pending = set(asked)
        try:
            async with asyncio.timeout(errand.limit) as patience:
                while not errand.is_done(answering):
                    done, pending = await asyncio.wait(pending, return_when="FIRST_COMPLETED")
                    if not answering:
                        _shorten(patience, OTHERS)
                    answering |= {asked[task] for task in done}
        except TimeoutError:
            pass
        finally:
            for task in pending:
                task.cancel()
        return answering

    async def _knock(self, host: str, port: int, longest_pause: float) -> None:
        """Return once something listens."""
        pause = FIRST_STEP
        while True:
            async with self._attempts:
                with suppress(OSError, TimeoutError, UnicodeError):  # The last: no name of a host.
                    async with asyncio.timeout(ATTEMPT):
                        _, writer = await asyncio.open_connection(host, port)
                    writer.close()
                    return
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest_pause)


def _shorten(patience: asyncio.Timeout, seconds: float) -> None:
    soon = asyncio.get_running_loop().time() + seconds
    at = patience.when()
    patience.reschedule(soon if at is None else min(at, soon))


def _endpoints(urls: Iterable[str]) -> frozenset[Endpoint]:
    found = ((parts.hostname, parts.port) for parts in map(urlsplit, urls))
    return frozenset((host, port) for host, port in found if host and port)


def _listed(endpoints: Iterable[Endpoint]) -> str:
    return ", ".join(f"{host}:{port}" for host, port in endpoints)


def _life(container: Container) -> _Life:
    return container.id, container.started_at
