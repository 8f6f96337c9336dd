"""Who watches over connections that are being opened for a request."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from edgerouter.http.message import Exchange

C = TypeVar("C")


class Dials(Protocol):
    """What a service that holds requests gives them (``services/dials.py``)."""

    async def run(self, dial: Callable[[], Awaitable[C]], url: str, exchange: "Exchange") -> C:
        """Return what ``dial`` opens to the server ``url``, if it is worth waiting for.

        Raises:
            ConnectTimeout: It took too long, or there is a better server by now.
        """
        ...
