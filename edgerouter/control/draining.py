"""Orders to drain containers, and to end that; counterpart: ``cli/commands/drain.py``."""

import asyncio
from collections.abc import Iterable
from typing import Any

from edgerouter.control.providers import Providers
from edgerouter.control.publisher import Publisher

STEP = 0.1
"""Seconds between two looks at what is still under way."""

Answer = dict[str, Any]


class Draining:
    """Carries the orders out; requests under way are counted in all workers.

    Every container has an answer of its own: one that cannot be drained does not keep the others.
    """

    def __init__(self, providers: Providers, publisher: Publisher) -> None:
        self._providers = providers
        self._publisher = publisher

    async def drain(self, request: Answer) -> Answer:
        """Give containers no new request; wait until they have none, or for ``timeout`` seconds."""
        deadline = asyncio.get_running_loop().time() + float(request.get("timeout") or 0)
        found = [self._set(name, is_drained=True) for name in request.get("names") or ()]
        waits = [self._emptied(answer, urls, deadline) for answer, urls in found]
        return {"containers": await asyncio.gather(*waits)}

    async def undrain(self, request: Answer) -> Answer:
        """Give drained containers requests again."""
        names = request.get("names") or ()
        return {"containers": [self._set(name, is_drained=False)[0] for name in names]}

    def _set(self, name: str, *, is_drained: bool) -> tuple[Answer, Iterable[str]]:
        try:
            container, urls = self._providers.drain(name, is_drained=is_drained)
        except LookupError as error:
            return {"container": name, "error": str(error.args[0])}, ()
        return {"container": container}, urls

    async def _emptied(self, answer: Answer, urls: Iterable[str], deadline: float) -> Answer:
        """Wait until nothing is under way to ``urls``; add to ``answer`` what still is."""
        if "error" in answer:
            return answer
        loop = asyncio.get_running_loop()
        while True:
            try:
                left = await self._publisher.under_way(urls)
            except TimeoutError:
                answer = {**answer, "error": "a worker does not say what is under way"}
            else:
                answer = {"container": answer["container"], "left": left}
                if not left:
                    break
            if loop.time() >= deadline or not self._providers.is_drained(answer["container"]):
                break
            await asyncio.sleep(STEP)
        if not self._providers.is_drained(answer["container"]):
            reason = "it is drained no more: it was undrained, has started again or is gone"
            return {**answer, "error": reason}
        return answer
