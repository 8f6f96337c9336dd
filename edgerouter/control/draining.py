"""Orders to drain a container, and to end that; counterpart: ``cli/commands/drain.py``."""

import asyncio
from collections.abc import Iterable
from typing import Any

from edgerouter.control.providers import Providers
from edgerouter.control.publisher import Publisher

STEP = 0.1
"""Seconds between two looks at what is still under way."""


class Draining:
    """Carries the orders out; requests under way are counted in all workers."""

    def __init__(self, providers: Providers, publisher: Publisher) -> None:
        self._providers = providers
        self._publisher = publisher

    async def drain(self, request: dict[str, Any]) -> dict[str, Any]:
        """Give a container no new request; wait until it has none, or for ``timeout`` seconds."""
        try:
            container, urls = self._providers.drain(str(request.get("name")), is_drained=True)
        except LookupError as error:
            return {"error": str(error.args[0])}
        return {"container": container, "left": await self._emptied(urls, request.get("timeout"))}

    async def undrain(self, request: dict[str, Any]) -> dict[str, Any]:
        """Give a drained container requests again."""
        try:
            container, _ = self._providers.drain(str(request.get("name")), is_drained=False)
        except LookupError as error:
            return {"error": str(error.args[0])}
        return {"container": container}

    async def _emptied(self, urls: Iterable[str], seconds: float | None) -> int:
        """Wait until nothing is under way to ``urls``; return what still is."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (seconds or 0)
        left = await self._publisher.under_way(urls)
        while left and loop.time() < deadline:
            await asyncio.sleep(STEP)
            left = await self._publisher.under_way(urls)
        return left
