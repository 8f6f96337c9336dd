"""What a middleware is given when a table is built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from edgerouter.http.errors import NoServer
from edgerouter.http.handler import Handler
from edgerouter.http.message import Request, Response
from edgerouter.middleware.budget import Budgets
from edgerouter.shared.memory import Shared, private

SAFE_IN_PATH = "$&+,/:;=@"
"""What Go leaves unescaped in a path beside letters, digits and ``-._~``."""


def _nothing(what: str, *_: object) -> Handler:
    """Stand in for the parts of a worker where options are only tried (control plane)."""

    async def handle(_request: Request) -> Response:
        message = f"there is no {what} here"
        raise NoServer(message)

    return handle


def _unheard(_finding: str) -> None:
    """Stand in for who tells of findings: the control plane does, where options are tried."""


@dataclass(frozen=True, slots=True)
class BuildContext:
    """The surroundings of one middleware in one route."""

    name: str
    """The qualified name, e.g. ``strip@docker``."""
    service: Callable[[str], Handler] = _nothing
    """``service(name)``: the service of that qualified name, as it is at the time of a request."""
    server: Callable[[str, Mapping[str, Any]], Handler] = _nothing
    """``server(url, transport)``: sends requests as they are (path, query, authority) to the host
    and port of ``url``; ``transport`` has the options of Traefik's ``serversTransport``."""
    shared: Shared = field(default_factory=private)
    """Counters that hold over all workers; by default those of this process alone."""
    budgets: Budgets = field(default_factory=Budgets)
    """What may be repeated in this worker."""
    as_traefik: bool = False
    """``edgerouter.compat=traefik``: nothing is to be better than in Traefik."""
    generation: int = 0
    """The version of the snapshot with which all state is to end; 0: it outlives snapshots."""
    warn: Callable[[str], None] = _unheard
    """Takes what is doubtful about the options, as ``BuildError`` does what is wrong with them."""

    @property
    def state(self) -> str:
        """What state is kept under: the name, and the generation if that matters."""
        return f"{self.name}\0{self.generation}" if self.generation else self.name

    def refuse(self, mistake: str) -> None:
        """Refuse options with which every request fails; Traefik lets them fail.

        Raises:
            BuildError: Unless ``as_traefik``.
        """
        if not self.as_traefik:
            raise BuildError(mistake)
        self.warn(mistake)


class BuildError(Exception):
    """The options cannot work; the message names the option and the remedy."""
