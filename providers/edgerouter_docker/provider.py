"""The Docker provider: connects, follows, and starts again when the engine went away.

While it cannot see the engine it publishes nothing, so the last good
configuration keeps serving.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel

from edgerouter.provider import ProviderContext, ProviderUnavailable
from edgerouter_docker.assemble import LOOPBACK, Assembler, host_address
from edgerouter_docker.calls import CallThread, finish
from edgerouter_docker.certificates import tell
from edgerouter_docker.engine import Engine, EngineUnavailable
from edgerouter_docker.lingering import Lingering
from edgerouter_docker.options import Options as DockerOptions
from edgerouter_docker.own_container import own_container_ids
from edgerouter_docker.session import Session, State
from edgerouter_docker.translate import settings_of

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
RESOLVE_TIMEOUT = 1.0
PATIENCE = 15.0
"""Seconds of quick attempts after a lost connection, enough for an engine that restarts; then the
provider counts as unavailable."""


class DockerProvider:
    """Routes from the labels of one engine's containers."""

    Options: ClassVar[type[BaseModel]] = DockerOptions

    def __init__(self, name: str, options: DockerOptions) -> None:
        """Keep the options.

        Raises:
            ValueError: ``constraints`` or ``defaultRule`` is malformed.
        """
        self._options = options
        self._settings = settings_of(options, name)
        self._state: State | None = None
        self._session: Session | None = None

    async def run(self, context: ProviderContext) -> None:
        """Follow the engine until cancelled; without ``watch``, look once.

        Raises:
            ProviderUnavailable: The engine cannot be reached, or has been away for a while.
        """
        if self._state is None:
            own_ids = own_container_ids()
            host = await _host_address(is_inside=bool(own_ids))
            assembler = Assembler(self._settings, own_ids=own_ids, host_address=host)
            self._state = State(assembler, lingering=Lingering(self._options.hold))
        calls = CallThread("docker-calls")
        try:
            await self._follow(context, calls, self._state)
        finally:
            await finish(calls.aclose())

    async def certificate_changed(self, names: Sequence[str]) -> None:
        """Tell the containers whose labels ask for it that a certificate's copy has changed.

        Raises:
            ProviderUnavailable: The engine cannot be reached, or has not been seen yet.
        """
        if self._state is None or not self._state.has_published:
            raise ProviderUnavailable("the engine has not been seen yet")
        containers = list(self._state.containers.values())
        try:
            await asyncio.to_thread(tell, lambda: Engine(self._options), containers, names)
        except EngineUnavailable as error:
            raise ProviderUnavailable(str(error)) from error

    @property
    def drained(self) -> list[str]:
        """The names of the drained containers."""
        state = self._state
        return state.draining.names(state.containers) if state is not None else []

    def drain(self, name: str, *, is_drained: bool) -> tuple[str, frozenset[str]]:
        """Give a container no new request, or requests again; return its name and its servers.

        Raises:
            LookupError: There is no such container, several, or it serves nothing.
        """
        if self._session is None:
            raise LookupError("the engine has not been seen yet")
        return self._session.drain(name, is_drained=is_drained)

    async def _follow(self, context: ProviderContext, calls: CallThread, state: State) -> None:
        loop = asyncio.get_running_loop()
        give_up = 0.0
        pause = FIRST_PAUSE
        told = ""
        while True:
            session = self._session = Session(self._settings, state, context, calls)
            try:
                await session.run(Engine(self._options))
            except EngineUnavailable as error:
                if session.has_published:
                    give_up = loop.time() + PATIENCE
                    pause = FIRST_PAUSE
                    told = ""
                if loop.time() >= give_up:
                    raise ProviderUnavailable(str(error)) from error
                context.reconnecting(str(error))
                if told != str(error):  # Once, not for every attempt.
                    told = str(error)
                    log.warning("Docker is out of sight, what it said stays in force: %s", error)
            else:
                return
            # Jitter, so that many routers do not knock together.
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - not a secret.
            pause = min(pause * 2, LONGEST_PAUSE)


async def _host_address(*, is_inside: bool) -> str:
    """Ask for the host's address; few containers need it, so nobody waits long for it."""
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT):
            return await asyncio.to_thread(host_address, is_inside=is_inside)
    except TimeoutError:
        return LOOPBACK
